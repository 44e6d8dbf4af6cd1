"""The table of the diffusion models' options: those of loading, and those of each call. Imports nothing heavy."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero123pp.errors import BadInput
from zero123pp.options import (
    ANYTHING,
    MESH,
    PATH,
    PICTURE,
    SWITCH,
    TEXT,
    check_together,
    check_values,
    choice,
    given_of,
    interval,
    number,
    option,
    options_of,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zero123pp.types import Part

SAMPLERS = ("euler-a", "dpm++", "unipc")
"""The keys of `zero123pp.diffusion.schedule.SAMPLERS`, here without loading torch."""

SHEET_ALPHAS = ("background", "rembg")
"""Ways to find the object on a drawn sheet, see `zero123pp.pipelines.inputs.sheets`."""

BACKGROUNDS = {"gray": 127, "white": 255}
"""Backgrounds behind the input picture, and their 8-bit gray."""

OFFLOADS = ("auto", "model", "sequential", "none")
"""Ways to share a small card among the networks."""

QUANTIZATIONS = ("none", "int8")
"""Types of the UNet's linear layers beside its own."""

DEPTHS = ("depth", "depth_from", "depth_refine")
"""Ways to say the depth under which the views are drawn."""

REFINER_MODES = ("tile", "sheet")
"""`zero123pp.diffusion.sheet_refiner.MODES`, likewise."""

_DRAWING, _MEMORY, _REFINING = "diffusion model", "diffusion model: memory", "diffusion model: second stage"
_SPEED = "diffusion model: speed, at a price (docs/models.md)"


@dataclass(frozen=True)
class ModelOptions:
    """Given when a model is loaded, to `ImageTo3D.from_pretrained`; the defaults are what the authors recommend."""

    device: str = option("auto", "auto, cpu or cuda, for the diffusion model", TEXT, metavar="NAME", is_shared=True)
    dtype: Any = option(
        "auto",
        "float32, float16 or bfloat16, for the diffusion model; auto: float16 on cuda, bfloat16 on processors with "
        "instructions for it, else float32",
        ANYTHING,
        as_flag="",
    )
    allow_download: bool = option(
        False, "agree to download weights that are not here", SWITCH, as_flag="--download", is_shared=True
    )
    revision: str | None = option(
        None, "branch, tag or commit of --model on the hub", TEXT, metavar="NAME", default_words="its main branch",
        group=_DRAWING,
    )  # fmt: skip
    unet: str | Path | None = option(
        None, "UNet weights to use in --model, such as InstantMesh's: .safetensors or .bin", PATH, metavar="FILE",
        group=_DRAWING, default_words="the checkpoint's own",
    )  # fmt: skip
    unet_background: str = option(
        "white", "background on which the UNet of --unet was trained", choice(*BACKGROUNDS), needs=("unet",),
        group=_DRAWING, default_words="white, as InstantMesh's",
    )  # fmt: skip
    controlnet: str | Path | None = option(
        None, "the depth ControlNet: folder or hub id", PATH, metavar="NAME", needs=DEPTHS, group=_DRAWING,
        default_words="the checkpoint's own, else the rig's official one",
    )  # fmt: skip
    normal_controlnet: str | Path | None = option(
        None, "the normal generator: folder or hub id", PATH, metavar="NAME", needs=("with_normals",), group=_DRAWING,
        default_words="the official one",
    )  # fmt: skip
    sheet_alpha: str = option(
        "background", "how the object is found on the drawn sheet: by its plain background, or by rembg",
        choice(*SHEET_ALPHAS), group=_DRAWING,
    )  # fmt: skip
    sampler: str = option("euler-a", "solver of the denoising steps", choice(*SAMPLERS), group=_DRAWING)
    refiner: str | Path | None = option(
        None, "draw the sheet over, finer: a trained refiner, or any image-to-image checkpoint of diffusers; folder or "
        "hub id", PATH, metavar="NAME", group=_REFINING,
    )  # fmt: skip
    refiner_mode: str | None = option(
        None, "what is drawn over together: each view for itself, or all six", choice(*REFINER_MODES),
        needs=("refiner",), group=_REFINING, default_words="the refiner's own, else tile",
    )  # fmt: skip
    refiner_strength: float | None = option(
        None, "how much of the sheet may change, from 0 to 1", number(0.001, 1), metavar="F", needs=("refiner",),
        group=_REFINING, default_words="the refiner's own, else 0.3",
    )  # fmt: skip
    refiner_steps: int | None = option(
        None, "denoising steps that are made over the sheet", whole(1, 1000), metavar="N", needs=("refiner",),
        group=_REFINING, default_words="8",
    )  # fmt: skip
    refiner_draws: int | None = option(
        None, "drawings by a trained refiner, under other noise each, whose mean is taken: less grain", whole(1, 64),
        metavar="N", needs=("refiner",), group=_REFINING, default_words="1",
    )  # fmt: skip
    offload: str = option(
        "auto",
        "what leaves the GPU while it does not run: each network (model), each layer (sequential: least memory, much "
        "the slowest) or nothing",
        choice(*OFFLOADS),
        default_words="auto, which is model on cards of less than 8 GB",
        group=_MEMORY,
    )
    attention_slicing: bool = option(
        False,
        "attention one head at a time, for GPUs without a fused kernel of attention; others hold no scores anyway",
        SWITCH,
        group=_MEMORY,
    )
    vae_tiling: bool = option(
        False,
        "decode the sheet in overlapping tiles: half the memory of decoding, a slightly other picture",
        SWITCH,
        group=_MEMORY,
    )
    guidance_interval: tuple[float, float] = option(
        (0.0, 1.0), "shares of the steps from and up to which there is guidance; the others cost half", interval(0, 1),
        metavar="FROM,TO", default_words="0,1, all of them", group=_SPEED,
    )  # fmt: skip
    cache_interval: int = option(
        1, "run the whole UNet at every Nth step only, and its last layer at all others", whole(1, 100), metavar="N",
        group=_SPEED,
    )  # fmt: skip
    quantize: str = option(
        "none", "int8: the UNet's linear layers in 8 bit, for processors without bfloat16", choice(*QUANTIZATIONS),
        group=_SPEED,
    )  # fmt: skip

    def __post_init__(self) -> None:
        options = options_of(ModelOptions)
        check_values(self, options)
        check_together(given_of(vars(self), ModelOptions), options)

    def refuse_for(self, name: str, known: Collection[str]) -> None:
        """BadInput when a choice was made that the model called ``name``, which knows only ``known``, cannot honour."""
        for given in given_of(vars(self), ModelOptions):
            if given not in known and given not in ("device", "dtype", "allow_download"):
                raise BadInput(f"{name!r} is no diffusion model and takes no {given.replace('_', ' ')}")


