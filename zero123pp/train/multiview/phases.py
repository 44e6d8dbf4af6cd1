"""What each phase trains (report, section 2.5), by the names of `ViewDenoiser`'s parameters."""

import re
from collections.abc import Callable
from typing import Literal

Phase = Literal["phase1", "phase2", "all", "depth", "normals", "refine1", "refine2"]
"""phase1, phase2: those of the report. all: everything from scratch, for small models. depth, normals: a ControlNet
on a frozen UNet that is told depths and draws views, or is told views and draws normals. refine1, refine2: the same
two steps for a refiner, whose first convolution learns to look at the first stage from the start."""

_PHASE_1 = re.compile(r"unet\..*\.(attn1\.|attn2\.to_[kv]\.)")
"""Self-attention layers, and keys and values of cross-attention: 112 tensors, 75,133,120 parameters at full size."""

CONTROLLED = ("depth", "normals")
REFINING = ("refine1", "refine2")
_FIRST_STAGE = "unet.conv_in."


def trains(phase: Phase, *, ramp: bool, vision: bool) -> Callable[[str], bool]:
    """Whether a phase trains the parameter of a name.

    Args:
        phase: which one.
        ramp: whether the ramp is trained with the UNet. The report leaves open whether it was in phase 2.
        vision: whether the image encoder is, which only makes sense for one that knows nothing yet.
    """

    def by_name(name: str) -> bool:
        if phase in CONTROLLED:
            return name.startswith("controlnet.")
        if name == "ramp":
            return ramp
        if name.startswith("vision_encoder."):
            return vision
        if phase == "refine1" and name.startswith(_FIRST_STAGE):
            return True
        return _PHASE_1.match(name) is not None if phase in ("phase1", "refine1") else name.startswith("unet.")

    return by_name
