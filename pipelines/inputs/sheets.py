"""Sheets of six tiles to posed views: alpha (given, or keyed from a plain background) and view-space normals."""

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.images import to_float, untile_sheet
from zero123pp.machine import in_threads
from zero123pp.pipelines.cutout import opacity
from zero123pp.pipelines.inputs.tile_lines import without_lines
from zero123pp.rigs import get_rig
from zero123pp.types import MultiView, View

MIN_TILE_PX = 32
_NOISE_FLOOR = 4 / 255
"""Colour differences below this are taken for compression and decoder noise, however calm the border is."""
_CLEAR_DIFFERENCE = 0.15
"""Colour differences above this are object for certain; weaker ones only in patches wider than ringing."""
_LIKELY_DIFFERENCE = 0.045
"""Colour differences above this are object where they touch certain object: decoders ring by less."""
_RINGING_PX = 3
"""Half the width of compression and decoder ringing along edges, px of a 320 px tile."""
_EDGE_PX = 3
"""Half the width of the band round the silhouette in which alpha is estimated per pixel."""
_MIN_HOLE_PX = 24
"""Background seen through the object (a handle) has to be at least this large to be told from a highlight."""


def views_from_sheet(
    sheet: np.ndarray,
    rig: str,
    *,
    normals: np.ndarray | None = None,
    source: str = "sheet",
    alpha_by: str = "background",
) -> MultiView:
    """The six posed views of a Zero123++ sheet.

    Args:
        sheet: (3 S, 2 S, 3 or 4) uint8; alpha is used where given, and taken for opaque where it is see-through all
            over; else it is keyed from the plain background.
        rig: name of the rig that made the sheet.
        normals: (3 S, 2 S, 3 or 4) uint8 sheet of view-space normals of the same views, n = 2 px / 255 - 1.
        source: name for reports.
        alpha_by: where a sheet has no alpha, "background" keys its plain background, and "rembg" asks rembg's network,
            which also finds an object of the background's own colour.

    Raises:
        BadInput: unknown rig, sides that are not 3:2, tiles too small, a normal sheet of another size.
        MissingBackend: rembg or its model is not here.
    """
    tiles = without_lines(to_float(untile_sheet(sheet)))
    size = tiles.shape[1]
    cameras = get_rig(rig).cameras(size)
    if size < MIN_TILE_PX:
        raise BadInput(f"sheet has tiles of {size} px; expected at least {MIN_TILE_PX} px")
    if normals is not None and normals.shape[:2] != sheet.shape[:2]:
        raise BadInput(
            f"normal sheet is {normals.shape[1]}x{normals.shape[0]} px but the sheet is "
            f"{sheet.shape[1]}x{sheet.shape[0]} px; expected the same size"
        )
    if tiles.shape[-1] == 4:
        rgb, alpha = tiles[..., :3], np.minimum(tiles[..., 3] / np.float32(opacity(tiles[..., 3])), 1)
    elif alpha_by == "rembg":
        rgb, alpha = tiles, _by_network(untile_sheet(sheet))
    else:
        rgb, alpha = key_background(tiles)
    if alpha.max() < 0.5:
        raise BadInput("sheet shows no object: every pixel is background; expected six views of one object")
    view_normals = [None] * len(tiles) if normals is None else _decode_normals(normals, alpha)
    views = tuple(View(*each[:3], normal=each[3]) for each in zip(rgb, alpha, cameras, view_normals))
    return MultiView(views, source=source, rig=rig, sheet=np.asarray(sheet, np.uint8))


def _by_network(tiles: np.ndarray) -> np.ndarray:
    """Alpha (V, S, S) float32 of tiles (V, S, S, 3) uint8 by rembg."""
    from zero123pp.pipelines.cutout import CutoutConfig, rembg_alpha

    return np.stack([rembg_alpha(np.ascontiguousarray(tile), CutoutConfig())[0] for tile in tiles]).astype(np.float32)


def key_background(tiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Straight colours (V, S, S, 3) and alpha (V, S, S) of tiles (V, S, S, 3) on one plain background.

    The background colour is the median of the tiles' borders. Pixels that differ from it by more than the noise
    are object, as are pixels that such pixels enclose (highlights), unless they form a larger patch of exactly the
    background's colour (a handle's inside). Across the silhouette's edge alpha is the position of a pixel between
    the background and the nearest opaque object colour, least squares over the channels.
    """
    border = np.concatenate([tiles[:, 0], tiles[:, -1], tiles[:, :, 0], tiles[:, :, -1]], axis=1).reshape(-1, 3)
    background = np.median(border, axis=0)
    calm = np.abs(border - background).max(-1)
    noise = 1.4826 * np.median(calm)  # median absolute deviation to standard deviation
    threshold = max(_NOISE_FLOOR, 4 * noise)
    keyed = in_threads(lambda tile: _key_tile(tile, background, threshold), tiles)
    return np.stack([rgb for rgb, _ in keyed]), np.stack([alpha for _, alpha in keyed])


def _key_tile(tile: np.ndarray, background: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy import ndimage

    difference = np.abs(tile - background).max(-1)
    grown = np.ones((2 * _RINGING_PX + 1, 2 * _RINGING_PX + 1), bool)
    core = (difference > _CLEAR_DIFFERENCE) | ndimage.binary_opening(difference > threshold, grown)
    # Thin parts of little contrast count where they hang on certain ones: rods, wires, the rim of a blade.
    mask = ndimage.binary_propagation(core, mask=core | (difference > max(_LIKELY_DIFFERENCE, threshold)))
    holes, count = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    for index in range(1, count + 1):
        hole = holes == index
        if hole.sum() < _MIN_HOLE_PX or np.median(difference[hole]) > threshold / 2:
            mask |= hole
    return _soft_edge(tile, background, mask)


def _soft_edge(tile: np.ndarray, background: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy import ndimage

    # Pixels that are all object: away from the edge, or, on parts too thin for that, the ridge of their contrast.
    difference = np.abs(tile - background).max(-1)
    opaque = ndimage.binary_erosion(mask, iterations=_EDGE_PX, border_value=1)
    thin = mask & ~ndimage.binary_dilation(opaque, iterations=2 * _EDGE_PX)
    opaque |= thin & (difference >= ndimage.maximum_filter(difference, 2 * _EDGE_PX - 1))
    if not opaque.any():
        return tile, mask.astype(np.float32)
    nearest = ndimage.distance_transform_edt(~opaque, return_distances=False, return_indices=True)
    foreground = tile[tuple(nearest)]
    band = ndimage.binary_dilation(mask, iterations=_EDGE_PX) & ~opaque
    contrast = foreground - background
    strength = (contrast**2).sum(-1)
    share = ((tile - background) * contrast).sum(-1) / np.maximum(strength, 1e-6)
    # Where object and background hardly differ a pixel says nothing about its own coverage: keep the binary mask.
    share = np.where(strength > (4 * _NOISE_FLOOR) ** 2, np.clip((share - 0.1) / 0.8, 0, 1), mask)
    alpha = np.where(band, share, mask).astype(np.float32)
    return np.where((band & (alpha < 1))[..., None], foreground, tile), alpha


def _decode_normals(normals: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Unit view-space normals (V, S, S, 3); 0 outside the object and where the sheet holds no unit vector."""
    vectors = 2 * to_float(untile_sheet(normals[..., :3])) - 1
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    known = (length > 0.5) & (length < 1.5) & (alpha[..., None] > 0.9)
    return np.where(known, vectors / np.maximum(length, 1e-6), 0).astype(np.float32)