@dataclass(frozen=True)
class Generation:
    """Given with each call, what to ask of a model for one object or for several."""

    steps: int | None = option(
        None, "denoising steps", whole(1, 1000), metavar="N", default_words="the model's, 28", is_shared=True,
        is_column=True,
    )  # fmt: skip
    guidance: float | None = option(
        None, "classifier-free guidance scale", number(-1000, 1000), metavar="F", default_words="the model's, 4",
        is_shared=True, is_column=True,
    )  # fmt: skip
    depth: Any = option(
        None, "draw the views under this sheet of depths: near black, far white; v1.1", PICTURE, metavar="SHEET",
        instead="the depth", group=_DRAWING,
    )  # fmt: skip
    depth_from: "str | Path | Part | Sequence[Part] | None" = option(
        None, "draw the views under the depths of this mesh; v1.1", MESH, metavar="MESH", instead="the depth",
        group=_DRAWING,
    )  # fmt: skip
    depth_refine: bool = option(
        False, "draw, reconstruct, draw again under that mesh's depth, reconstruct again; v1.1", SWITCH,
        instead="the depth", group=_DRAWING,
    )  # fmt: skip
    depth_scale: float | None = option(
        None, "weight of the depth control", number(-1000, 1000), metavar="F", default_words="0.75", needs=DEPTHS,
        group=_DRAWING,
    )  # fmt: skip
    with_normals: bool = option(
        False, "draw the normals of the views too: better outlines and surface, about four times as long; v1.2", SWITCH,
        group=_DRAWING,
    )  # fmt: skip

    def __post_init__(self) -> None:
        options = options_of(Generation)
        check_values(self, options)
        check_together(given_of(vars(self), Generation), options)

    @property
    def under_depth(self) -> bool:
        """Whether any sheet will be drawn under depth control."""
        return self.depth is not None or self.depth_from is not None or self.depth_refine
