"""Segment Anything as a cutout method, by transformers' own classes: prompted by a box and a point, the steadiest mask.

Kirillov et al., "Segment Anything", 2023. The network offers three masks for a prompt, of the part, the thing and the
whole; which of them is an object's outline is told by how little it changes with the threshold (their section 5).
"""

import importlib.util
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.cutout.alpha import opaque_rgb

if TYPE_CHECKING:
    from zero123pp.pipelines.cutout.config import CutoutConfig

INSTALL = 'pip install "zero123pp[diffusion]"'

_MARGIN = 0.04
"""Of the picture on each side that the box leaves out when none is given: the object is in the middle."""

_OFFSET = 1.0
"""Logits that the threshold is moved by, up and down, to tell how steady a mask is."""


def sam_alpha(image: np.ndarray, config: "CutoutConfig") -> tuple[np.ndarray, str]:
    """Alpha (H, W) float32 by the checkpoint ``config.sam_model``, prompted by ``config.box`` and ``config.point``.

    Raises:
        BadInput: a point or box outside of the picture, or a checkpoint that is none of SAM.
        MissingBackend: transformers or the checkpoint is not here, and no download was agreed to.
    """
    height, width = image.shape[:2]
    box, point = _prompt(config, width, height)
    logits = masks_of(opaque_rgb(image), box, point, config)
    return 1 / (1 + np.exp(-logits[steadiest(logits)])), f"sam:{config.sam_model}"


def steadiest(logits: np.ndarray) -> int:
    """Which of the masks (N, H, W) changes least between thresholds of one logit up and one down, by their overlap."""
    inner, outer = (logits > _OFFSET).sum((1, 2)), (logits > -_OFFSET).sum((1, 2))
    return int(np.argmax(inner / np.maximum(outer, 1)))


def masks_of(rgb: np.ndarray, box: list[float], point: list[float] | None, config: "CutoutConfig") -> np.ndarray:
    """The masks that the network offers, as logits (3, H, W) float32.

    Args:
        rgb: (H, W, 3) uint8.
        box: left, top, right, bottom, px.
        point: x, y, px, on the object.
        config: names the checkpoint.
    """
    from PIL import Image

    network, processor = _loaded(config.sam_model, config.may_download)
    import torch

    prompt: dict[str, Any] = {"input_boxes": [[box]]}
    if point is not None:
        prompt |= {"input_points": [[[point]]], "input_labels": [[[1]]]}
    inputs = processor(Image.fromarray(rgb), return_tensors="pt", **prompt)
    sizes = [inputs.pop(name) for name in ("original_sizes", "reshaped_input_sizes")]
    with torch.inference_mode():
        masks = network(**inputs, multimask_output=True).pred_masks
        (offered,) = processor.image_processor.post_process_masks(masks, *sizes, binarize=False)
    return offered.reshape(-1, *rgb.shape[:2]).float().numpy()


def _prompt(config: "CutoutConfig", width: int, height: int) -> tuple[list[float], list[float] | None]:
    if config.point and not (0 <= config.point[0] < width and 0 <= config.point[1] < height):
        raise BadInput(f"the point {list(config.point)} lies outside of the picture of {width}x{height} px")
    if not config.box:
        across, down = _MARGIN * width, _MARGIN * height
        return [across, down, width - across, height - down], list(config.point) or None
    left, top, right, bottom = config.box
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise BadInput(
            f"the box {list(config.box)} does not lie in the picture of {width}x{height} px; give left,top,right,bottom"
        )
    return list(config.box), list(config.point) or None


@lru_cache(maxsize=1)
def _loaded(name: str, download: bool) -> tuple[Any, Any]:
    if importlib.util.find_spec("transformers") is None or importlib.util.find_spec("torch") is None:
        raise MissingBackend(f"cutout.method=sam needs torch and transformers, which are not installed: {INSTALL}")
    from zero123pp.diffusion import quiet_libraries

    with quiet_libraries():
        from transformers import SamModel, SamProcessor

        try:
            network, problems = SamModel.from_pretrained(
                name, local_files_only=not download, output_loading_info=True, use_safetensors=True
            )
            processor = SamProcessor.from_pretrained(name, local_files_only=not download)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            if os.path.isdir(name):
                raise BadInput(f"{name} cannot be used as a SAM checkpoint: {reason}") from error
            raise MissingBackend(
                f"the SAM checkpoint {name} is not on this machine; agree to its download with cutout.download=true or "
                "ZERO123PP_DOWNLOAD=1, or give the folder of one: cutout.method=sam:FOLDER"
            ) from error
    if missing := sorted(problems["missing_keys"]):
        raise BadInput(f"{name} is no checkpoint of SAM: it lacks {missing[0]}")
    return network.eval(), processor
