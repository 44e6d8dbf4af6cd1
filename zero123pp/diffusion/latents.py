"""The value ranges of Zero123++: image space, VAE space and diffusion space.

A renderer's pictures are unlike the photographs the base model was trained on: mostly one flat gray, with less spread.
The authors therefore shift and scale the latents of a sheet to the statistics of natural pictures, and lower the
contrast of every picture before the VAE sees it, which they report to speed up convergence (zero123plus issue 86).

Spaces, from pixels to what the UNet denoises:

- picture ``p`` in [0, 1]; ``2 p - 1`` in [-1, 1];
- image space ``scale_image(2 p - 1) = (p - 0.5) / 0.8`` in [-0.625, 0.625], the VAE's input and output;
- VAE space: the VAE's latents, times its ``scaling_factor``;
- diffusion space ``scale_latents(...)``, where noise is added.

The reference picture stops after the VAE's encoder: its latents are neither multiplied by the scaling factor nor
scaled. That missing factor 1 / 0.18215 = 5.49 is the "scale the reference latent by 5" of the report (issue 66).
"""

import torch

LATENT_SHIFT = 0.22
"""Mean of a gray-backed sheet's latents in VAE space, taken out so that they centre on 0 (zero123plus issue 86)."""

LATENT_SCALE = 0.75
"""Brings the spread of a sheet's latents near 1 (zero123plus issue 86)."""

IMAGE_SCALE = 0.5 / 0.8
"""Contrast of image space over [-1, 1]; equal to the standard deviation 0.8 in ``feature_extractor_vae``."""


def scale_latents(vae_latents: torch.Tensor) -> torch.Tensor:
    """VAE space to diffusion space."""
    return (vae_latents - LATENT_SHIFT) * LATENT_SCALE


def unscale_latents(latents: torch.Tensor) -> torch.Tensor:
    """Diffusion space to VAE space. Inverse of `scale_latents`."""
    return latents / LATENT_SCALE + LATENT_SHIFT


def scale_image(image: torch.Tensor) -> torch.Tensor:
    """[-1, 1] to image space."""
    return image * IMAGE_SCALE


def unscale_image(image: torch.Tensor) -> torch.Tensor:
    """Image space to [-1, 1]. Inverse of `scale_image`."""
    return image / IMAGE_SCALE


def decode(vae: torch.nn.Module, latents: torch.Tensor) -> torch.Tensor:
    """Diffusion space (n, 4, h, w) to pictures (n, 3, 8h, 8w) in [0, 1], float32."""
    vae_latents = unscale_latents(latents).to(vae.dtype) / vae.config.scaling_factor
    image = unscale_image(vae.decode(vae_latents).sample.float())
    return (image / 2 + 0.5).clamp(0, 1)


def encode(vae: torch.nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    """Pictures (n, 3, 8h, 8w) in [0, 1] to diffusion space (n, 4, h, w), in the VAE's type; inverse of `decode`.

    The mean of the posterior; pictures one by one, so that a picture has the same latents in any company.
    """
    pixels = scale_image(pictures * 2 - 1).to(vae.device, vae.dtype)
    means = [vae.encode(picture).latent_dist.mode() for picture in pixels.split(1)]
    return scale_latents(torch.cat(means) * vae.config.scaling_factor)
