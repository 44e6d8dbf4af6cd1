"""What the pipeline asks of a source of views, and what holds for a source that says nothing about it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zero123pp.errors import BadInput
from zero123pp.pipelines.models.groups import Progress, part

if TYPE_CHECKING:
    import numpy as np

    from zero123pp.pipelines.models.options import ModelOptions
    from zero123pp.types import Cutout, MultiView

_REFUSALS = {
    "depth": "draws no views under depth; choose a model that does, such as zero123plus-v1.1",
    "normals": "draws no normals; choose a model that does, such as zero123plus-v1.2",
}


class MultiViewModel(ABC):
    """A source of views. A subclass has to give ``name``, ``licence``, ``rig`` and `generate`."""

    name: str
    """As in `zero123pp.pipelines.models.MODELS`, a folder or a hub id; goes into reports and the asset."""
    licence: str
    """Of the weights (of the code, where there are none): users read it before they use the result."""
    rig: str
    """Name of the rig of its views, a key of `zero123pp.rigs.RIGS`."""
    note: str = ""
    """One sentence on what to expect of the views; '' when there is nothing to say."""
    overrides: tuple[str, ...] = ()
    """Config values that suit its views, such as ``"fit.weight_mask=10"``; the user's own come after them."""
    loading_options: frozenset[str] = frozenset()
    """Fields of `ModelOptions` that mean something to it beside device, dtype and allow_download; others are refused
    before it is loaded."""
    settings: str = ""
    """Name of the group of config values that `generate` takes as an argument of that name; '' for none."""
    controls: frozenset[str] = frozenset()
    """What `generate` can be asked for beside the plain views: "depth", "normals"."""
    libraries: tuple[str, ...] = ()
    """Distributions whose versions decide what it draws, beside those that the reconstruction needs anyway."""
    guesses_shape: bool = False
    """Whether its views show a solid that it guessed, so that another solid cannot be painted from them."""
    draws_together: bool = False
    """Whether `generate_many` is worth more than one call for each object."""

    @property
    def sheet_size(self) -> tuple[int, int]:
        """Width and height of six of its views as a sheet, px; control sheets have this size."""
        return 640, 960

    @classmethod
    def load(cls, name: str, options: "ModelOptions") -> "MultiViewModel":
        """The model called ``name``; called without arguments where a subclass does not say.

        Raises:
            BadInput: what is there under this name, or one of the options, cannot be used.
            MissingBackend: a library or the weights are not here.
        """
        return cls()

    @classmethod
    def weights(cls, name: str, revision: str | None = None) -> Path | str | None:
        """What decides what the model called ``name`` draws, without loading it.

        A folder of files, the commit of a repository on the hub, or None where everything ships with the package.
        Raises BadInput or MissingBackend when there is no such model on this machine.
        """
        return None

    @abstractmethod
    def generate(
        self,
        cutout: "Cutout",
        *,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        progress: Progress | None = None,
        **control: object,
    ) -> "MultiView":
        """The rig's six views of the object in the cutout, in sheet order; more views may follow them.

        Where one of the views is the picture itself, `MultiView.input_view` says which. A source that knows the
        object's surface may give that picture alone, and the surface as `MultiView.surface`: then nothing is fitted.

        Args:
            cutout: the object, seen from azimuth 0.
            seed: fixes every random choice; a source without any ignores it.
            steps: denoising steps; None takes the source's default. Ignored by a source without any.
            guidance: classifier-free guidance scale, likewise.
            progress: called with the fraction done, in [0, 1].
            control: nothing beyond what `controls` offers. With "depth": ``depth``, a sheet (3 S, 2 S, 4) uint8 of
                `sheet_size`, see `zero123pp.pipelines.models.depth_control.depth_sheet`, and ``depth_scale`` where
                the user chose a weight. With "normals": ``with_normals=True``, for views with normals.

        Raises:
            BadInput: a cutout that cannot be used, for example an empty one.
        """

    def generate_many(
        self,
        cutouts: "Sequence[Cutout]",
        *,
        seeds: Sequence[int],
        depths: "Sequence[np.ndarray] | None" = None,
        progress: Progress | None = None,
        **options: object,
    ) -> "list[MultiView]":
        """The views of several objects, one after the other where a subclass does not say.

        Args:
            cutouts: the objects.
            seeds: of each.
            depths: control sheet of each.
            progress: called with the fraction done of all.
            options: of `generate`, the same for all.
        """
        views, count = [], len(cutouts)
        for number, (cutout, seed) in enumerate(zip(cutouts, seeds, strict=True)):
            control = {} if depths is None else {"depth": depths[number]}
            tick = part(progress, number / count, (number + 1) / count)
            views.append(self.generate(cutout, seed=seed, progress=tick, **control, **options))
        return views

    def generate_sheet(self, cutout: "Cutout", **options: object) -> "np.ndarray":
        """The six views as one sheet, as they are drawn; arguments and errors as of `generate`.

        Returns:
            (3 S, 2 S, 3) uint8 on a plain background, or, where the source knows the alpha, (3 S, 2 S, 4) float32 in
            [0, 1] with straight alpha.
        """
        import numpy as np

        from zero123pp.images import tile_sheet

        views = self.generate(cutout, **options).views[:6]
        return tile_sheet(np.stack([np.dstack([view.rgb, view.alpha]) for view in views]))

    def check_controls(self, *, depth: bool = False, normals: bool = False) -> None:
        """Make sure of what `generate` will be asked for, before any work is done.

        Raises:
            BadInput: the model cannot do that.
            MissingBackend: it needs what is not here.
        """
        for name, is_wanted in (("depth", depth), ("normals", normals)):
            if is_wanted and name not in self.controls:
                raise BadInput(f"{self.name!r} {_REFUSALS[name]}")
