"""Small meshes and environment maps to render."""

from pathlib import Path

import numpy as np


def write_hdr(path: Path, panorama: np.ndarray) -> None:
    """A Radiance picture in the run-length layout, without any run."""
    mantissa, exponent = np.frexp(panorama.max(-1))
    scale = np.where(panorama.max(-1) > 0, mantissa * 256 / np.maximum(panorama.max(-1), 1e-30), 0)
    rgbe = np.dstack([panorama * scale[..., None], exponent + 128]).astype(np.uint8)
    height, width = panorama.shape[:2]
    data = [b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (height, width)]
    for row in rgbe:
        data.append(bytes([2, 2, width >> 8, width & 255]))
        for channel in row.T:
            for first in range(0, width, 128):
                piece = channel[first : first + 128].tobytes()
                data.append(bytes([len(piece)]) + piece)
    path.write_bytes(b"".join(data))


def write_lights(folder: Path) -> Path:
    """Two maps: a bright sky with a sun, and a room."""
    folder.mkdir(parents=True, exist_ok=True)
    sky = np.full((16, 32, 3), 0.2)
    sky[:8] = (0.6, 0.8, 1.0)
    sky[3, 9] = 60
    write_hdr(folder / "sky.hdr", sky)
    write_hdr(folder / "room.hdr", np.random.default_rng(0).gamma(1.0, size=(16, 32, 3)))
    return folder


def write_meshes(folder: Path, count: int = 3) -> Path:
    """Little towers of coloured boxes, each different."""
    import trimesh

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        scene = trimesh.Scene()
        for level in range(3):
            box = trimesh.creation.box(rng.uniform(0.2, 0.6, 3))
            box.apply_translation([*rng.uniform(-0.2, 0.2, 2), 0.4 * level])
            box.visual.vertex_colors = [*rng.integers(40, 256, 3), 255]
            scene.add_geometry(box)
        scene.export(folder / f"tower_{number}.glb")
    return folder
