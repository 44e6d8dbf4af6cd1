"""Meshes to lit pictures with their true alpha, to train the cutout network on."""

import zlib
from pathlib import Path

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, orbit_camera
from zero123pp.files import make_folder, write_file
from zero123pp.images import encode_png, linear_to_srgb, srgb_to_linear, to_uint8
from zero123pp.types import Part, TexturedMesh, View

MIN_VISIBLE_PX = 200


def picture_counts(kinds: list[str], pictures: int) -> dict[str, int]:
    """Pictures a mesh of each kind: more of the rare kinds, so that training does not pass them by."""
    largest = max(kinds.count(kind) for kind in set(kinds))
    return {kind: round(pictures * min(6.0, (largest / kinds.count(kind)) ** 0.5)) for kind in set(kinds)}


def render_pictures(mesh: Path, folder: Path, count: int, size_px: int) -> None:
    """Writes ``count`` pictures of one mesh file, each a function of its name and number alone.

    Raises:
        BadInput: the mesh cannot be read.
    """
    from zero123pp.recon.load import load_parts
    from zero123pp.recon.render import render

    files = [folder / f"{mesh.stem}_{number}.png" for number in range(count)]
    if all(file.exists() for file in files):
        return
    parts = _fitted(load_parts(mesh))
    make_folder(folder)
    for file in files:
        rng = np.random.default_rng(zlib.crc32(file.stem.encode()))
        fov = rng.uniform(20, 55)
        elevation = rng.uniform(-10, 35) if rng.random() < 0.5 else rng.uniform(-25, 75)
        distance = OBJECT_RADIUS / np.sin(np.deg2rad(fov) / 2)
        view = render(parts, orbit_camera(rng.uniform(0, 360), elevation, distance, fov, size_px))
        rgba = to_uint8(np.concatenate([_lit(view, rng), view.alpha[..., None]], axis=-1))
        visible = rgba[..., 3] > 0
        if visible.sum() < MIN_VISIBLE_PX:
            continue
        rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
        crop = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        write_file(file, encode_png(crop, compress_level=1))


def _fitted(parts: list[Part]) -> list[Part]:
    """Parts moved and scaled together into the sphere of the world frame."""
    from dataclasses import replace

    vertices = np.concatenate([(p.mesh if isinstance(p, TexturedMesh) else p).vertices for p in parts])
    centre = (vertices.min(0) + vertices.max(0)) / 2
    scale = OBJECT_RADIUS / max(float(np.linalg.norm(vertices - centre, axis=1).max()), 1e-9)
    return [
        replace(p, mesh=p.mesh.with_vertices((p.mesh.vertices - centre) * scale))
        if isinstance(p, TexturedMesh)
        else p.with_vertices((p.vertices - centre) * scale)
        for p in parts
    ]


def _lit(view: View, rng: np.random.Generator) -> np.ndarray:
    """Colours (H, W, 3), sRGB, of an unlit view under random lights: ambient, one to three lamps, some gloss."""
    normal = view.normal  # view space: y up, z to the viewer
    light = rng.uniform(0.25, 0.95) * (1 + rng.uniform(0, 0.4) * normal[..., 1:2])
    gloss = np.zeros_like(light)
    for _ in range(rng.integers(1, 4)):
        direction = rng.normal(size=3) + np.array([0, 0.5, 0.5])
        direction /= np.linalg.norm(direction)
        power = rng.uniform(0.2, 1.0)
        lambert = np.clip(normal @ direction, 0, None)[..., None]
        light = light + power * lambert * (1 + rng.normal(0, 0.08, 3))
        if rng.random() < 0.4:
            half = direction + np.array([0, 0, 1])
            facing = np.clip(normal @ (half / np.linalg.norm(half)), 0, None)[..., None]
            gloss = gloss + rng.uniform(0.05, 0.5) * power * facing ** rng.choice([10, 40, 150])
    # At the outline a pixel has alpha but its centre may see no normal: it takes what ambient light gives.
    return linear_to_srgb(np.clip(srgb_to_linear(view.rgb) * light / rng.uniform(1, 1.6) + gloss, 0, 1))
