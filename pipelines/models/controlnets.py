"""Which ControlNet belongs to which rig, and how it is loaded beside a pipeline."""

from pathlib import Path
from typing import TYPE_CHECKING

from zero123pp.errors import BadInput

if TYPE_CHECKING:
    from zero123pp.diffusion import Zero123PlusPipeline

DEPTH = {"v1.1": "sudo-ai/controlnet-zp11-depth-v1"}
"""Released depth ControlNets by rig. There is none for v1.2."""

NORMALS = {"v1.2": "sudo-ai/controlnet-zp12-normal-gen-v1"}
"""Released normal generators by rig."""

DEPTH_SCALE = 0.75
"""Weight of depth control that the authors use."""

NORMAL_SCALE = 1.0
NORMAL_STEPS = 75
"""The normal generator is run with the "linspace" steps of the published checkpoint, which need more of them."""


def with_depth_control(
    pipeline: "Zero123PlusPipeline", source: str | Path | None, *, allow_download: bool
) -> "Zero123PlusPipeline":
    """``pipeline`` with the depth ControlNet ``source``, its own, or the official one of its rig, in that order.

    Raises:
        BadInput: there is none for the rig, or it belongs to another rig or network.
        MissingBackend: it is not here and must not be fetched.
    """
    if source is None and pipeline.controlnet is not None:
        return pipeline
    return _with_controlnet(pipeline, source, DEPTH, "depth", allow_download)


def with_normal_generator(
    pipeline: "Zero123PlusPipeline", source: str | Path | None, *, allow_download: bool
) -> "Zero123PlusPipeline":
    """``pipeline`` with the normal generator ``source`` or the official one of its rig; errors as above."""
    return _with_controlnet(pipeline, source, NORMALS, "normal", allow_download)


def _with_controlnet(
    pipeline: "Zero123PlusPipeline", source: str | Path | None, official: dict[str, str], kind: str, download: bool
) -> "Zero123PlusPipeline":
    from zero123pp.diffusion import control, hub, loading
    from zero123pp.pipelines.models.licences import announce

    if source is None:
        source = official.get(pipeline.rig)
    if source is None:
        known = " and ".join(f"{name} (rig {rig})" for rig, name in official.items())
        raise BadInput(
            f"there is no {kind} ControlNet for rig {pipeline.rig}; the released one is {known}: "
            f"choose a model of that rig, or give a ControlNet that was trained for {pipeline.rig}"
        )
    control.check_rig(str(source), pipeline.rig)
    folder = hub.find_checkpoint(source, hub.CONTROLNET, local_files_only=not download, on_download=announce)
    controlnet = loading.load_controlnet(folder, pipeline.unet.dtype)
    # Not the UNet's device: an offloaded UNet is elsewhere between its calls. The ControlNet stays where it runs.
    return pipeline.with_controlnet(controlnet.to(pipeline._execution_device))
