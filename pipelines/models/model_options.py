"""What a caller may choose about a diffusion model beside its name."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path

from zero123pp.errors import BadInput

SAMPLERS = ("euler-a", "dpm++", "unipc")
"""The keys of `zero123pp.diffusion.schedule.SAMPLERS`, here without loading torch."""

SHEET_ALPHAS = ("background", "rembg")
"""Ways to find the object on a drawn sheet."""

BACKGROUNDS = {"gray": 127, "white": 255}
"""Backgrounds behind the input picture, and their 8-bit gray."""

OFFLOADS = ("auto", "model", "sequential", "none")
"""Ways to share a small card among the networks, see `ModelOptions.offload`."""


@dataclass(frozen=True)
class ModelOptions:
    """How to load and run a Zero123++ checkpoint; the defaults are what its authors recommend."""

    device: str = "auto"
    """"cpu", "cuda" or another of torch's; "auto" for cuda where there is one."""
    dtype: str = "auto"
    """"float32", "float16", "bfloat16"; "auto" for float16 on cuda, bfloat16 on processors with instructions for it
    and float32 on others."""
    allow_download: bool = False
    """Whether the hub may be asked for what is not in the cache."""
    revision: str | None = None
    """Branch, tag or commit of the checkpoint on the hub; None for its main branch."""
    unet: str | Path | None = None
    """File of UNet weights to use in place of the checkpoint's own, such as InstantMesh's."""
    unet_background: str = "white"
    """Background on which the UNet of that file was trained, a key of `BACKGROUNDS`; InstantMesh's was on white."""
    controlnet: str | Path | None = None
    """Folder or hub id of the depth ControlNet; None for the rig's official one."""
    normal_controlnet: str | Path | None = None
    """The same for the normal generator."""
    sheet_alpha: str = "background"
    """How the alpha of a drawn sheet is found: one of `SHEET_ALPHAS`, see `zero123pp.pipelines.inputs.sheets`."""
    sampler: str = "euler-a"
    """One of `SAMPLERS`."""
    offload: str = "auto"
    """One of `OFFLOADS`. "model": each network is on the card only while it runs; "sequential": each layer, for the
    least memory and much the slowest; "none": everything stays on the card; "auto": "model" on cards of less than 8 GB,
    else "none"."""
    attention_slicing: bool = False
    """Whether attention works on one head at a time. Saves memory only where torch has no fused kernel of attention."""
    vae_tiling: bool = False
    """Whether sheets are decoded in overlapping tiles of the reference's size: half the memory of decoding, a slightly
    other picture. Sheets are decoded one at a time in any case."""

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise BadInput(f"unknown sampler {self.sampler!r}; choose one of {', '.join(SAMPLERS)}")
        if self.offload not in OFFLOADS:
            raise BadInput(f"unknown offload {self.offload!r}; choose one of {', '.join(OFFLOADS)}")
        if self.sheet_alpha not in SHEET_ALPHAS:
            raise BadInput(f"unknown sheet_alpha {self.sheet_alpha!r}; choose one of {', '.join(SHEET_ALPHAS)}")
        if self.unet_background not in BACKGROUNDS:
            raise BadInput(f"unknown background {self.unet_background!r}; choose one of {', '.join(BACKGROUNDS)}")

    def refuse_for(self, name: str, known: Collection[str]) -> None:
        """BadInput when a choice was made that the model called ``name``, which knows only ``known``, cannot honour."""
        for field in fields(self):
            is_for_all = field.name in ("device", "dtype", "allow_download")
            if not is_for_all and field.name not in known and getattr(self, field.name) != field.default:
                raise BadInput(f"{name!r} is no diffusion model and takes no {field.name.replace('_', ' ')}")
