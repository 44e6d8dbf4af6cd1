"""The records that travel between the server and its worker. Imports nothing heavy."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from zero123pp.pipelines.batch import News, Outcome

Kind = Literal["cutout", "object", "export"]

CANCEL = getattr(signal, "SIGUSR1", signal.SIGTERM)
"""Makes the worker stop its job at the next tick of its progress."""


@dataclass(frozen=True)
class Work:
    """One job, ready to be worked on: all that was sent is in it as bytes, and no name or path of a visitor's."""

    key: str
    """The job's id."""
    kind: Kind
    model: str = "preview"
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """Content of the files 'image', 'sheet', 'back', 'mask' and, for an export, 'model' (a GLB of ours)."""
    seed: int = 0
    prompt: str | None = None
    """Draws the picture; only for cutouts."""
    rig: str | None = None
    """Of a sheet."""
    overrides: tuple[str, ...] = ()
    """Config values such as 'clean.faces=5000'."""
    file_options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `zero123pp.recon.export.FileOptions`."""
    export: Mapping[str, Any] = field(default_factory=dict)
    """For an export: 'format', and the arguments of `zero123pp.recon.export.export`."""

    @property
    def bytes(self) -> int:
        """What it holds of the visitor's."""
        return sum(map(len, self.pictures.values()))


@dataclass(frozen=True)
class Told(News):
    """Where a job stands, and files that are there already."""

    stage: str
    fraction: float = 0.0
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Made(Outcome):
    """How a job ended; ``kind`` 'cancelled' where its visitor wanted that."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON-ready: 'warnings', 'seconds' of each stage, 'camera' of the picture, 'mesh', 'note', 'licence'."""
