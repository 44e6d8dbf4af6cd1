"""A batch of pictures and draws as what the denoiser takes: everything that the frozen networks do."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from diffusers.models.resnet import ResnetBlock2D

from zero123pp.diffusion import (
    ImagePreprocessor,
    Zero123PlusPipeline,
    noised_reference,
    scale_image,
    scale_latents,
    text_states,
    training_sigmas,
)
from zero123pp.diffusion import (
    latents as latent_space,
)
from zero123pp.train.multiview.dataset import Item
from zero123pp.train.multiview.objective import Prediction, target


@dataclass(frozen=True)
class Noised:
    """A batch at its noise levels."""

    inputs: dict[str, torch.Tensor]
    """Arguments of `ViewDenoiser.forward`."""
    wanted: torch.Tensor
    """(batch, C, H, W) what it should give."""
    sigma: torch.Tensor
    """(batch,)"""
    latents: torch.Tensor
    """(batch, C, H, W) of the target sheets in diffusion space."""


class FrozenParts:
    """VAE and text encoder of a checkpoint with its noise schedule: what no phase trains."""

    def __init__(
        self,
        pipeline: Zero123PlusPipeline,
        device: torch.device,
        *,
        null: Literal["gray", "black"] = "gray",
        strength: float = 1.0,
    ):
        """Moves the VAE to ``device``.

        Args:
            pipeline: whose networks they are.
            device: where they run.
            null: the reference of samples that lose their conditions.
            strength: at which a refiner starts, as a share of the noise schedule. Its first step sees the first stage's
                latents ``f`` under noise of that level, ``f + s e = z + s (e + (f - z) / s)``: noise that is made of
                noise and of what the first stage got wrong. Steps that add no noise of their own keep it to the end,
                so that is the noise a refiner is trained to find, at all levels.
        """
        self.vae = pipeline.vae.to(device).eval().requires_grad_(False)
        _skip_idle_blocks(self.vae.encoder)
        self.reference_scale = 1.0
        """Factor on the reference's latents, to see what it does; 1 is the published one, which the report calls 5."""
        self.device = device
        self.sigmas = torch.from_numpy(training_sigmas(pipeline.scheduler.config)).to(device)
        self.first_sigma = float(self.sigmas[max(1, round(strength * len(self.sigmas))) - 1])
        """Noise level of a refiner's start."""
        with torch.no_grad():
            text = text_states(pipeline.tokenizer, pipeline.text_encoder, "", pipeline.text_encoder.device)
        self.text = text.to(device, torch.float32)
        self._null = _null_pixels(pipeline.feature_extractor_vae, null).to(device, self.vae.dtype)

    @torch.no_grad()
    def __call__(self, item: Item, prediction: Prediction = "v") -> Noised:
        """Encode a collated batch of `ViewItems` and bring it to its noise levels."""
        item = {name: value.to(self.device, non_blocking=True) for name, value in item.items()}
        sigma = self.sigmas[item["timestep"]]
        keep = item["keep"]
        pixels = torch.where(keep[:, None, None, None], item["vae_pixels"].to(self.vae.dtype), self._null)
        # Neither multiplied by the scaling factor nor shifted: see `zero123pp.diffusion.latents`.
        reference = self._posterior(pixels, item["noise_condition"]) * self.reference_scale
        latents = self._posterior(scale_image(item["target"] * 2 - 1).to(self.vae.dtype), item["noise_target"])
        latents = scale_latents(latents * self.vae.config.scaling_factor)
        beside, noise, more = sigma[:, None, None, None], item["noise"], {}
        if "first_stage" in item:
            more["first_stage"] = latent_space.encode(self.vae, item["first_stage"]).float()
            noise = noise + (more["first_stage"] - latents) / self.first_sigma
        inputs = {
            "noised": noised_reference(latents, noise, beside),
            "noised_reference": noised_reference(reference, item["noise_reference"], beside),
            "timestep": item["timestep"],
            "text": self.text,
            "clip_pixels": item["clip_pixels"],
            "keep": keep,
        }
        if "control" in item:
            inputs["control"] = item["control"]
        return Noised(inputs | more, target(prediction, latents, noise, sigma), sigma, latents)

    def _posterior(self, pixels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """One sample of the posterior of each picture, by its own noise, in single precision."""
        posterior = self.vae.encode(pixels).latent_dist
        return posterior.mean.float() + posterior.std.float() * noise


def _skip_idle_blocks(module: torch.nn.Module) -> None:
    """Let residual blocks whose last convolution is zero pass their input on without computing that they do.

    `zero123pp.train.multiview.codec` makes such encoders; they spend most of their time so.
    """
    for part in module.modules():
        if isinstance(part, ResnetBlock2D) and not part.conv2.weight.any() and not part.conv2.bias.any():
            part.forward = _pass_on if part.conv_shortcut is None else partial(_pass_on, shortcut=part.conv_shortcut)


def _pass_on(
    hidden: torch.Tensor, temb: torch.Tensor | None = None, *, shortcut: torch.nn.Module | None = None
) -> torch.Tensor:
    return hidden if shortcut is None else shortcut(hidden)


def _null_pixels(extractor: ImagePreprocessor, null: str) -> torch.Tensor:
    """(1, 3, h, w) pixels that stand for no picture: zero after normalisation is gray, before it black."""
    gray = torch.zeros(1, 3, *extractor.crop)
    if null == "gray":
        return gray
    mean, std = (torch.as_tensor(v, dtype=torch.float32).reshape(1, -1, 1, 1) for v in (extractor.mean, extractor.std))
    return gray - mean / std
