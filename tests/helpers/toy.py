"""A toy bear of our own, modelled as a signed distance field: the object of the README's picture and of the tests.

`python tests/helpers/toy.py docs/toy.png` draws the README's picture.
"""

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from zero123pp.cameras import orbit_camera, pixel_centres, unproject
from zero123pp.images import linear_to_srgb, over, srgb_to_linear, to_uint8
from zero123pp.recon.render import render
from zero123pp.types import Mesh

FUR, CREAM, DARK, RED = (0.72, 0.45, 0.22), (0.95, 0.84, 0.66), (0.13, 0.09, 0.08), (0.83, 0.12, 0.16)

# Ellipsoids: centre, radii, sRGB colour. Later ones are painted over earlier ones; x is mirrored where sides is 2.
PARTS = [
    ((0, -0.17, 0), (0.20, 0.22, 0.17), FUR, 1),  # body
    ((0, -0.16, 0.055), (0.13, 0.15, 0.13), CREAM, 1),  # belly
    ((0, 0.19, 0.01), (0.205, 0.185, 0.17), FUR, 1),  # head
    ((0.155, 0.335, -0.01), (0.075, 0.075, 0.05), FUR, 2),  # ears
    ((0.155, 0.335, 0.03), (0.042, 0.042, 0.025), CREAM, 2),
    ((0, 0.135, 0.145), (0.09, 0.07, 0.065), CREAM, 1),  # snout
    ((0, 0.165, 0.205), (0.032, 0.024, 0.02), DARK, 1),  # nose
    ((0.08, 0.235, 0.155), (0.024, 0.028, 0.016), DARK, 2),  # eyes
    ((0.215, -0.12, 0.05), (0.065, 0.13, 0.07), FUR, 2),  # arms
    ((0.235, -0.225, 0.085), (0.06, 0.05, 0.06), CREAM, 2),  # paws
    ((0.12, -0.375, 0.09), (0.085, 0.085, 0.135), FUR, 2),  # legs
    ((0.12, -0.375, 0.205), (0.06, 0.06, 0.03), CREAM, 2),  # soles
    ((0, -0.27, -0.17), (0.05, 0.05, 0.05), FUR, 1),  # tail
    ((0.062, 0.012, 0.155), (0.062, 0.045, 0.028), RED, 2),  # bow tie
    ((0, 0.012, 0.168), (0.025, 0.028, 0.025), RED, 1),
]
BLEND = 0.012
"""Radius of the smooth union, world units."""


def _ellipsoids(points: np.ndarray) -> Iterator[tuple[np.ndarray, tuple[float, float, float]]]:
    """Approximate signed distances (N,) to each ellipsoid, and its colour."""
    for centre, radii, color, sides in PARTS:
        for side in (1, -1)[:sides]:
            local = ((points - np.array(centre) * (side, 1, 1)) / radii).astype(np.float32)
            length = np.linalg.norm(local, axis=-1)
            slope = np.linalg.norm(local / np.array(radii, np.float32), axis=-1)
            yield length * (length - 1) / np.maximum(slope, 1e-6), color


def _distance(points: np.ndarray) -> np.ndarray:
    """Distance (N,) to the smooth union of all ellipsoids."""
    total = sum(np.exp(-np.clip(distance, -0.4, 0.4) / BLEND) for distance, _ in _ellipsoids(points))
    return -BLEND * np.log(total)


def _color(points: np.ndarray) -> np.ndarray:
    """sRGB (N, 3) of the nearest ellipsoid; of two, the later one."""
    nearest, colors = np.full(len(points), np.inf, np.float32), np.zeros((len(points), 3))
    for distance, color in _ellipsoids(points):
        on_top = distance < nearest + 2e-3
        nearest, colors = np.minimum(nearest, distance), np.where(on_top[:, None], color, colors)
    return colors


@cache
def toy_mesh(resolution: int = 128) -> Mesh:
    """The bear as a closed mesh with vertex colours, facing +Z, within the sphere of radius 0.5."""
    from skimage.measure import marching_cubes

    axis = np.linspace(-0.5, 0.5, resolution)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    vertices, faces, _, _ = marching_cubes(_distance(grid.reshape(-1, 3)).reshape(grid.shape[:3]), 0.0)
    vertices = vertices / (resolution - 1) - 0.5
    mesh = Mesh(vertices, faces, to_uint8(_color(vertices)))
    corners = mesh.vertices[mesh.faces].astype(float)
    inward = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) < 0
    return Mesh(vertices, faces[:, ::-1], mesh.colors) if inward else mesh


def toy_picture(size_px: int = 640, background: bool = True) -> np.ndarray:
    """(S, S, 4) uint8: the lit bear, on a soft backdrop with a shadow, or cut out."""
    fine = 3 * size_px
    view = render(toy_mesh(160), orbit_camera(0, 8, 2.15, 30, fine), supersample=1)
    key, fill = np.array([-0.45, 0.65, 0.62]), np.array([0.7, 0.2, 0.5])
    light = 0.42 + 0.62 * np.clip(view.normal @ key, 0, 1) + 0.16 * np.clip(view.normal @ fill, 0, 1)
    points = unproject(view.camera, pixel_centres(view.camera), view.depth)
    paint = _color(points.reshape(-1, 3)).reshape(points.shape)
    lit = linear_to_srgb(np.clip(srgb_to_linear(paint) * light[..., None], 0, 1)) * view.alpha[..., None]
    alpha = view.alpha.reshape(size_px, 3, size_px, 3).mean((1, 3))
    lit = lit.reshape(size_px, 3, size_px, 3, 3).mean((1, 3)) / np.maximum(alpha, 1e-6)[..., None]
    if not background:
        return np.dstack([to_uint8(lit), to_uint8(alpha)])
    x, y = np.meshgrid(np.linspace(-1, 1, size_px), np.linspace(-1, 1, size_px))
    backdrop = np.array([0.56, 0.68, 0.72]) - 0.10 * np.clip(y - 0.25, 0, 1)[..., None] - 0.05 * (x**2)[..., None]
    shadow = 0.30 * np.exp(-((x / 0.55) ** 2) - ((y - 0.80) / 0.075) ** 2)
    picture = over(lit, alpha, backdrop * (1 - shadow[..., None]))
    return np.dstack([to_uint8(picture), np.full((size_px, size_px), 255, np.uint8)])


if __name__ == "__main__":
    from PIL import Image

    Image.fromarray(toy_picture()[..., :3]).save(Path(sys.argv[1]), optimize=True)
