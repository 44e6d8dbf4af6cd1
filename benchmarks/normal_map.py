"""What a normal map gives back of the shading that fewer triangles lose.

    python benchmarks/normal_map.py --meshes FOLDER [--count 8] [--faces 10000] [--fewer 2000]

Objects evenly spread over the folder are made into closed surfaces like those of a fit, simplified to ``--faces``,
unwrapped, and exported once more with ``--fewer`` triangles, without and with a normal map. The error is the angle
between the shaded normals of the exported file, read back, and those of what it was made from, in degrees, over all
pixels that both cover, from six sides at 512 px. The last columns are the same for a mesh that is simplified to
``--fewer`` at once, against the whole surface. Seconds are those of the processor for baking one map.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from unwrap import CELLS

from zero123pp.cameras import orbit_camera
from zero123pp.pipelines.inputs.objects import find_meshes
from zero123pp.recon.export import export
from zero123pp.recon.field import Field
from zero123pp.recon.load import load_parts
from zero123pp.recon.meshing import CleanConfig, clean, extract, geometry, load_normalised, smooth_normals
from zero123pp.recon.metrics import grid_winding_numbers
from zero123pp.recon.render import render
from zero123pp.recon.texturing import TextureConfig, texture, with_normal_map, with_tangents
from zero123pp.types import Mesh, TexturedMesh, View

CAMERAS = [
    orbit_camera(azimuth, elevation, 1.9, 33, 512)
    for azimuth, elevation in ((0, 0), (90, 0), (180, 0), (270, 0), (0, 89.9), (0, -89.9))
]
COLUMNS = ("without", "with", "ratio", "from all: without", "with", "ratio", "seconds")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--meshes", required=True, type=Path)
    parser.add_argument("--count", type=int, default=8, help="objects (default: 8)")
    parser.add_argument("--faces", type=int, default=10000, help="of each (default: 10000)")
    parser.add_argument("--fewer", type=int, default=2000, help="of what is exported (default: 2000)")
    args = parser.parse_args()
    files = find_meshes(args.meshes)
    files = [files[i] for i in np.linspace(0, len(files) - 1, min(args.count, len(files))).astype(int)]
    rows = []
    print("| object | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for file in files:
        rows.append(measured(closed(file), args.faces, args.fewer))
        print(row(file.stem, rows[-1]), flush=True)
    print(row("mean", np.mean(rows, axis=0)))


def row(name: str, values: np.ndarray) -> str:
    """One line of the table."""
    return f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |"


def closed(file: Path) -> Mesh:
    """A closed surface, smoothed by a cell."""
    from scipy.ndimage import gaussian_filter

    winding = np.abs(grid_winding_numbers(geometry(load_normalised(file)), CELLS, 0.5))
    inside = gaussian_filter(np.clip(winding, 0, 1).astype(np.float32), 1.0)
    return extract(Field(0.5 - inside, np.full((*inside.shape, 3), 0.5, np.float32), 0.5))


def measured(fine: Mesh, faces: int, fewer: int) -> list[float]:
    """Degrees and seconds of one object, see the head of this file."""
    source, direct = unwrapped(fine, faces), unwrapped(fine, fewer)
    with tempfile.TemporaryDirectory() as folder:
        bare, mapped = Path(folder, "bare.glb"), Path(folder, "mapped.glb")
        export(source, bare, faces=fewer)
        export(source, mapped, faces=fewer, normal_map=True)
        without = error(smooth(load_parts(bare)[0]), source)
        with_map = error(with_tangents(load_parts(mapped, normal_maps=True)[0]), source)
    with_normal_map(direct, fine, 64)  # compiled
    start = time.process_time()
    baked = with_normal_map(direct, fine, 1024)
    seconds = time.process_time() - start
    whole = TexturedMesh(fine, np.zeros((len(fine.vertices), 2)), direct.base_color, smooth_normals(fine))
    at_once = [error(direct, whole), error(baked, whole)]
    return [without, with_map, with_map / without, *at_once, at_once[1] / at_once[0], seconds]


def unwrapped(fine: Mesh, faces: int) -> TexturedMesh:
    """The surface simplified, with an atlas and no colours."""
    blank = View(np.zeros((8, 8, 3)), np.zeros((8, 8)), orbit_camera(0, 0, 2, 30, 8))
    return texture(clean(fine, CleanConfig(faces=faces))[0], [blank], TextureConfig())[0]


def smooth(part: TexturedMesh) -> TexturedMesh:
    """With smooth normals."""
    return TexturedMesh(part.mesh, part.uvs, part.base_color, smooth_normals(part.mesh))


def error(one: TexturedMesh, other: TexturedMesh) -> float:
    """Mean angle between shaded normals, degrees."""
    angles = []
    for camera in CAMERAS:
        a, b = render(one, camera, supersample=1), render(other, camera, supersample=1)
        both = (a.depth > 0) & (b.depth > 0)
        angles.append(np.degrees(np.arccos(np.clip((a.normal[both] * b.normal[both]).sum(-1), -1, 1))))
    return float(np.concatenate(angles).mean())


if __name__ == "__main__":
    main()
