"""Where the networks of a diffusion pipeline run, and what is done for devices of little memory."""

from typing import TYPE_CHECKING

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.models.options import ModelOptions

if TYPE_CHECKING:
    import torch

    from zero123pp.diffusion import Zero123PlusPipeline

_SMALL_GPU_BYTES = 8 * 2**30
"""Cards with less memory keep only the network that is running on them; the others wait in main memory."""


def to_device(pipeline: "Zero123PlusPipeline", device: "torch.device", options: ModelOptions) -> None:
    """Put the networks of ``pipeline`` on ``device`` by the choices of `ModelOptions` about memory.

    Raises:
        BadInput: a choice that means nothing on this device.
        MissingBackend: offloading needs the package accelerate.
    """
    check(device, options)
    if options.attention_slicing:
        pipeline.unet.set_attention_slice("max")  # `zero123pp.diffusion.reference` keeps the number and the references
    if options.vae_tiling:
        tile_decoder(pipeline)
    way = _offload(device) if options.offload == "auto" else options.offload
    if way == "none":
        pipeline.to(device)
        return
    try:
        enable = pipeline.enable_model_cpu_offload if way == "model" else pipeline.enable_sequential_cpu_offload
        enable(device=device)
    except ImportError as error:
        raise MissingBackend(f"offload {way!r} needs accelerate, which is not installed; pip install accelerate") from (
            error
        )


def check(device: "torch.device", options: ModelOptions) -> None:
    """BadInput for a choice that means nothing on ``device``; free, so that it can be asked before loading."""
    if device.type != "cpu":
        if options.quantize != "none":
            raise BadInput(
                f"quantize {options.quantize!r} is for a processor, but the device is {device}; leave it out"
            )
        return
    if options.quantize != "none" and str(options.dtype).removeprefix("torch.") not in ("auto", "float32"):
        raise BadInput(f"quantize {options.quantize!r} is made of float32, but dtype is {options.dtype}; leave one out")
    if options.offload in ("model", "sequential"):
        raise BadInput(
            f"offload {options.offload!r} moves networks between a GPU and main memory, but the device is {device}; "
            "leave it out"
        )
    if options.attention_slicing:
        raise BadInput(
            f"attention slicing saves nothing on {device}, where attention never holds its scores; leave it out"
        )


def tile_decoder(pipeline: "Zero123PlusPipeline") -> None:
    """Decode in overlapping tiles of the reference picture's size, which itself is never cut: conditions stay exact."""
    vae = pipeline.vae
    crop = pipeline.feature_extractor_vae.crop
    vae.enable_tiling()
    vae.tile_sample_min_size = max(crop)
    vae.tile_latent_min_size = max(crop) // 2 ** (len(vae.config.block_out_channels) - 1)


def _offload(device: "torch.device") -> str:
    """What "auto" means on ``device``."""
    import torch

    small = device.type == "cuda" and torch.cuda.get_device_properties(device).total_memory < _SMALL_GPU_BYTES
    return "model" if small else "none"
