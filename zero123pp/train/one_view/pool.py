"""Where samples come from: views of collected and generated objects, rendered all the time and used some times each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zero123pp.train import is_held_out
from zero123pp.train.one_view.solids import Solid, generated
from zero123pp.train.one_view.store import SolidStore
from zero123pp.train.one_view.view import UnlitView, draw_pose, render_view

SHARES = {"scan": 0.24, "model": 0.24, "market": 0.2, "kit": 0.32}
"""Of the collected objects' samples: four in five of the objects are kits of few faces."""
_OTHER_SHARE = 0.2


@dataclass(frozen=True)
class Collected:
    """Stored objects by class, and how often each class is drawn."""

    store: SolidStore
    classes: dict[str, list[str]]

    @classmethod
    def part(cls, store: SolidStore, *, held_out: bool) -> "Collected":
        """The objects that are trained on, or the ones kept for validation."""
        chosen = {kind: [n for n in names if is_held_out(n) == held_out] for kind, names in store.classes().items()}
        return cls(store, {kind: names for kind, names in chosen.items() if names})

    def draw(self, rng: np.random.Generator) -> Solid:
        """An object."""
        kinds = list(self.classes)
        shares = np.array([SHARES.get(kind, _OTHER_SHARE) for kind in kinds])
        kind = kinds[rng.choice(len(kinds), p=shares / shares.sum())]
        return self.store.load(kind, self.classes[kind][rng.integers(len(self.classes[kind]))])


class Pool:
    """Views of objects drawn by chance; one is renewed for every ``reuse`` samples that are drawn."""

    def __init__(
        self, collected: Collected | None, generated_share: float, side: int, size: int, reuse: int,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self._draw_collected = collected.draw if collected else None
        self._share, self._side, self._size, self._reuse, self._rng = generated_share, side, size, reuse, rng
        self._views: list[UnlitView] = []
        self._waiting: list[UnlitView] = []
        self._drawn = 0

    def draw(self) -> UnlitView:
        """A view of the pool, which grows at first and is renewed later."""
        if len(self._views) < self._size:
            view = self._new()
            self._views.append(view)
            if len(self._views) < 64 or self._rng.random() < 0.5:
                return view
        elif self._drawn % self._reuse == 0:
            self._views[self._rng.integers(self._size)] = self._new()
        self._drawn += 1
        return self._views[self._rng.integers(len(self._views))]

    def _new(self) -> UnlitView:
        while not self._waiting:
            made = self._share >= 1 or (self._share > 0 and self._rng.random() < self._share)
            draw: Callable[[np.random.Generator], Solid] = generated if made else self._draw_collected
            solid = draw(self._rng)
            # A generated object costs more to make than to look at.
            for _ in range(4 if made else 2):
                view = render_view(solid, draw_pose(self._rng), self._side, self._rng)
                if view is not None:
                    self._waiting.append(view)
        return self._waiting.pop(self._rng.integers(len(self._waiting)))
