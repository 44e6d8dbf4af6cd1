"""The command line's flags for what the diffusion model draws: control, normals, text, sampler, weights. Light."""

import argparse
from typing import Any

from zero123pp.errors import BadInput
from zero123pp.pipelines.models.model_options import BACKGROUNDS, OFFLOADS, SAMPLERS, SHEET_ALPHAS

_MEMORY_FLAGS = ("offload", "attention_slicing", "vae_tiling")
_MODEL_FLAGS = (
    *("revision", "unet", "unet_background", "controlnet", "normal_controlnet", "sheet_alpha", "sampler"),
    *_MEMORY_FLAGS,
)
_CALL_FLAGS = ("depth", "depth_from", "depth_scale", "depth_refine", "with_normals", "prompt", "text_model")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags to the main job's parser. All of them default to None or False."""
    add = parser.add_argument_group("diffusion model").add_argument
    add("--prompt", metavar="TEXT", help="draw the picture from a text instead of --image")
    add(
        "--text-model",
        metavar="NAME",
        help="the text-to-image checkpoint of diffusers for --prompt: folder or hub id "
        "(default: stabilityai/stable-diffusion-xl-base-1.0)",
    )
    add("--depth", metavar="SHEET", help="draw the views under this sheet of depths: near black, far white; v1.1")
    add("--depth-from", metavar="MESH", help="draw the views under the depths of this mesh; v1.1")
    add(
        "--depth-refine",
        action="store_true",
        help="draw, reconstruct, draw again under that mesh's depth, reconstruct again; v1.1",
    )
    add("--depth-scale", type=float, metavar="F", help="weight of the depth control (default: 0.75)")
    add(
        "--controlnet",
        metavar="NAME",
        help="the depth ControlNet: folder or hub id (default: the checkpoint's own, else the rig's official one)",
    )
    add(
        "--with-normals",
        action="store_true",
        help="draw the normals of the views too: better outlines and surface, three times as long; v1.2",
    )
    add("--normal-controlnet", metavar="NAME", help="the normal generator: folder or hub id (default: the official)")
    add(
        "--sheet-alpha",
        choices=SHEET_ALPHAS,
        help="how the object is found on the drawn sheet: by its plain background, or by rembg (default: background)",
    )
    add("--sampler", choices=SAMPLERS, help="solver of the denoising steps (default: euler-a)")
    add("--revision", metavar="NAME", help="branch, tag or commit of --model on the hub (default: its main branch)")
    add("--unet", metavar="FILE", help="UNet weights to use in --model, such as InstantMesh's: .safetensors or .bin")
    add(
        "--unet-background",
        choices=tuple(BACKGROUNDS),
        help="background on which the UNet of --unet was trained (default: white, as InstantMesh's)",
    )
    _add_memory_arguments(parser)


def _add_memory_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("diffusion model: memory").add_argument
    add(
        "--offload",
        choices=OFFLOADS,
        help="what leaves the GPU while it does not run: each network (model), each layer (sequential: least memory, "
        "much the slowest) or nothing (default: auto, which is model on cards of less than 8 GB)",
    )
    add(
        "--attention-slicing",
        action="store_true",
        help="attention one head at a time, for GPUs without a fused kernel of attention; others hold no scores anyway",
    )
    add(
        "--vae-tiling",
        action="store_true",
        help="decode the sheet in overlapping tiles: half the memory of decoding, a slightly other picture",
    )


def check(args: argparse.Namespace) -> None:
    """BadInput for flags that do not go together."""
    if args.views:
        for name in (*_MODEL_FLAGS, *_CALL_FLAGS, "steps", "guidance"):
            if getattr(args, name) not in (None, False):
                raise BadInput(f"{_flag(name)} is about drawing views, but --views gives them; leave one out")
        if args.model != "auto":
            raise BadInput("--model is about drawing views, but --views gives them; leave one out")
    if args.text_model and args.prompt is None:
        raise BadInput("--text-model belongs to --prompt, which is missing")
    if args.prompt is not None and not args.prompt.strip():
        raise BadInput("--prompt is empty; say what to draw, for example --prompt 'a toy robot'")
    if args.unet_background and not args.unet:
        raise BadInput("--unet-background belongs to --unet, which is missing")
    depths = [_flag(name) for name in ("depth", "depth_from", "depth_refine") if getattr(args, name)]
    if len(depths) > 1:
        raise BadInput(f"{' and '.join(depths)} given together; the depth can come from one of them only")
    for name, needs in (("depth_scale", "a depth control"), ("controlnet", "a depth control")):
        if getattr(args, name) is not None and not depths:
            raise BadInput(f"{_flag(name)} belongs to {needs} (--depth, --depth-from or --depth-refine)")
    if args.normal_controlnet and not args.with_normals:
        raise BadInput("--normal-controlnet belongs to --with-normals, which is missing")


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """What was given of the choices that `ImageTo3D.from_pretrained` takes."""
    return {name: getattr(args, name) for name in _MODEL_FLAGS if getattr(args, name)}


def call_options(args: argparse.Namespace) -> dict[str, Any]:
    """What was given of the choices that calling an `ImageTo3D` takes."""
    return {name: getattr(args, name) for name in _CALL_FLAGS if getattr(args, name) not in (None, False)}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
