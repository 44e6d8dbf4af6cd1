"""Samples to learn from: a pool of rendered views that is renewed all the time, lit and damaged anew at each draw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

from zero123pp.train.one_view.damage import cut_badly, photographed
from zero123pp.train.one_view.lit import lit
from zero123pp.train.one_view.solids import Solid, SolidStore, generated
from zero123pp.train.one_view.view import UnlitView, draw_pose, render_view

CLASSES = {
    "ycb": "scan", "gso": "scan", "polyhaven": "scan", "khronos": "scan", "gazebo": "model", "smallhouse": "model",
    "bookstore": "model", "kenneycity": "model", "market": "market",
}  # fmt: skip
"""Kind of the groups of collected objects; all others are kits."""
SHARES = {"scan": 0.24, "model": 0.24, "market": 0.2, "kit": 0.32}
"""Of the collected objects' samples: four in five of the objects are kits of few faces."""


class Sample(NamedTuple):
    """What the network is given and asked for; pictures of S px."""

    given: np.ndarray
    """(5, S, S) float32, see `network_input`."""
    layers: np.ndarray
    """(4, S, S) float32, NaN outside and where unknown."""
    normals: np.ndarray
    """(6, S, S) float32, front and back."""
    back_rgb: np.ndarray
    """(3, S, S) float32."""
    alpha: np.ndarray
    """(S, S) float32, true."""
    up: np.ndarray
    """(3,) float32."""
    tan_half_fov: np.float32
    usual: np.float32
    """1 where the object stands as it was made to."""


def network_input(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(5, S, S) float32 of colours (S, S, 3) sRGB 0..1 and alpha (S, S): colours on gray, alpha, outline distance."""
    on_gray = rgb * alpha[..., None] + 0.5 * (1 - alpha[..., None])
    inside = alpha > 0.5
    distance = distance_transform_edt(inside) - distance_transform_edt(~inside) if inside.any() else -np.ones_like(alpha)
    distance = np.clip(distance * (2 / len(alpha)), -1, 1)
    given = np.dstack([(on_gray * 255 - 127) / 128, alpha * 2 - 1, distance * 2])
    return np.ascontiguousarray(given.transpose(2, 0, 1), np.float32)


def make_sample(view: UnlitView, lights: Sequence[np.ndarray], rng: np.random.Generator) -> Sample:
    """A view in some light, photographed, cut out, and mirrored half of the time."""
    alpha = view.rgba[..., 3].astype(np.float32) / 255
    front, back = lit(view, lights, rng)
    front = photographed(front, alpha, rng)
    front, cut = cut_badly(front, alpha, rng)
    layers, normals, up = view.layers, view.normals.astype(np.float32), view.up
    if rng.random() < 0.5:
        front, cut, back, alpha = front[:, ::-1], cut[:, ::-1], back[:, ::-1], alpha[:, ::-1]
        layers, normals = layers[..., ::-1], normals[:, ::-1] * np.float32([-1, 1, 1, -1, 1, 1])
        up = up * np.float32([-1, 1, 1])
    return Sample(
        network_input(front, cut), np.ascontiguousarray(layers), np.ascontiguousarray(normals.transpose(2, 0, 1)),
        np.ascontiguousarray(back.transpose(2, 0, 1)), np.ascontiguousarray(alpha), up.astype(np.float32),
        np.float32(view.tan_half_fov), np.float32(view.usual),
    )  # fmt: skip


@dataclass(frozen=True)
class Collected:
    """Stored objects by class, and how often each class is drawn."""

    store: SolidStore
    classes: dict[str, list[str]]

    def draw(self, rng: np.random.Generator) -> Solid:
        """An object."""
        names = [name for name in SHARES if self.classes.get(name)]
        shares = np.array([SHARES[name] for name in names])
        chosen = self.classes[names[rng.choice(len(names), p=shares / shares.sum())]]
        return self.store.load(chosen[rng.integers(len(chosen))])


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
