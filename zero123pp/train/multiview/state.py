"""One training run's networks and weights: built from a start, resumed from a checkpoint."""

from pathlib import Path

import torch
from diffusers import ControlNetModel

from zero123pp.diffusion import Zero123PlusPipeline
from zero123pp.errors import BadInput
from zero123pp.train import PartialWeights, load_checkpoint
from zero123pp.train.multiview.conditions import FrozenParts
from zero123pp.train.multiview.config import ViewsTrainConfig
from zero123pp.train.multiview.dataset import Geometry
from zero123pp.train.multiview.denoiser import ViewDenoiser
from zero123pp.train.multiview.phases import CONTROLLED, REFINING, trains

CHECKPOINT = "checkpoint.pt"


class RunState:
    """The denoiser, its trained weights, and the parts that stay frozen."""

    def __init__(
        self,
        pipeline: Zero123PlusPipeline,
        path: Path,
        config: ViewsTrainConfig,
        device: torch.device,
        *,
        carry_over: Path | None = None,
    ):
        """Built from a start's pipeline in float32, which is used up.

        Args:
            pipeline: the start.
            path: of the checkpoint; resumed from when it is there.
            config: of the run.
            device: where to train.
            carry_over: checkpoint of an earlier phase, whose weights and AdamW's moments a new run takes over.
        """
        self.pipeline, self.config, self.device = pipeline, config, device
        self.geometry = geometry_of(pipeline, config)
        controlnet = new_controlnet(pipeline, config.seed) if config.phase in CONTROLLED else None
        fused = config.attention == "fused" or (
            config.attention == "auto" and (device.type != "cpu" or config.precision == "float32")
        )
        self.denoiser = ViewDenoiser(
            pipeline.unet, pipeline.vision_encoder, torch.tensor(pipeline.config.ramping_coefficients), controlnet,
            fused_attention=fused,
        ).to(device)  # fmt: skip
        if config.gradient_checkpointing:
            self.denoiser.checkpoint_gradients()
        which = trains(config.phase, ramp=config.train_ramp, vision=config.train_vision)
        self.weights = PartialWeights(
            self.denoiser, which, path, weight_decay=config.weight_decay, ema=config.ema, clip=config.clip
        )
        if carry_over is not None and not path.is_file():
            self.weights.carry_over(load_checkpoint(carry_over))
        # After the masters were made in single precision. The ramp's few numbers stay there.
        for part in (self.denoiser.unet, self.denoiser.vision_encoder, self.denoiser.controlnet):
            if part is not None:
                torch.nn.Module.to(part, getattr(torch, config.precision))  # diffusers' own warns of nothing
        self.frozen = FrozenParts(pipeline, device, null=config.null, strength=config.strength)

    def as_pipeline(self) -> Zero123PlusPipeline:
        """A pipeline that samples with the denoiser's present weights; it shares them."""
        parts = self.pipeline.components | {"controlnet": self.denoiser.controlnet}
        keys = ("rig", "input_background")
        pipeline = type(self.pipeline)(
            **parts, **{key: self.pipeline.config[key] for key in keys}, tile_size=self.geometry.tile_px,
            ramping_coefficients=self.denoiser.ramp.detach().float().cpu().tolist(),
        )  # fmt: skip
        pipeline.set_progress_bar_config(disable=True)
        if self.config.phase in REFINING:
            pipeline.set_defaults({"mode": self.config.refines, "strength": self.config.strength})
        return pipeline


def geometry_of(pipeline: Zero123PlusPipeline, config: ViewsTrainConfig) -> Geometry:
    """The sizes of a checkpoint's pictures and latents; BadInput when the tiles do not fit the VAE."""
    factor, tile = 2 ** (len(pipeline.vae.config.block_out_channels) - 1), config.tile_px or pipeline.tile_size
    if tile % factor:
        raise BadInput(f"tile_px is {tile}; the VAE needs a multiple of {factor}")
    timesteps = max(1, int(pipeline.scheduler.config.num_train_timesteps * config.noisiest))
    tiles = (1, 1) if config.phase in REFINING and config.refines == "tile" else (3, 2)
    return Geometry(
        tile, pipeline.vae.config.latent_channels, factor, pipeline.feature_extractor_clip,
        pipeline.feature_extractor_vae, timesteps, *tiles,
    )  # fmt: skip


def new_controlnet(pipeline: Zero123PlusPipeline, seed: int) -> ControlNetModel:
    """The checkpoint's own ControlNet, or a new one: the UNet's first half, with outputs that start at zero."""
    if pipeline.controlnet is not None:
        return pipeline.controlnet
    # The picture's embedding halves its sides once for each step between its widths: as often as the VAE does.
    widths = (16, 32, 96, 256)[: len(pipeline.vae.config.block_out_channels)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ControlNetModel.from_unet(pipeline.unet, conditioning_embedding_out_channels=widths)
