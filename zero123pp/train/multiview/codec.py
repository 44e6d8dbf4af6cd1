"""A small VAE whose encoder is known without training: principal components of patches, in AutoencoderKL's own weights.

Training a small VAE costs a processor more than training the UNet. But the best linear code of 8x8 patches needs only
the statistics of some pictures, and an ordinary AutoencoderKL can compute it exactly:

- each "downsample" convolution (stride 2) gathers 2x2 pixels into channels, so three of them gather 8x8;
- residual blocks whose last convolution is zero pass their input on (a 1x1 shortcut copies channels);
- the last norm is undone by channels that are constant: with ``+K`` and ``-K`` beside ``z`` and ``-z`` in a group, mean
  and spread are those of the constants, and the norm is a division by a known number;
- SiLU is undone by taking differences, as ``silu(x) - silu(-x) = x``.

The decoder cannot be had so (nearest-neighbour upsampling mixes the four pixels it makes), and is fitted to the fixed
latents by `fit_decoder`. The latents have the published scale: about 1 in diffusion space, 1 / (0.75 * 0.18215) more in
the reference, see `zero123pp.diffusion.latents`.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn

from zero123pp.diffusion import scale_image, unscale_latents
from zero123pp.errors import BadInput
from zero123pp.recon.metrics import decibels
from zero123pp.train import scheduled_rate

PATCH = 8
"""Pixels along a side of what one latent position stands for."""

SPREAD = 0.9
"""Root mean square of the latents in diffusion space."""

WHITENING = 0.5
"""Power of its own deviation by which a component is divided: 0 keeps the shares of the picture's variance, so that
the loss counts coarse structure most; 1 makes all components equal, down to those that are mostly noise."""

_LOG_VARIANCE = -3.0
"""Of the posterior in VAE space, where latents are about 7: noise of 3 percent."""

_CONSTANT = 256.0
"""Of the channels that undo the norm; latents are about 1 there, so the norm is off by 1e-5."""


@torch.no_grad()
def set_encoder(vae: AutoencoderKL, tiles: torch.Tensor) -> None:
    """Make the encoder of ``vae`` the principal components of pictures.

    Args:
        vae: four levels, one residual block each, no attention, no convolution after the encoder.
        tiles: (n, 3, S, S) pictures in [0, 1]; some hundred are enough.

    Raises:
        BadInput: another shape of VAE, or too few channels.
    """
    config, encoder = vae.config, vae.encoder
    widths, latents, groups = config.block_out_channels, config.latent_channels, config.norm_num_groups
    each = latents // groups
    room = widths[-1] // groups - 2 * each
    if (
        len(widths) != 4 or config.use_quant_conv or config.mid_block_add_attention or latents % groups
        or room < 2 or widths[0] < 12 or widths[3] != widths[2]
    ):  # fmt: skip
        raise BadInput(f"the VAE has channels {list(widths)} and {latents} latents; no linear code fits into it")
    pixels = scale_image(tiles * 2 - 1)
    for module in (encoder, vae.decoder):
        _pass_residuals_on(module)
    _copy(encoder.conv_in, torch.eye(3))
    for block, (inside, outside) in zip(encoder.down_blocks[1:], pairwise(widths)):
        if inside != outside:
            _copy(block.resnets[0].conv_shortcut, torch.eye(inside))
    first, second, third = (block.downsamplers[0].conv for block in encoder.down_blocks[:3])
    _gather(first, torch.eye(12), torch.zeros(12))
    fours = _patches(pixels, 4)  # (n, 48), in the order of two gathers
    kept = min(widths[1], 48)
    mean, basis, _ = _components(fours, kept)
    _gather(second, basis, -basis @ mean)
    eights = _patches(_by_position((fours - mean) @ basis.T, len(tiles)), 2)
    mean, basis, deviation = _components(eights, latents)
    scale = deviation**-WHITENING
    scale *= SPREAD / ((deviation * scale) ** 2).mean().sqrt()
    matrix, bias = scale[:, None] * basis, -(scale[:, None] * basis) @ mean
    _with_constants(third, matrix, bias, groups, each)
    _undo_norm(vae, groups, each)


def _pass_residuals_on(module: nn.Module) -> None:
    """Zero the last convolution of each residual block: what goes in comes out, and training may change that."""
    for part in module.modules():
        if type(part).__name__ == "ResnetBlock2D":
            nn.init.zeros_(part.conv2.weight)
            nn.init.zeros_(part.conv2.bias)


def _copy(conv: nn.Conv2d, matrix: torch.Tensor) -> None:
    """Make a convolution apply ``matrix`` to its first channels, pixel by pixel."""
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    centre = conv.weight.shape[-1] // 2
    conv.weight[: len(matrix), : matrix.shape[1], centre, centre] = matrix


def _gather(conv: nn.Conv2d, matrix: torch.Tensor, bias: torch.Tensor) -> None:
    """Make a convolution of stride 2 apply ``matrix`` (out, 4 in) to its first channels in blocks of 2x2 pixels.

    diffusers pads below and right, so the four taps at the top left are the block.
    """
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    inside = matrix.shape[1] // 4
    conv.weight[: len(matrix), :inside, :2, :2] = matrix.view(len(matrix), inside, 2, 2)
    conv.bias[: len(bias)] = bias


def _with_constants(conv: nn.Conv2d, matrix: torch.Tensor, bias: torch.Tensor, groups: int, each: int) -> None:
    """The last gather: in each group of channels ``each`` latents, their negatives, and constants of both signs."""
    width = conv.out_channels // groups
    whole, offset = torch.zeros(conv.out_channels, matrix.shape[1]), torch.zeros(conv.out_channels)
    for group in range(groups):
        start, mine = group * width, slice(group * each, (group + 1) * each)
        for sign, first in ((1, start), (-1, start + each)):
            whole[first : first + each], offset[first : first + each] = sign * matrix[mine], sign * bias[mine]
        constants = _constants(width - 2 * each)
        offset[start + 2 * each : start + width] = constants
    _gather(conv, whole, offset)


def _constants(count: int) -> torch.Tensor:
    """As many of both signs, summing to 0; an odd one is 0."""
    signs = torch.tensor([1.0, -1.0]).repeat(count // 2)
    return torch.cat([signs * _CONSTANT, torch.zeros(count % 2)])


def _undo_norm(vae: AutoencoderKL, groups: int, each: int) -> None:
    """Norm, SiLU and last convolution of the encoder: latents in VAE space, and a constant variance."""
    encoder, latents = vae.encoder, groups * each
    width = encoder.conv_norm_out.num_channels // groups
    spread = _constants(width - 2 * each).square().sum().div(width).sqrt()
    nn.init.constant_(encoder.conv_norm_out.weight, float(spread))
    nn.init.zeros_(encoder.conv_norm_out.bias)
    difference = torch.zeros(2 * latents, groups * width)
    for latent in range(latents):
        first = latent // each * width + latent % each
        difference[latent, first], difference[latent, first + each] = 1, -1
    # From diffusion space, where the latents were scaled, to VAE space.
    one, zero = (unscale_latents(torch.tensor(v)) / vae.config.scaling_factor for v in (1.0, 0.0))
    _copy(encoder.conv_out, difference * (one - zero))
    encoder.conv_out.bias[:latents] = zero
    encoder.conv_out.bias[latents:] = _LOG_VARIANCE


def _patches(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """(n, C, S, S) to the vectors (n (S/size)^2, C size^2) of its blocks, in the order that repeated gathers make."""
    while size > 1:
        pictures = nn.functional.pixel_unshuffle(pictures, 2)
        size //= 2
    return pictures.permute(0, 2, 3, 1).flatten(0, 2)


def _by_position(vectors: torch.Tensor, pictures: int) -> torch.Tensor:
    """Vectors of `_patches` back as channels of pictures."""
    side = round((len(vectors) / pictures) ** 0.5)
    return vectors.view(pictures, side, side, -1).permute(0, 3, 1, 2)


def _components(vectors: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean (d,), principal directions (count, d) and deviations along them (count,)."""
    values = vectors.double().numpy()
    mean = values.mean(0)
    variances, directions = np.linalg.eigh(np.cov(values.T))
    order = np.argsort(variances)[::-1][:count]
    basis = directions[:, order].T
    # Of two opposite directions always the same, whatever the linear algebra library gives.
    basis = basis * np.sign(basis[np.arange(count), np.abs(basis).argmax(1)])[:, None]
    deviations = np.sqrt(np.maximum(variances[order], 1e-12))
    return tuple(torch.from_numpy(np.ascontiguousarray(v)).float() for v in (mean, basis, deviations))


