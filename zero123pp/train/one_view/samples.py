"""A sample to learn from: a rendered view, lit, damaged and cut out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zero123pp.recon.prior import network_input
from zero123pp.train.one_view.damage import cut_badly, photographed
from zero123pp.train.one_view.lit import lit
from zero123pp.train.one_view.solids import Solid
from zero123pp.train.one_view.view import UnlitView, draw_pose, render_view


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


def lit_picture(solid: Solid, lights: Sequence[np.ndarray], side: int, rng: np.random.Generator) -> np.ndarray | None:
    """Straight RGBA (S, S, 4) float32 of an object in some pose and light, undamaged; None: hardly anything is seen."""
    view = render_view(solid, draw_pose(rng), side, rng)
    if view is None:
        return None
    front, _ = lit(view, lights, rng)
    return np.dstack([front, view.rgba[..., 3].astype(np.float32) / 255])
