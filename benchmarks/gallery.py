"""The pictures of docs/gallery.md and docs/how_it_works.md: `python benchmarks/gallery.py --out docs`.

The README's toy and the ten drawings of `illustrations.py` go through `preview` as any picture does; none is left out.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from illustrations import illustrations
from PIL import Image

from zero123pp import ImageTo3D
from zero123pp.files import whole_file

TOY = Path(__file__).resolve().parent.parent / "docs" / "toy.png"
TILE_PX, STAGE_PX = 224, 320


def main() -> None:
    """Write gallery.webp and stages.webp."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="docs", metavar="DIR", help="folder of the two pictures (default: docs)")
    out = Path(parser.parse_args().out)
    pipe = ImageTo3D.from_pretrained("preview")
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        rows = []
        for name, picture in {"toy": np.asarray(Image.open(TOY)), **illustrations()}.items():
            asset = pipe(picture)
            asset.preview(folder / "sides.png")
            rows.append(np.concatenate([_tile(picture), _sides(Image.open(folder / "sides.png"))], 1))
            sys.stdout.write(f"{name}: {asset.report['seconds']}\n")
            if name == "toy":
                asset.save_stages(folder / "stages")
                _keep(_strip(folder / "stages"), out / "stages.webp")
        _keep(np.concatenate(rows), out / "gallery.webp")


def _tile(pixels: np.ndarray) -> np.ndarray:
    """(224, 224, 3): on the gray of the other pictures."""
    picture = Image.fromarray(pixels).convert("RGBA").resize((TILE_PX, TILE_PX), Image.LANCZOS)
    return np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, (240, 240, 240, 255)), picture))[..., :3]


def _sides(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB").resize((4 * TILE_PX, TILE_PX), Image.LANCZOS))


def _strip(folder: Path) -> np.ndarray:
    """Cutout, views, normals and what of the texture was seen, side by side."""
    shown = []
    for name in ("cutout.png", "views.png", "normals.png", "confidence.png"):
        picture = Image.open(folder / name).convert("RGBA")
        size = (round(STAGE_PX * picture.width / picture.height), STAGE_PX)
        white = Image.new("RGBA", size, (255, 255, 255, 255))
        shown.append(np.asarray(Image.alpha_composite(white, picture.resize(size, Image.LANCZOS)))[..., :3])
        shown.append(np.full((STAGE_PX, 16, 3), 255, np.uint8))
    return np.concatenate(shown[:-1], 1)


def _keep(pixels: np.ndarray, path: Path) -> None:
    with whole_file(path) as temporary:
        Image.fromarray(pixels).save(temporary, "webp", quality=85, method=6)


if __name__ == "__main__":
    main()
