"""Multi-view sources: what turns a cutout into posed views.

A new source is one file with a class that follows `MultiViewModel`, and one line in `MODELS`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zero123pp.types import Cutout, MultiView


class MultiViewModel(Protocol):
    """What the pipeline asks of a multi-view source."""

    name: str
    """As in `MODELS`, a folder or a hub id; goes into reports and the asset."""
    licence: str
    """Of the weights (of the code, where there are none): users read it before they use the result."""
    rig: str
    """Name of the rig of its views, a key of `zero123pp.rigs.RIGS`."""
    note: str
    """One sentence on what to expect of the views; '' when there is nothing to say."""
    overrides: tuple[str, ...]
    """Config values that suit its views, such as ``"fit.weight_mask=10"``; the user's own come after them."""

    def generate(
        self,
        cutout: "Cutout",
        *,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> "MultiView":
        """The rig's six views of the object in the cutout, in sheet order; more views may follow them.

        Args:
            cutout: the object, seen from azimuth 0.
            seed: fixes every random choice; a source without any ignores it.
            steps: denoising steps; None takes the source's default. Ignored by a source without any.
            guidance: classifier-free guidance scale, likewise.
            progress: called with the fraction done, in [0, 1].

        Raises:
            BadInput: a cutout that cannot be used, for example an empty one.
        """
        ...


ModelFactory = Callable[..., MultiViewModel]
"""Called as ``factory(name, device=, dtype=, allow_download=)``; imports what it needs, when it is called."""


def _inflated(name: str, **_unused: object) -> MultiViewModel:
    from zero123pp.pipelines.models.inflated import InflatedModel

    return InflatedModel(name=name)


def _learned(name: str, **_unused: object) -> MultiViewModel:
    from zero123pp.pipelines.models.preview import PreviewModel

    return PreviewModel()


def _zero123plus(name: str, **options: object) -> MultiViewModel:
    from zero123pp.pipelines.models.zero123plus import Zero123PlusModel

    return Zero123PlusModel.from_pretrained(name, **options)


MODELS: dict[str, ModelFactory] = {
    "preview": _learned,
    "inflated": _inflated,
    "zero123plus-v1.1": _zero123plus,
    "zero123plus-v1.2": _zero123plus,
}
"""Name to factory. Checkpoint folders and hub ids that are not here go to `Zero123PlusModel` as well."""
