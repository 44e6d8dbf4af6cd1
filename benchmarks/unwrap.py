"""Our UV unwrapper against xatlas on the same meshes in one run.

    python benchmarks/unwrap.py --meshes FOLDER [--count 20] [--faces 10000] [--large-count 3 --large-faces 50000]

Objects evenly spread over the folder are made into closed surfaces like those of a fit (marching cubes of the
generalised winding number, smoothed by two cells) and cleaned to the number of faces. Each unwrapping runs in a process
of its own, so that a crash is a row and not the end. Writes benchmarks/results/unwrap.md.

Columns, after Sander et al. 2001 ("Texture mapping progressive meshes", section 3): with the singular values G >= g of
the map from the atlas to the surface, L2 is the root of the area-weighted mean of (G^2 + g^2) / 2 and Linf the largest
G, both times the root of atlas area over surface area, so that 1 is the least possible. Angles: area-weighted mean of
G / g. Areas: area-weighted mean of the ratio of a face's share of the atlas to its share of the surface, or of its
inverse where that is above 1. Fill: share of the square texture inside charts. Flat: faces without area in the atlas
that have one on the surface; they are left out of the stretch. Overlaps: faces that cover a texel centre of another, in
a texture of four times the side. Seconds are those of the processor.
"""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from zero123pp.errors import Zero123ppError
from zero123pp.pipelines.evaluation.report import machine
from zero123pp.pipelines.inputs.objects import find_meshes
from zero123pp.recon.meshing.clean import CleanConfig, clean
from zero123pp.recon.meshing.parts import geometry, load_normalised
from zero123pp.types import Mesh

SIZE, PADDING = 1024, 4
CELLS = 128
COLUMNS = {
    "seconds": "{:.2f}", "charts": "{:.0f}", "fill": "{:.3f}", "L2": "{:.3f}", "Linf": "{:.2f}", "angles": "{:.3f}",
    "areas": "{:.3f}", "flat": "{:.0f}", "overlaps": "{:.0f}",
}  # fmt: skip

Atlas = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Index of the vertex before unwrapping (Nv,), faces (F, 3), texel coordinates (Nv, 2) in a square of `SIZE`."""


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--meshes", required=True, type=Path)
    parser.add_argument("--count", type=int, default=20, help="objects (default: 20)")
    parser.add_argument("--faces", type=int, default=10000, help="of each (default: 10000)")
    parser.add_argument("--large-count", type=int, default=3, help="of them again with more faces (default: 3)")
    parser.add_argument("--large-faces", type=int, default=50000, help="of each of those (default: 50000)")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results" / "unwrap.md")
    args = parser.parse_args()
    files = find_meshes(args.meshes)
    files = [files[i] for i in np.linspace(0, len(files) - 1, min(args.count, len(files))).astype(int)]
    rows = []
    for faces, chosen in ((args.faces, files), (args.large_faces, files[: args.large_count])):
        for path in chosen:
            try:
                mesh, _ = clean(closed(path), CleanConfig(faces=faces))
            except Zero123ppError as error:
                sys.stderr.write(f"{path.stem} left out: {error}\n")
                continue
            for method in METHODS:
                rows.append((faces, path.stem, len(mesh.faces), method, in_a_process(method, mesh)))
                sys.stderr.write(f"{rows[-1]}\n")
    args.out.write_text("\n".join(page(rows, args)) + "\n")


def closed(path: Path) -> Mesh:
    """A closed surface round what is inside an object, as a fit gives one."""
    from scipy.ndimage import gaussian_filter
    from skimage.measure import marching_cubes

    from zero123pp.recon.metrics.winding import grid_winding_numbers

    inside = np.abs(grid_winding_numbers(geometry(load_normalised(path)), CELLS, 0.6)) > 0.5
    soft = gaussian_filter(inside.astype(np.float32), 2)
    if not soft.max() > 0.5:
        raise Zero123ppError("it encloses nothing that survives smoothing")
    vertices, faces, _, _ = marching_cubes(soft, 0.5)
    return Mesh((vertices + 0.5) * (1.2 / CELLS) - 0.6, faces[:, ::-1])


def ours(mesh: Mesh) -> Atlas:
    """`zero123pp.recon.texturing.unwrap`."""
    from zero123pp.recon.texturing.unwrap import unwrap

    atlas = unwrap(mesh, SIZE, PADDING)
    return atlas.vertex, atlas.faces, (atlas.uvs * [1, -1] + [0, 1]) * SIZE


def xatlas(mesh: Mesh) -> Atlas:
    """The package xatlas with its defaults, at our size and padding; its page is fitted into the square."""
    import xatlas as library

    atlas, pack = library.Atlas(), library.PackOptions()
    pack.resolution, pack.padding = SIZE, PADDING
    atlas.add_mesh(mesh.vertices, mesh.faces.astype(np.uint32))
    atlas.generate(library.ChartOptions(), pack)
    if atlas.atlas_count != 1:
        raise Zero123ppError(f"{atlas.atlas_count} pages")
    vertex, faces, uvs = atlas.get_mesh(0)
    page = np.array([atlas.width, atlas.height])
    return vertex, faces, uvs.astype(np.float64) * page / page.max() * SIZE


METHODS: dict[str, Callable[[Mesh], Atlas]] = {"ours": ours, "xatlas": xatlas}


def in_a_process(method: str, mesh: Mesh) -> dict[str, float] | str:
    """`measured` in a process of its own; words where it failed."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(method, mesh, sending))
    child.start()
    sending.close()
    try:
        return receiving.recv()
    except EOFError:
        child.join()
        return f"the process ended with {child.exitcode}"
    finally:
        child.join()


