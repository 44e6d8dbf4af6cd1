"""Reference attention: how the UNet sees the input picture (report, section 2.2; after Zhang's "reference-only").

Every call of the UNet is a pair on the same time step and text states:

1. *write*: the UNet runs on the reference latents, noised to the level of the present step. Each self-attention layer
   keeps its input tokens (after its norm, before its projections); the output is dropped.
2. *read*: the UNet runs on the sheet's latents. In each self-attention layer the sheet's tokens attend to themselves
   and to the kept tokens of the same layer, through the same projections, without mask or weight.

Cross-attention is the ordinary one in both. Tokens travel as arguments, in a plain dictionary by layer: no state stays
in the UNet between calls, and gradients flow through the write pass.
"""

from dataclasses import dataclass

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor, AttnProcessor2_0

from zero123pp.diffusion.cpu import attend as dot_product_attention

Tokens = dict[str, torch.Tensor]
"""Kept tokens (batch, positions, channels) by the name of the self-attention layer's processor."""


@dataclass(frozen=True)
class Filled:
    """The dictionary that the layers of a write pass fill, on its way through the UNet.

    Offloading moves the arguments of every call to its device, and copies dictionaries on the way: tokens that were
    kept in the copy would be lost. What it does not know it passes on as it is.
    """

    by_layer: dict[str, object]


class SlicedAttention:
    """Ordinary attention, some heads at a time: for devices where torch writes all scores of a call out."""

    def __init__(self, slice_size: int):
        """``slice_size`` heads of the batch at a time."""
        self.slice_size = slice_size

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attention of ``hidden_states`` (batch, positions, channels); the UNet's layers have no mask."""
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        attended = dot_product_attention(
            attn.to_q(hidden_states), attn.to_k(source), attn.to_v(source), attn.heads, self.slice_size
        )
        return attn.to_out[0](attended)


class ReferenceAttention:
    """Attention processor that keeps its input tokens, or attends to kept ones as well."""

    def __init__(
        self,
        name: str | None,
        attend: AttnProcessor | AttnProcessor2_0 | None = None,
        slice_size: int | None = None,
    ):
        """One for each attention layer.

        Args:
            name: of the self-attention layer among `Tokens`; None for a cross-attention layer, which does neither.
            attend: how attention is computed; None for torch's fused kernels.
            slice_size: heads at a time, without ``attend``; None for all.
        """
        self.name, self.slice_size = name, slice_size
        self._attend = attend or (AttnProcessor2_0() if slice_size is None else SlicedAttention(slice_size))

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        write_tokens: Filled | None = None,
        read_tokens: Tokens | None = None,
    ) -> torch.Tensor:
        """Attention of ``hidden_states`` (batch, positions, channels); diffusers passes tokens on by argument name."""
        if self.name is not None and write_tokens is not None:
            write_tokens.by_layer[self.name] = hidden_states
        if self.name is not None and read_tokens is not None:
            encoder_hidden_states = torch.cat([hidden_states, read_tokens[self.name]], dim=1)
        return self._attend(attn, hidden_states, encoder_hidden_states, attention_mask)


def install_reference_attention(unet: torch.nn.Module, attend: AttnProcessor | None = None) -> None:
    """Put `ReferenceAttention` into every attention layer of ``unet``; does nothing where it is already in.

    Outside of `write_reference` and `read_reference` the UNet computes what it did before. ``attend`` computes the
    attention in another way than torch's fused kernels. Layers that diffusers' ``enable_attention_slicing`` was told to
    slice stay sliced.
    """
    if all(isinstance(processor, ReferenceAttention) for processor in unet.attn_processors.values()):
        return
    unet.set_attn_processor(
        {
            name: ReferenceAttention(name if name.endswith(".attn1.processor") else None, attend, size)
            for name, size in slice_sizes(unet).items()
        }
    )


def slice_sizes(unet: torch.nn.Module) -> dict[str, int | None]:
    """Heads that each attention layer is to work on at a time, by the name of its processor; None for all.

    diffusers says so by putting a processor of its own in place of whatever was there. It knows nothing of references,
    so only its number is kept; half of one head, its "auto" for a layer with one, is one.
    """
    found = {name: getattr(processor, "slice_size", None) for name, processor in unet.attn_processors.items()}
    return {name: None if size is None else max(1, size) for name, size in found.items()}


def noised_reference(condition: torch.Tensor, noise: torch.Tensor, sigma: float) -> torch.Tensor:
    """Reference latents at noise level ``sigma``, of unit variance scale: ``(c + sigma e) / sqrt(sigma^2 + 1)``.

    Equal to DDPM's ``sqrt(abar) c + sqrt(1 - abar) e``. All shapes (batch, 4, h, w).
    """
    return (condition + sigma * noise) / (sigma**2 + 1) ** 0.5


def write_reference(
    unet: torch.nn.Module, reference: torch.Tensor, timestep: torch.Tensor, hidden_states: torch.Tensor
) -> Tokens:
    """The tokens of noised ``reference`` latents (batch, 4, h, w) under the text states (batch, 77, channels)."""
    tokens: Tokens = {}
    unet(
        reference,
        timestep,
        encoder_hidden_states=hidden_states,
        cross_attention_kwargs={"write_tokens": Filled(tokens)},
        return_dict=False,
    )
    return tokens


def read_reference(
    unet: torch.nn.Module,
    sample: torch.Tensor,
    timestep: torch.Tensor,
    hidden_states: torch.Tensor,
    tokens: Tokens,
    **control: object,
) -> torch.Tensor:
    """The UNet's prediction (batch, 4, H, W) for ``sample`` (batch, 4, H, W) with ``tokens`` of `write_reference`.

    ``control`` takes the residuals of `zero123pp.diffusion.control.control_residuals`.
    """
    return unet(
        sample,
        timestep,
        encoder_hidden_states=hidden_states,
        cross_attention_kwargs={"read_tokens": tokens},
        return_dict=False,
        **control,
    )[0]
