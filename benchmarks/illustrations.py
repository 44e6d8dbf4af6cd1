"""Ten drawn pictures to look at what a source makes of drawings: flat colours, two tones of shade, ink outlines.

    python benchmarks/illustrations.py --out FOLDER
    python run.py eval pictures --images FOLDER --out RESULTS --name illustrations

Six show objects of the generator (`zero123pp.render.procedural`) as a cartoonist would; four are drawn with a pen, of
things that no mesh stands behind. Each is a PNG of 640 px with transparency, the same bytes every time.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image, ImageDraw

from zero123pp.cameras import orbit_camera
from zero123pp.files import make_folder, write_file
from zero123pp.images import encode_png
from zero123pp.recon.meshing import face_normals, normalise
from zero123pp.recon.ops.raster import rasterize
from zero123pp.render.procedural import Made, object_of
from zero123pp.types import Mesh

SIZE_PX = 640
FINER = 2
"""Pixels drawn for each pixel and side."""

SEEN = {"vessel": 12, "furniture": 4, "creature": 8, "plant": 6, "tool": 5, "block": 9}
"""Kind of object to its seed."""

AZIMUTH_DEG, ELEVATION_DEG = 32.0, 18.0
LIGHT = np.array([-0.4, 0.75, 0.53])
SHADE, LIT = 0.68, 0.35
"""Brightness of the shaded tone, and the cosine to the light above which a surface is in the bright one."""

CREASE, JUMP = 0.55, 0.04
"""Cosine between neighbouring pixels' normals below which, and difference of depth above which, there is a line."""

INK = (38, 30, 40)


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="folder of the pictures")
    folder = make_folder(parser.parse_args().out)
    for name, picture in illustrations().items():
        write_file(folder / f"{name}.png", encode_png(picture))


def illustrations() -> dict[str, np.ndarray]:
    """Name to picture (SIZE_PX, SIZE_PX, 4) uint8."""
    drawn = {kind: cartoon(object_of(kind, np.random.default_rng(seed))) for kind, seed in SEEN.items()}
    return drawn | {draw.__name__: _with_pen(draw) for draw in (mushroom, rocket, fish, robot)}


def cartoon(made: Made) -> np.ndarray:
    """An object in two tones with ink where depth or direction jumps, (SIZE_PX, SIZE_PX, 4) uint8."""
    (mesh,) = normalise([Mesh(made.vertices.astype(np.float32), made.faces.astype(np.int32))])
    camera = orbit_camera(AZIMUTH_DEG, ELEVATION_DEG, 2.0, 30, FINER * SIZE_PX)
    seen = rasterize(mesh.vertices, mesh.faces, camera)
    covered, face = seen.covered, seen.face[seen.covered]
    normals = np.zeros((*covered.shape, 3))
    normals[covered] = face_normals(mesh.vertices, mesh.faces)[face]
    colors = np.zeros((*covered.shape, 3))
    colors[covered] = made.paint(face, seen.barycentric[covered], None)
    tone = np.where((normals * LIGHT / np.linalg.norm(LIGHT)).sum(-1) > LIT, 1.0, SHADE)
    depth = np.where(covered, seen.depth, 9.0)
    ink = np.zeros(covered.shape, bool)
    for axis in (0, 1):
        turned = (normals * np.roll(normals, 1, axis)).sum(-1) < CREASE
        jumps = np.abs(depth - np.roll(depth, 1, axis)) > JUMP
        ink |= (turned & covered & np.roll(covered, 1, axis)) | jumps
    from scipy.ndimage import binary_dilation

    ink = binary_dilation(ink, iterations=2)
    picture = np.where(ink[..., None], INK, colors * tone[..., None])
    rgba = np.dstack([picture, 255.0 * (covered | ink)]).clip(0, 255).astype(np.uint8)
    return _smaller(Image.fromarray(rgba))


def _with_pen(draw) -> np.ndarray:
    image = Image.new("RGBA", (FINER * SIZE_PX,) * 2)
    pen = ImageDraw.Draw(image)
    pen.fontmode = "L"
    draw(_Pen(pen))
    return _smaller(image)


def _smaller(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS))


