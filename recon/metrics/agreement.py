"""How well a finished mesh agrees with the views it was made from: the check that every run reports."""

from collections.abc import Sequence

import numpy as np

from zero123pp.cameras import resized
from zero123pp.images import unpremultiply
from zero123pp.machine import in_threads
from zero123pp.recon.metrics.likeness import likeness
from zero123pp.recon.ops import premultiplied
from zero123pp.recon.render import render_picture
from zero123pp.types import TexturedMesh, View

_SIZE_PX = 320
"""Views larger than this are compared at this size: the sheets' own, and fast."""


def agreement(textured: TexturedMesh, views: Sequence[View]) -> dict[str, list[float]]:
    """Per view: silhouette IoU (alpha > 0.5) and PSNR in dB of sRGB colours over the common foreground."""
    overlaps, psnrs = zip(*in_threads(lambda view: _of_view(textured, view), views)) if views else ((), ())
    return {
        "silhouette_iou": [round(overlap, 4) for overlap in overlaps],
        "foreground_psnr_db": [round(psnr, 2) for psnr in psnrs],
    }


def _of_view(textured: TexturedMesh, view: View) -> tuple[float, float]:
    camera, rgb, alpha = view.camera, view.rgb, view.alpha
    if max(camera.width, camera.height) > _SIZE_PX:
        scale = _SIZE_PX / max(camera.width, camera.height)
        camera = resized(camera, max(1, round(camera.width * scale)), max(1, round(camera.height * scale)))
        rgb, alpha = _resampled(view, camera.width, camera.height)
    return likeness(render_picture(textured, camera), View(rgb, alpha, camera))


def _resampled(view: View, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    from skimage.transform import resize

    small = unpremultiply(resize(premultiplied(view), (height, width), order=1, anti_aliasing=True))
    return small[..., :3], small[..., 3]
