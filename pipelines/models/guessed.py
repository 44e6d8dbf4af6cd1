"""Sources that guess a solid behind the picture and paint it: what they have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zero123pp.pipelines.models.contract import MultiViewModel
from zero123pp.pipelines.models.groups import Progress
from zero123pp.pipelines.models.painting import painted_views
from zero123pp.types import Camera, Cutout, MultiView, Part

_SHARE_OF_GUESS = 0.4
"""Of the progress: about what the guess takes of the time."""


@dataclass(frozen=True)
class Guess:
    """A solid that carries its picture."""

    parts: Sequence[Part]
    """With colours, in the world frame."""
    front: Camera
    """Of the picture."""
    picture: np.ndarray
    """(S, S, 3) uint8 sRGB, with sensible colours outside of the object as well."""
    note: str = ""
    """What to expect of it, where that differs from the source's own note."""


class GuessedModel(MultiViewModel):
    """A source without chance: a subclass gives ``name``, ``note`` and `guess`."""

    licence = "Apache-2.0"
    rig = "v1.2"
    guesses_shape = True
    overrides = ("fit.weight_mask=10", "refine.use=never", "align.use=never")
    """All views show the same solid, so their outlines can be trusted: thin parts keep their width. What they show is
    a guess, and not worth refining to."""

    @abstractmethod
    def guess(self, cutout: Cutout) -> Guess:
        """The solid behind the cutout, seen from azimuth 0. Raises BadInput when the cutout is empty."""

    def generate(self, cutout: Cutout, *, progress: Progress | None = None, **_unused: object) -> MultiView:
        """The six views of the guessed solid, and the cutout itself as the last view; all with depth and normals.

        Seed, steps and guidance change nothing here. Raises BadInput when the cutout is empty.
        """
        report = progress or (lambda fraction: None)
        guess = self.guess(cutout)
        report(_SHARE_OF_GUESS)
        views = painted_views(
            guess.parts, guess.front, guess.picture, self.rig,
            lambda done: report(_SHARE_OF_GUESS + (1 - _SHARE_OF_GUESS) * done),
        )  # fmt: skip
        return MultiView(views, source=self.name, rig=self.rig, input_view=len(views) - 1, note=guess.note)