def _child(method: str, mesh: Mesh, sending: object) -> None:
    try:
        METHODS[method](Mesh(*_tetrahedron()))  # imports and compiled kernels
        sending.send(measured(METHODS[method], mesh))
    except Exception as error:  # any failure is a result here
        sending.send(f"{type(error).__name__}: {error}")


def _tetrahedron() -> tuple[np.ndarray, np.ndarray]:
    return np.eye(4, 3), np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


def measured(method: Callable[[Mesh], Atlas], mesh: Mesh) -> dict[str, float]:
    """The columns of one unwrapping."""
    begun = time.process_time()
    vertex, faces, texels = method(mesh)
    seconds = time.process_time() - begun
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    from zero123pp.recon.ops.raster import rasterize_uv
    from zero123pp.recon.texturing.atlas_kernels import folded

    ends = faces.reshape(-1), faces[:, [1, 2, 0]].reshape(-1)
    charts = connected_components(coo_array((np.ones(faces.size), ends), (len(vertex),) * 2), directed=False)[0]
    covered = rasterize_uv(texels / SIZE, faces, SIZE, SIZE).covered
    overlaps = folded(texels * 4.0, faces.astype(np.int32), 4 * SIZE).sum()
    corners = mesh.vertices[vertex].astype(np.float64)[faces]
    found = {"seconds": seconds, "charts": int(charts), "fill": float(covered.mean()), "overlaps": int(overlaps)}
    return found | stretch(corners, texels[faces])


def stretch(corners: np.ndarray, texels: np.ndarray) -> dict[str, float]:
    """Stretch of the map from the atlas to the surface.

    Args:
        corners: (F, 3, 3) positions of the faces' corners.
        texels: (F, 3, 2) their places in the atlas, of either orientation.
    """
    edges = corners[:, 1:] - corners[:, :1]  # (F, 2, 3)
    flat = texels[:, 1:] - texels[:, :1]  # (F, 2, 2)
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1) / 2
    place = np.abs(np.linalg.det(flat)) / 2
    has_area = area > 1e-12 * area.sum()
    lost = has_area & ~(place > 1e-9)
    kept = has_area & ~lost
    jacobian = np.linalg.solve(flat[kept], edges[kept])  # (F, 2, 3): rows are the derivatives along u and v
    values = np.linalg.svd(jacobian, compute_uv=False)  # (F, 2)
    area, place = area[kept], place[kept]
    largest, least = values.T
    unit = np.sqrt(place.sum() / area.sum())
    weight = area / area.sum()
    share = place / place.sum() / weight
    return {
        "L2": float(np.sqrt((weight * (values**2).mean(1)).sum()) * unit),
        "Linf": float(largest.max() * unit),
        "angles": float((weight * largest / least).sum()),
        "areas": float((weight * np.maximum(share, 1 / share)).sum()),
        "flat": int(lost.sum()),
    }


def page(rows: list[tuple], args: argparse.Namespace) -> list[str]:
    """The lines of the page: medians of each method and size, then every row."""
    lines = [
        "# UV unwrapping: ours and xatlas\n",
        f"`python benchmarks/unwrap.py --meshes FOLDER --count {args.count} --faces {args.faces} --large-count "
        f"{args.large_count} --large-faces {args.large_faces}` on {machine()}\n",
        f"Texture of {SIZE} x {SIZE}, {PADDING} texels between charts. Medians; flat faces, overlaps and failures are "
        "sums. The script says what the columns mean.\n",
        "| faces | meshes | method | " + " | ".join(COLUMNS) + " | failures |",
        "|" + "---|" * (4 + len(COLUMNS)),
    ]
    for faces in dict.fromkeys(row[0] for row in rows):
        for method in METHODS:
            found = [row[-1] for row in rows if row[0] == faces and row[3] == method]
            worked = [each for each in found if not isinstance(each, str)]
            join = {name: np.sum if name in ("flat", "overlaps") else np.median for name in COLUMNS}
            values = {name: join[name]([each[name] for each in worked]) for name in COLUMNS} if worked else {}
            lines.append(f"| {faces} | {len(found)} | {method} | {_cells(values)} | {len(found) - len(worked)} |")
    lines += ["", "| object | faces | method | " + " | ".join(COLUMNS) + " |", "|" + "---|" * (3 + len(COLUMNS))]
    lines += [
        f"| {name} | {faces} | {method} | {_cells(found) if not isinstance(found, str) else found} |"
        for _, name, faces, method, found in rows
    ]
    return lines


def _cells(values: dict[str, float]) -> str:
    return " | ".join(form.format(values[name]) if values else "" for name, form in COLUMNS.items())


if __name__ == "__main__":
    main()
