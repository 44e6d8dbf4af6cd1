"""The cutout that needs no download: a small network that ships with the project (docs/cutout.md)."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from zero123pp.graphs import load_graph
from zero123pp.images import resize_planes, to_float, without_small_holes
from zero123pp.pipelines.cutout.alpha import opaque_rgb
from zero123pp.pipelines.cutout.recentre import object_box
from zero123pp.pipelines.cutout.refine import guided_upsample

if TYPE_CHECKING:
    from zero123pp.pipelines.cutout.config import CutoutConfig

WEIGHTS = Path(__file__).with_name("bundled.onnx")
FIND_PX, LOOK_PX = 192, 288
"""Longer side that the network sees, px: of the whole picture to find the object, of its surroundings to cut it."""
LEAST_PX = 64
"""Shorter side that it sees at least: of a strip two of its coarsest cells high it makes nothing."""
MARGIN = 0.2
"""Room round the object in the closer look, relative to its longer side."""
LOOK_WEIGHT = 2 / 3
"""Share of the closer look in the result; the first one keeps it from errors of its own."""
MIN_PART = 0.05
"""Parts smaller than this share of the largest one are not the object."""
PINHOLE = 0.004
"""Holes smaller than this share of the object are closed."""


def bundled_alpha(image: np.ndarray, config: "CutoutConfig") -> tuple[np.ndarray, str]:
    """Alpha (H, W) float32 of a picture (H, W, 3|4) uint8, by the bundled network.

    It looks twice, like a person who steps closer: at the whole picture to find the object, then at its surroundings.
    """
    rgb = opaque_rgb(image)
    alpha = np.zeros(rgb.shape[:2], np.float32)
    found = resize_planes(main_parts(network_alpha(rgb, FIND_PX)), rgb.shape[1::-1], Image.Resampling.BILINEAR)
    if not (found > 0.5).any():
        return alpha, "bundled"
    left, top, right, bottom = _surroundings(found)
    crop = rgb[top:bottom, left:right]
    closer = network_alpha(crop, LOOK_PX)
    before = resize_planes(found[top:bottom, left:right], closer.shape[::-1], Image.Resampling.BILINEAR)
    small = LOOK_WEIGHT * closer + (1 - LOOK_WEIGHT) * before
    alpha[top:bottom, left:right] = guided_upsample(to_float(crop), small)
    return without_small_holes(main_parts(alpha), PINHOLE), "bundled"


def network_alpha(rgb: np.ndarray, longer_px: int) -> np.ndarray:
    """What the network makes of a picture (H, W, 3) uint8 scaled to about ``longer_px``: alpha (h, w) float32.

    The picture and its mirror image are both shown, and the mean is taken.
    """
    height, width = rgb.shape[:2]
    scale = max(longer_px / max(height, width), LEAST_PX / min(height, width))
    size = tuple(max(32, 32 * round(side * scale / 32)) for side in (width, height))
    filter_ = Image.Resampling.BOX if scale < 0.5 else Image.Resampling.BILINEAR
    small = to_float(np.asarray(Image.fromarray(rgb).resize(size, filter_)))
    pixels = np.ascontiguousarray(small.transpose(2, 0, 1)[None])
    straight = _session().run(None, {"rgb": pixels})[0]
    mirrored = _session().run(None, {"rgb": np.ascontiguousarray(pixels[..., ::-1])})[0][..., ::-1]
    return (straight + mirrored)[0, 0] / 2


@lru_cache(maxsize=1)
def _session() -> Any:
    return load_graph(WEIGHTS, threads=2)


def main_parts(alpha: np.ndarray) -> np.ndarray:
    """Alpha (H, W) without the small loose parts."""
    from scipy import ndimage

    labels, count = ndimage.label(alpha > 0.1, structure=np.ones((3, 3)))
    if count < 2:
        return alpha
    weights = ndimage.sum_labels(alpha, labels, np.arange(count + 1))
    weights[0] = 0
    kept = weights >= MIN_PART * weights.max()
    kept[0] = True  # fainter than a part, but continuous with one
    return np.where(kept[labels], alpha, 0).astype(np.float32)


def _surroundings(alpha: np.ndarray) -> tuple[int, int, int, int]:
    """Box (left, top, right, bottom), px, round what is found, with a margin."""
    left, top, right, bottom = object_box(np.where(alpha > 0.3, alpha, 0))
    margin = max(4, round(MARGIN * max(right - left, bottom - top)))
    height, width = alpha.shape
    return max(0, left - margin), max(0, top - margin), min(width, right + margin), min(height, bottom + margin)