class _Pen:
    """Shapes in per cent of the picture, filled and outlined with ink."""

    def __init__(self, pen: ImageDraw.ImageDraw) -> None:
        self._pen, self._unit = pen, FINER * SIZE_PX / 100

    def oval(self, x: float, y: float, wide: float, high: float, color: tuple, line: float = 1.0) -> None:
        """An ellipse about (x, y) with these half axes."""
        box = [(x - wide) * self._unit, (y - high) * self._unit, (x + wide) * self._unit, (y + high) * self._unit]
        self._pen.ellipse(box, fill=color, outline=INK, width=round(line * self._unit))

    def shape(self, points: list[tuple[float, float]], color: tuple, line: float = 1.0) -> None:
        """A polygon."""
        scaled = [(x * self._unit, y * self._unit) for x, y in points]
        self._pen.polygon(scaled, fill=color)
        self._pen.line([*scaled, *scaled[:2]], fill=INK, width=round(line * self._unit), joint="curve")


def mushroom(pen: _Pen) -> None:
    """A red cap on a stem."""
    pen.shape([(40, 48), (38, 84), (44, 90), (57, 90), (62, 84), (60, 48)], (245, 232, 205))
    pen.shape([(57, 50), (58, 86), (62, 84), (60, 48)], (214, 196, 168), 0.4)
    angles = np.linspace(np.pi, 2 * np.pi, 40)
    cap = [(50 + 36 * np.cos(a), 52 + 38 * np.sin(a)) for a in angles] + [(70, 57), (50, 60), (30, 57)]
    pen.shape(cap, (214, 52, 48))
    for x, y, r in ((38, 34, 6), (56, 26, 5), (66, 42, 6), (28, 46, 4), (48, 46, 5)):
        pen.oval(x, y, r, 0.8 * r, (252, 240, 228), 0.6)


def rocket(pen: _Pen) -> None:
    """Three fins and a porthole."""
    pen.shape([(36, 60), (22, 84), (38, 78)], (226, 72, 60))
    pen.shape([(64, 60), (78, 84), (62, 78)], (226, 72, 60))
    body = [(50 + 15 * np.sin(t) ** 0.8, 8 + 74 * t / np.pi) for t in np.linspace(0.02, 2.6, 30)]
    pen.shape(body + [(100 - x, y) for x, y in body[::-1]], (232, 236, 240))
    pen.shape([(x, y) for x, y in body if y < 26] + [(100 - x, y) for x, y in body[::-1] if y < 26], (226, 72, 60))
    pen.oval(50, 40, 7, 7, (90, 170, 220))
    pen.shape([(47, 62), (47, 84), (53, 84), (53, 62)], (200, 58, 48))


def fish(pen: _Pen) -> None:
    """From the side."""
    pen.shape([(72, 50), (92, 32), (88, 50), (92, 68)], (240, 150, 40))
    pen.shape([(38, 30), (52, 16), (62, 32)], (240, 150, 40))
    pen.shape([(46, 70), (56, 82), (60, 66)], (240, 150, 40))
    pen.oval(44, 50, 34, 22, (250, 180, 60))
    for x in (38, 52, 64):
        pen.shape([(x, 33), (x + 5, 35), (x + 5, 65), (x, 67)], (250, 244, 236), 0.5)
    pen.oval(22, 44, 4.5, 4.5, (255, 255, 255), 0.7)
    pen.oval(21, 44, 1.6, 1.8, INK, 0.2)


def robot(pen: _Pen) -> None:
    """Boxes in a row, seen a little from the right."""
    pen.shape([(49, 4), (51, 4), (51, 14), (49, 14)], (120, 130, 140), 0.5)
    pen.oval(50, 5, 2.6, 2.6, (230, 70, 60), 0.6)
    for x in (24, 70):
        pen.shape([(x, 44), (x + 7, 44), (x + 7, 68), (x, 68)], (150, 165, 180))
    for x in (37, 53):
        pen.shape([(x, 76), (x + 10, 76), (x + 10, 94), (x, 94)], (110, 125, 142))
    pen.shape([(32, 42), (64, 42), (64, 78), (32, 78)], (96, 170, 180))
    pen.shape([(64, 42), (69, 39), (69, 74), (64, 78)], (66, 128, 138), 0.8)
    pen.shape([(34, 14), (62, 14), (62, 38), (34, 38)], (170, 190, 200))
    pen.shape([(62, 14), (67, 11), (67, 34), (62, 38)], (122, 140, 152), 0.8)
    for x in (42, 54):
        pen.oval(x, 24, 4, 4, (255, 226, 90), 0.7)
    pen.shape([(42, 32), (54, 32), (54, 34), (42, 34)], (60, 70, 80), 0.4)
    pen.oval(48, 56, 6, 6, (240, 110, 90), 0.7)


if __name__ == "__main__":
    main()