@torch.no_grad()
def codec_quality(vae: AutoencoderKL, pictures: torch.Tensor) -> dict[str, float]:
    """PSNR in dB over all pixels of pictures (n, 3, S, S) in [0, 1]: of the decoder, and of the best linear one.

    The latter is fitted to these very pictures, patch by patch, so it is what the latents hold.
    """
    pixels = scale_image(pictures * 2 - 1)
    latents = torch.cat([vae.encode(part).latent_dist.mode() for part in pixels.split(16)])
    decoded = torch.cat([vae.decode(part).sample for part in latents.split(16)])
    codes = latents.permute(0, 2, 3, 1).flatten(0, 2).double()
    design = torch.cat([codes, torch.ones(len(codes), 1, dtype=codes.dtype)], 1)
    patches = _patches(pixels, PATCH).double()
    linear = design @ torch.linalg.lstsq(design, patches).solution
    errors = {"decoder_psnr": decoded - pixels, "linear_psnr": linear - patches}
    return {name: round(decibels(float(e.square().mean()) * 0.8**2), 3) for name, e in errors.items()}


def fit_decoder(
    vae: AutoencoderKL,
    batches: Callable[[int], torch.Tensor],
    steps: int,
    *,
    learning_rate: float = 2e-3,
    progress: Callable[[float], None] | None = None,
) -> list[float]:
    """Train the decoder on the fixed encoder's latents: squared error plus absolute error.

    Args:
        vae: in single precision, after `set_encoder`; its decoder is changed.
        batches: (step) to pictures (n, 3, S, S) in [0, 1].
        steps: how many.
        learning_rate: peak; it falls to 0 along a cosine.
        progress: called with the fraction done.

    Returns:
        Mean squared error over pixels in [0, 1] of each step.
    """
    device = vae.device
    optimiser = torch.optim.AdamW(vae.decoder.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    errors = []
    vae.decoder.requires_grad_(True)
    for step in range(steps):
        rate = scheduled_rate(learning_rate, step, steps, warmup=steps // 10, decay=0.9, shape="cosine")
        for group in optimiser.param_groups:
            group["lr"] = rate
        pictures = scale_image(batches(step).to(device) * 2 - 1)
        with torch.no_grad():
            latents = vae.encode(pictures).latent_dist.mode()
        difference = vae.decode(latents).sample - pictures
        loss = difference.square().mean() * 10 + difference.abs().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(vae.decoder.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        errors.append(float(difference.detach().square().mean()) * 0.8**2)
        if progress:
            progress((step + 1) / steps)
    vae.decoder.requires_grad_(False)
    return errors
