"""The records that travel between the driver of a batch and its workers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "done", "refused", "failed", "storage", "crashed", "killed", "deadline", "memory", "lost", "company", "cancelled"
]

OWN_FAULTS = ("failed", "crashed", "deadline", "memory")
"""Ends that speak against the item itself. 'refused' does too, and is final: a picture stays what it is."""


@dataclass(frozen=True)
class Task:
    """One item, ready to be worked on anywhere: its pictures are in it as bytes."""

    key: str
    """Names the result; see `zero123pp.pipelines.batch.identity`."""
    name: str
    """For messages."""
    call: Mapping[str, Any] = field(default_factory=dict)
    """The arguments of the `ImageTo3D` call beside the pictures."""
    model: str = "preview"
    """Name, folder or hub id; never 'auto'."""
    image: bytes | None = None
    """Content of the picture's file."""
    views: bytes | None = None
    """Content of the sheet's file."""
    place: str = ""
    """Where the result goes, see `zero123pp.pipelines.batch.places`."""


@dataclass(frozen=True)
class BatchSettings:
    """What all items of a batch share."""

    out: str
    """Folder of the results."""
    preset: str = "default"
    overrides: tuple[str, ...] = ()
    """Config values on top of the preset, as for ``--set``."""
    device: str = "auto"
    thumbnail_px: int = 160
    """Side of the picture for the contact sheet; 0 for none."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """More for `ImageTo3D.from_pretrained`."""


@dataclass(frozen=True)
class Outcome:
    """How one try ended."""

    kind: Kind
    """done; refused: bad input; failed: an error; storage: the result could not be written; crashed: the item took its
    worker down; killed: somebody else did; deadline, memory: over its limit; lost: the machine is gone; company: it was
    under way with others, and whose fault it was that the worker ended is not known, or another's; cancelled: whoever
    asked for it wanted it no more."""
    reason: str = ""
    seconds: float = 0.0
    """Wall time of the try."""
    memory_mb: int = 0
    """Resident memory of the worker after it."""


class News:
    """Base of what a maker tells before the outcome of its item: progress, or a part of the result."""
