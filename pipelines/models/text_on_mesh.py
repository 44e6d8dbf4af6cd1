"""A text to a picture of a given mesh: drawn under its depth, and cut out by its own mask (report, section 4).

Any Stable Diffusion of diffusers, 1, 2 or XL, draws it under a depth ControlNet that was trained for it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.cameras import orbit_camera
from zero123pp.diffusion import disparity_picture, quiet_libraries
from zero123pp.errors import BadInput
from zero123pp.pipelines.models.depth_control import depth_from
from zero123pp.pipelines.models.licences import announce
from zero123pp.pipelines.models.text_to_image import load_text_model, sample
from zero123pp.types import Camera, Part

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

TEXT_CONTROLNETS = {
    768: "lllyasviel/control_v11f1p_sd15_depth",
    1024: "thibaud/controlnet-sd21-depth-diffusers",
    2048: "diffusers/controlnet-depth-sdxl-1.0",
}
"""Published depth ControlNets by the width of the text that the UNet reads: of Stable Diffusion 1.5, 2.1 and XL."""

_CONTROLLED = {
    "StableDiffusionPipeline": "StableDiffusionControlNetPipeline",
    "StableDiffusionXLPipeline": "StableDiffusionXLControlNetPipeline",
}
"""Classes of diffusers, and their kin that take a ControlNet."""


def input_camera(size_px: int) -> Camera:
    """The camera of the picture: azimuth 0, as every input picture, a little from above, as people look at things.

    The object's sphere takes up seven eighths of the picture's side.
    """
    return orbit_camera(0, 15, distance=2.2, fov_deg=30, size_px=size_px)


def draw_on_mesh(
    prompt: str,
    mesh: str | Path | Part | Sequence[Part],
    model: str | Path | None = None,
    controlnet: str | Path | None = None,
    *,
    seed: int = 0,
    steps: int | None = None,
    device: str = "auto",
    allow_download: bool = False,
    progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """Draw a mesh as a text says; the models are loaded for this one picture and then let go.

    Args:
        prompt: what the mesh is to look like; see `zero123pp.pipelines.models.text_to_image.draw_picture`.
        mesh: a file, or meshes, front to +Z; see `zero123pp.pipelines.models.depth_control.depth_sheet`.
        model: folder or hub id of a Stable Diffusion checkpoint of diffusers; None for the one of `draw_picture`.
        controlnet: folder or hub id of a depth ControlNet that was trained for it; None for one of `TEXT_CONTROLNETS`.
        seed: fixes the picture.
        steps: sampling steps; None for the checkpoint's default.
        device: "auto", "cpu" or "cuda".
        allow_download: whether the hub may be asked for what is not in the cache.
        progress: called with fractions in [0, 1].

    Returns:
        (S, S, 4) uint8 in the checkpoint's own size: what was drawn, with the mesh's mask from `input_camera` as alpha.

    Raises:
        BadInput: an unusable mesh, or a checkpoint or ControlNet that is not there or does not fit.
        MissingBackend: a library or weights are not here, and must not be fetched.
    """
    pipeline, source = load_text_model(prompt, model, device, allow_download)
    pipeline = _controlled(pipeline, source, controlnet, allow_download)
    size = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    depth = depth_from(mesh, input_camera(size))
    if not depth.any():
        raise BadInput("the mesh is not seen from its front; it has no visible surface there")
    from PIL import Image

    under = Image.fromarray(disparity_picture(depth))
    rgb = sample(pipeline, source, prompt, seed=seed, steps=steps, progress=progress, image=under)
    return np.dstack([rgb, np.where(depth > 0, 255, 0).astype(np.uint8)])


def _controlled(
    pipeline: "DiffusionPipeline", source: str, controlnet: str | Path | None, allow_download: bool
) -> "DiffusionPipeline":
    """The text model under its depth ControlNet; see `draw_on_mesh`."""
    import diffusers

    from zero123pp.diffusion import control, hub, loading

    kin = _CONTROLLED.get(type(pipeline).__name__)
    if kin is None:
        raise BadInput(
            f"{source!r} is a {type(pipeline).__name__}, which cannot be drawn under the depth of a mesh; give a "
            "Stable Diffusion 1, 2 or XL with --text-model"
        )
    width = pipeline.unet.config.cross_attention_dim
    controlnet = TEXT_CONTROLNETS.get(width) if controlnet is None else controlnet
    if controlnet is None:
        raise BadInput(f"no depth ControlNet is known for {source!r}; give the one of its kind with --text-controlnet")
    folder = hub.find_checkpoint(controlnet, hub.CONTROLNET, local_files_only=not allow_download, on_download=announce)
    network = loading.load_controlnet(folder, pipeline.unet.dtype).to(pipeline.device)
    try:
        control.check_fits(network, pipeline.unet)
    except BadInput as error:
        raise BadInput(f"--text-controlnet {str(controlnet)!r} does not fit {source!r}: {error}") from error
    with quiet_libraries():
        controlled = getattr(diffusers, kin).from_pipe(pipeline, controlnet=network, torch_dtype=pipeline.unet.dtype)
    controlled.set_progress_bar_config(disable=True)
    return controlled
