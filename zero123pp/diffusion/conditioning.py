"""What the UNet is told about the input picture: its VAE latents (local) and its CLIP embedding (global).

The local condition is read through `zero123pp.diffusion.reference`. The global one is added to the text states with a
trained weight for each token position, as in FlexDiffuse (report, section 2.4).
"""

from dataclasses import dataclass

import torch
from transformers import CLIPTokenizer

from zero123pp.diffusion.noise import NoiseSource
from zero123pp.errors import BadInput


@dataclass(frozen=True)
class Conditions:
    """The conditions of one sampling run, in batch order [negative x n, positive x n] (or just positive x n)."""

    latents: torch.Tensor
    """(batch, 4, h, w) VAE latents of the reference, neither multiplied by the scaling factor nor shifted."""
    hidden_states: torch.Tensor
    """(batch, 77, channels) text states; those of the positive half with the picture added."""


def text_states(
    tokenizer: CLIPTokenizer, text_encoder: torch.nn.Module, prompt: str, device: torch.device
) -> torch.Tensor:
    """Last hidden states (1, 77, channels) of ``prompt``, after the final norm; no attention mask, as in training."""
    ids = tokenizer(
        prompt,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    return text_encoder(ids.to(device))[0]


@dataclass(frozen=True)
class Texts:
    """What is said beside the pictures: one text for all of them, or one each; or its states instead."""

    positive: list[str]
    negative: list[str]
    positive_states: torch.Tensor | None = None
    """(1 or pictures, 77, C)."""
    negative_states: torch.Tensor | None = None

    def states(
        self, tokenizer: CLIPTokenizer, text_encoder: torch.nn.Module, device: torch.device, pictures: int, guided: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Last hidden states of both halves; None for the negative one where there is no guidance.

        Raises BadInput for a text and its states at once, or states of another shape.
        """

        def half(name: str, texts: list[str], given: torch.Tensor | None) -> torch.Tensor:
            if given is None:
                return torch.cat([text_states(tokenizer, text_encoder, text, device) for text in texts])
            if any(texts):
                raise BadInput(f"{name} and {name}_embeds are both given; leave one out")
            wanted = (tokenizer.model_max_length, text_encoder.config.hidden_size)
            if given.ndim != 3 or len(given) not in (1, pictures) or tuple(given.shape[1:]) != wanted:
                got, rows = tuple(given.shape), f"1 or {pictures}"
                raise BadInput(f"{name}_embeds have shape {got}; expected ({rows}, {wanted[0]}, {wanted[1]})")
            return given.to(device, text_encoder.dtype)

        positive = half("prompt", self.positive, self.positive_states)
        return positive, half("negative_prompt", self.negative, self.negative_states) if guided else None


def add_image(text: torch.Tensor, image_embeds: torch.Tensor, ramp: torch.Tensor) -> torch.Tensor:
    """FlexDiffuse: ``T'_i = T_i + w_i I`` for text (batch, 77, C), image (batch, C) and weights (77,)."""
    return text + ramp.to(text)[:, None] * image_embeds[:, None, :]


def posterior_sample(vae: torch.nn.Module, pixels: torch.Tensor, noise: NoiseSource) -> torch.Tensor:
    """Samples (pictures or images, 4, h, w) of the VAE's posterior of ``pixels`` (pictures, 3, H, W), unscaled.

    Pictures are encoded one by one: a batch adds up in another order, and would give a picture other bits than alone.
    """
    posteriors = [vae.encode(picture).latent_dist for picture in pixels.split(1)]
    mean, std = (torch.cat([getattr(posterior, name) for posterior in posteriors]) for name in ("mean", "std"))
    eps = noise.posterior(tuple(mean.shape)).to(mean)
    return _for_each(mean, len(eps)) + _for_each(std, len(eps)) * eps


def reference_latents(
    vae: torch.nn.Module, pixels: torch.Tensor, noise: NoiseSource, *, images: int, guided: bool
) -> torch.Tensor:
    """Latents (batch, 4, h, w) of reference pictures (pictures, 3, H, W), in the batch order of `Conditions`.

    The negative picture is zero *after* normalisation, so mid-gray: the empty background of every sheet.
    """
    positive = posterior_sample(vae, pixels, noise)
    negative = posterior_sample(vae, torch.zeros_like(pixels), noise) if guided else None
    return both_halves(negative, positive, images)


def both_halves(negative: torch.Tensor | None, positive: torch.Tensor, images: int) -> torch.Tensor:
    """[negative x images, positive x images] of tensors (rows, ...); without ``negative`` only the latter.

    ``images`` is a multiple of the rows; each row is there for equally many images that follow each other.
    """
    halves = [positive] if negative is None else [negative, positive]
    return torch.cat([_for_each(half, images) for half in halves])


def _for_each(rows: torch.Tensor, images: int) -> torch.Tensor:
    return rows.repeat_interleave(images // len(rows), dim=0)
