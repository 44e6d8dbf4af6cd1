"""Labelled grids of pictures, for documentation and for looking at results side by side."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.files import write_file
from zero123pp.images import over, to_uint8

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_PAPER, _INK = 255, 40
_CHECKER = (0.78, 0.88)
"""The two sRGB grays behind transparent pixels."""
_CHECKER_PX = 8


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray | None]],
    *,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
    tile_px: int = 128,
    gap_px: int = 2,
    background: float | None = None,
) -> np.ndarray:
    """A grid of square tiles on white.

    Args:
        rows: Pictures (H, W, 3) or (H, W, 4), uint8 or floats in [0, 1], straight alpha, sRGB; each is fitted into its
            tile. None leaves a tile empty. Rows may have different lengths.
        row_labels: One text to the left of each row, or none at all.
        column_labels: One text above each column, or none at all.
        captions: One text under each tile, row by row, or none at all. A text may run on below the tiles that follow
            while their captions are empty; what is too long is cut.
        tile_px: Side of a tile, px.
        gap_px: Between tiles, px.
        background: sRGB gray in [0, 1] behind transparent pixels; None puts a checkerboard there.

    Returns:
        (H, W, 3) uint8.

    Raises:
        BadInput: No pictures, or labels that do not match the grid.
    """
    columns = _columns(rows, row_labels, column_labels, captions)
    font = _font(tile_px)
    line_px = _text_size("Ag", font)[1] + 4
    left = max((_text_size(text, font)[0] + 6 for text in row_labels), default=0)
    top, under = (line_px if column_labels else 0), (line_px if captions else 0)
    step_x, step_y = tile_px + gap_px, tile_px + under + gap_px
    sheet = np.full((top + len(rows) * step_y - gap_px, left + columns * step_x - gap_px, 3), _PAPER, np.uint8)
    texts = [((left + c * step_x, 0), text) for c, text in enumerate(column_labels)]
    texts += [((0, top + r * step_y + (tile_px - line_px) // 2), text) for r, text in enumerate(row_labels)]
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            x, y = left + c * step_x, top + r * step_y
            if picture is not None:
                sheet[y : y + tile_px, x : x + tile_px] = _tile(picture, tile_px, background)
            if captions:
                free = next((i for i in range(c + 1, len(row)) if captions[r][i]), len(row)) - c
                texts.append(((x, y + tile_px), _shortened(captions[r][c], font, free * step_x - 2 * gap_px)))
    return _written(sheet, texts, font)


def _columns(
    rows: Sequence[Sequence[np.ndarray | None]],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    captions: Sequence[Sequence[str]],
) -> int:
    """Length of the longest row; BadInput unless the labels match the grid."""
    columns = max((len(row) for row in rows), default=0)
    if not columns:
        raise BadInput("a contact sheet needs at least one picture, got none")
    for name, labels, wanted in (("row", row_labels, len(rows)), ("column", column_labels, columns)):
        if labels and len(labels) != wanted:
            raise BadInput(f"{len(labels)} {name} labels for {wanted} {name}s; give one each or none")
    if captions and [len(texts) for texts in captions] != [len(row) for row in rows]:
        raise BadInput("captions do not match the rows of pictures; give one text for each tile or none at all")
    return columns


def save_contact_sheet(path: str | Path, sheet: np.ndarray) -> None:
    """Write a sheet as PNG, with a palette of 256 colours: a quarter of the size, and good enough to look at."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(sheet).quantize(256, dither=Image.Dither.NONE).save(data, "PNG", optimize=True)
    write_file(path, data.getvalue())


def _tile(picture: np.ndarray, tile_px: int, background: float | None) -> np.ndarray:
    """``picture`` scaled to fit (tile_px, tile_px, 3) uint8, centred, over its background."""
    from PIL import Image

    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or 0 in picture.shape:
        raise BadInput(f"a picture of a contact sheet has shape {picture.shape}; expected (H, W, 3) or (H, W, 4)")
    pixels = picture if picture.dtype == np.uint8 else to_uint8(picture)
    scale = tile_px / max(pixels.shape[:2])
    width, height = (max(1, round(side * scale)) for side in (pixels.shape[1], pixels.shape[0]))
    # Pillow premultiplies RGBA while it resamples, so colours of invisible pixels do not bleed in.
    small = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)) / 255
    gray = _checkerboard(tile_px) if background is None else np.full((tile_px, tile_px), background)
    canvas = np.repeat(gray[..., None], 3, axis=-1)
    y, x = (tile_px - height) // 2, (tile_px - width) // 2
    behind = canvas[y : y + height, x : x + width]
    alpha = small[..., 3] if small.shape[2] == 4 else np.ones(small.shape[:2])
    canvas[y : y + height, x : x + width] = over(small[..., :3], alpha, behind)
    return to_uint8(canvas)


def _checkerboard(side: int) -> np.ndarray:
    odd = (np.indices((side, side)) // _CHECKER_PX).sum(axis=0) % 2
    return np.where(odd, _CHECKER[1], _CHECKER[0])


def _font(tile_px: int) -> "FreeTypeFont":
    from PIL import ImageFont

    return ImageFont.load_default(size=max(9, min(14, tile_px // 9)))


def _text_size(text: str, font: "FreeTypeFont") -> tuple[int, int]:
    left, top, right, bottom = font.getbbox(text)
    return int(np.ceil(right - min(left, 0))), int(np.ceil(bottom - min(top, 0)))


def _shortened(text: str, font: "FreeTypeFont", width: int) -> str:
    """``text``, cut at its end with an ellipsis if it is wider than ``width`` px."""
    if _text_size(text, font)[0] <= width:
        return text
    while text and _text_size(text + "…", font)[0] > width:
        text = text[:-1]
    return text + "…"


def _written(sheet: np.ndarray, texts: list[tuple[tuple[int, int], str]], font: "FreeTypeFont") -> np.ndarray:
    from PIL import Image, ImageDraw

    image = Image.fromarray(sheet)
    draw = ImageDraw.Draw(image)
    for (x, y), text in texts:
        draw.text((x + 1, y + 1), text, fill=(_INK,) * 3, font=font)
    return np.asarray(image)
