"""Cuts the object out of a picture and centres it on a transparent square.

`CUTOUTS` holds the methods; each takes a picture and the config, and returns an alpha and its own name. A new method
is one function, one line there, and its name in `zero123pp.pipelines.cutout.config.METHODS`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from zero123pp.errors import BadInput
from zero123pp.images import resize_planes, to_float, to_uint8
from zero123pp.pipelines.cutout.alpha import MIN_TRANSPARENT, given_alpha, has_object_alpha
from zero123pp.pipelines.cutout.bundled import bundled_alpha
from zero123pp.pipelines.cutout.config import CutoutConfig
from zero123pp.pipelines.cutout.foreground import estimate_foreground
from zero123pp.pipelines.cutout.recentre import limit_size, recentre
from zero123pp.pipelines.cutout.rembg_adapter import rembg_alpha, rembg_is_ready
from zero123pp.pipelines.cutout.sam import sam_alpha
from zero123pp.pipelines.cutout.stray import cleaned
from zero123pp.types import Cutout

CUTOUTS: dict[str, Callable[[np.ndarray, CutoutConfig], tuple[np.ndarray, str]]] = {
    "alpha": given_alpha,
    "rembg": rembg_alpha,
    "bundled": bundled_alpha,
    "sam": sam_alpha,
}
"""Method name to function: picture (H, W, 3|4) uint8 and config to alpha (H, W) float32 and the method's full name."""


def choose(image: np.ndarray, config: CutoutConfig) -> str:
    """The method that ``auto`` takes for this picture; a named method is kept."""
    if config.method != "auto":
        return config.method
    if has_object_alpha(image):
        return "alpha"
    return "rembg" if rembg_is_ready(config.rembg_model, config.may_download) else "bundled"


@dataclass(frozen=True)
class Outline:
    """Where the object of a picture is, before it is cut out."""

    image: np.ndarray
    """The picture as it was looked at, (H, W, 3|4) uint8 sRGB, at most `CutoutConfig.work_px` a side."""
    alpha: np.ndarray
    """(H, W) float32, 1 on the object."""
    method: str
    """Who found it."""
    notes: tuple[str, ...] = ()
    """What may be wrong with it, one sentence each."""


def find_outline(image: np.ndarray, config: CutoutConfig | None = None) -> Outline:
    """The first half of `cut_out`, with its arguments and errors: whoever corrects the alpha does so between them."""
    config = config or CutoutConfig()
    given, image = image, limit_size(np.asarray(image), config.work_px)
    method = choose(image, config)
    alpha, name = CUTOUTS[method](image, config.scaled(image.shape[1] / np.shape(given)[1]))
    notes: tuple[str, ...] = ()
    if method == "alpha":
        alpha, notes = cleaned(alpha)
    _check_foreground(alpha, name, config.min_foreground)
    return Outline(image, alpha, name, notes + tuple(_doubts(image, alpha, method)))


def outline_of_mask(image: np.ndarray, mask: np.ndarray, config: CutoutConfig | None = None) -> Outline:
    """The outline that somebody drew: ``mask`` (h, w) uint8, white on the object, scaled to the picture.

    BadInput when the mask is of another shape than the picture (2 % are allowed).
    """
    image = limit_size(np.asarray(image), (config or CutoutConfig()).work_px)
    height, width = image.shape[:2]
    if abs(mask.shape[1] * height / (mask.shape[0] * width) - 1) > 0.02:
        raise BadInput(
            f"the picture has {width}x{height} px but its mask {mask.shape[1]}x{mask.shape[0]}; expected the same "
            "size, or the mask scaled"
        )
    alpha = resize_planes(to_float(mask), (width, height), Image.Resampling.BILINEAR)
    return Outline(image, np.clip(alpha, 0, 1), "mask")


def cut_along(outline: Outline, config: CutoutConfig | None = None) -> Cutout:
    """The second half of `cut_out`. BadInput when nothing in the outline is opaque."""
    config = config or CutoutConfig()
    _check_foreground(outline.alpha, outline.method, config.min_foreground)
    rgb = to_float(outline.image[..., :3])
    if outline.method != "alpha":  # a given alpha comes with colours that are meant for it
        rgb = estimate_foreground(rgb, outline.alpha)
    rgba = np.concatenate([rgb, outline.alpha[..., None]], axis=-1)
    return Cutout(to_uint8(recentre(rgba, config.ratio, config.size_px)), outline.method, outline.notes)


def cut_out(image: np.ndarray, config: CutoutConfig | None = None) -> Cutout:
    """The object of a picture on a transparent square, with straight alpha and no background left in its colours.

    Args:
        image: (H, W, 3|4) uint8 sRGB, as `read_image` returns it.
        config: see `CutoutConfig`.

    Raises:
        BadInput: when nothing in the picture is opaque, or no object is found in it.
        MissingBackend: when rembg or its model was asked for by name and is not here.
    """
    return cut_along(find_outline(image, config), config)


SEVERAL = 0.2
"""Parts of at least this share of the largest one's area are objects of their own."""
LITTLE = 0.25
"""A network that keeps less of a picture that has transparency and is nearly all opaque may have cut off the object."""


def _doubts(image: np.ndarray, alpha: np.ndarray, method: str) -> Iterator[str]:
    """What may be wrong with a cutout, one sentence each."""
    from scipy import ndimage

    transparent = float((image[..., 3] < 128).mean()) if image.shape[2] == 4 else 0.0
    kept = float((alpha >= 0.5).mean())
    if method == "alpha" and transparent < MIN_TRANSPARENT:
        yield "its transparent rim is taken for the object's outline; cutout.method=bundled looks for an object within"
    if method != "alpha" and image.shape[2] == 4 and kept < LITTLE:
        yield f"{kept:.0%} of a nearly opaque picture was found to be object; cutout.method=alpha takes all of it"
    labels, count = ndimage.label(alpha >= 0.5, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())[1:]
    if count > 1 and (several := int((sizes >= SEVERAL * sizes.max()).sum())) > 1:
        yield f"{several} separate objects are in the picture; one picture each gives better meshes"


def _check_foreground(alpha: np.ndarray, method: str, minimum: float) -> None:
    share = float((alpha >= 0.5).mean())
    if share > minimum and (alpha >= 0.5).sum() >= 16:
        return
    if method == "alpha":
        raise BadInput(
            f"the picture is transparent ({share:.2%} of it is opaque); give one with a visible object, "
            "or set cutout.method=bundled to ignore its transparency"
        )
    raise BadInput(
        f"no object was found in the picture ({share:.2%} of it, by {method}); crop it closer to the object, "
        "or give a PNG with a transparent background"
    )
