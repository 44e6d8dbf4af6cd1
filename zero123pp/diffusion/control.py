"""Control of a sheet by a second sheet of the same layout (depth, or the picture whose normals are wanted).

A ControlNet looks at the sheet's own denoising pass, with the same latents, step and text states; what it finds is
added inside the read pass only, never in the reference's write pass. It has ordinary attention.
"""

import re

import numpy as np
import torch
from PIL import Image

from zero123pp.diffusion.preprocess import on_gray
from zero123pp.errors import BadInput


def check_control(controlnet: torch.nn.Module | None, depth_image: object | None) -> None:
    """BadInput unless a ControlNet and its picture are there together."""
    if controlnet is None and depth_image is not None:
        raise BadInput(
            "depth_image was given, but the pipeline has no ControlNet; load one with "
            "Zero123PlusPipeline.from_pretrained(..., controlnet='sudo-ai/controlnet-zp11-depth-v1')"
        )
    if controlnet is not None and depth_image is None:
        raise BadInput(
            "the pipeline has a ControlNet, but depth_image is None; give the control sheet, or load the pipeline "
            "without controlnet="
        )


def control_pixels(image: Image.Image | np.ndarray, width: int, height: int) -> torch.Tensor:
    """The control sheet as (1, 3, height, width) float32 in [-1, 1]; transparent parts become mid-gray.

    It is never resized: a resampled depth edge would be a surface that is not there.
    """
    rgb = on_gray(image, "depth_image")
    if rgb.size != (width, height):
        raise BadInput(
            f"depth_image is {rgb.width}x{rgb.height} px, but the sheet is {width}x{height} px; "
            "render it at that size, or set width and height"
        )
    values = np.asarray(rgb, np.float32).transpose(2, 0, 1) / np.float32(255)
    return torch.from_numpy(np.ascontiguousarray(values * 2 - 1)[None])


def control_residuals(
    controlnet: torch.nn.Module,
    sample: torch.Tensor,
    timestep: torch.Tensor,
    hidden_states: torch.Tensor,
    pixels: torch.Tensor,
    scale: float,
) -> dict[str, object]:
    """What the ControlNet adds to the UNet's skip connections and middle, as the UNet's arguments.

    Args:
        controlnet: a diffusers ControlNetModel.
        sample: (batch, 4, h, w) scaled latents, both halves of the guidance.
        timestep: the step.
        hidden_states: (batch, 77, channels) text states with the picture added.
        pixels: (1, 3, H, W) of `control_pixels`.
        scale: factor on all residuals.
    """
    down, middle = controlnet(
        sample,
        timestep,
        encoder_hidden_states=hidden_states,
        controlnet_cond=pixels.expand(len(sample), -1, -1, -1),
        conditioning_scale=scale,
        return_dict=False,
    )
    return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}


def check_fits(controlnet: torch.nn.Module, unet: torch.nn.Module) -> None:
    """BadInput unless the ControlNet was made for a UNet of this shape."""
    for key in ("in_channels", "block_out_channels", "layers_per_block", "cross_attention_dim"):
        theirs, ours = controlnet.config[key], unet.config[key]
        # The same numbers are a tuple in a network made in Python and a list in one that was loaded.
        theirs, ours = (list(v) if isinstance(v, (list, tuple)) else v for v in (theirs, ours))
        if theirs != ours:
            raise BadInput(f"the ControlNet has {key} {theirs}, but the UNet has {ours}; it belongs to another model")


def check_rig(name: str, rig: str) -> None:
    """BadInput when a ControlNet's name says that it was trained for another rig ("...zp11..." is v1.1)."""
    found = re.findall(r"zp1([12])", name)
    if found and f"v1.{found[-1]}" != rig:
        raise BadInput(f"the ControlNet {name!r} was trained for v1.{found[-1]}, but the checkpoint draws {rig} sheets")
