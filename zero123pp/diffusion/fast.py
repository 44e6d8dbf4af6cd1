"""The reference attention of `zero123pp.diffusion.reference` in less time, on a processor and without gradients.

Same mathematics, other order of work:

- the write pass keeps keys and values instead of tokens, so the read pass does not project them a second time;
- the write pass ends at the last layer that keeps something; what would follow is dropped anyway;
- attention in bfloat16 uses the processor's dot products (`zero123pp.diffusion.cpu.attention`);
- 3x3 convolutions use fewer products (`zero123pp.diffusion.cpu.winograd`) where that was measured to help;
- feed-forward layers go through the cache in blocks (`zero123pp.diffusion.cpu.feed_forward`).

`accelerate` changes how a UNet computes, not its weights or their names. With gradients, or outside of the two passes,
it computes as before.
"""

import torch
from diffusers.models.attention_processor import Attention

from zero123pp.diffusion.cpu import BlockedFeedForward, attend, has_blocks, winograd
from zero123pp.diffusion.reference import Filled, slice_sizes

Kept = dict[str, tuple[torch.Tensor, torch.Tensor]]
"""Keys and values (batch, positions, channels) of the reference by the name of the self-attention layer's processor."""

_MIN_CHANNELS = {torch.bfloat16: 320, torch.float32: 640}
"""Convolutions with fewer channels are faster the plain way, by type (measured on two cores with AVX512)."""


class _AllKept(Exception):
    """Ends the write pass."""


class FastReferenceAttention:
    """Attention processor that keeps its keys and values, or attends to kept ones as well."""

    def __init__(self, name: str | None, is_last: bool, slice_size: int | None = None):
        """``name`` of the self-attention layer, None for a cross-attention layer; the last one ends the write pass.

        ``slice_size`` is the heads that are worked on at a time, None for all.
        """
        self.name, self.is_last, self.slice_size = name, is_last, slice_size

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        write_kept: Filled | None = None,
        read_kept: Kept | None = None,
    ) -> torch.Tensor:
        """Attention of ``hidden_states`` (batch, positions, channels); diffusers passes kept ones on by name."""
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        key, value = attn.to_k(source), attn.to_v(source)
        if self.name is not None and write_kept is not None:
            write_kept.by_layer[self.name] = key, value
            if self.is_last:
                raise _AllKept
        if self.name is not None and read_kept is not None:
            more_keys, more_values = read_kept[self.name]
            key, value = torch.cat([key, more_keys], dim=1), torch.cat([value, more_values], dim=1)
        return attn.to_out[0](attend(attn.to_q(hidden_states), key, value, attn.heads, self.slice_size))


def accelerate(unet: torch.nn.Module) -> None:
    """Let ``unet`` compute by the means of this module; does nothing where it does already."""
    if not all(isinstance(processor, FastReferenceAttention) for processor in unet.attn_processors.values()):
        keeping = [name for name in _order(unet) if name.endswith(".attn1.processor")]
        unet.set_attn_processor(
            {
                name: FastReferenceAttention(name if name in keeping else None, name == keeping[-1], size)
                for name, size in slice_sizes(unet).items()
            }
        )
    unet.to(memory_format=torch.channels_last)
    for module in unet.modules():
        if isinstance(module, torch.nn.Conv2d) and _has_winograd_form(module):
            module.forward = _WinogradForward(module)
        elif has_blocks(module):
            module.forward = BlockedFeedForward(module)
        elif isinstance(module.__dict__.get("forward"), BlockedFeedForward):
            del module.forward  # its linear maps are plain no more: in 8 bit, or with a LoRA beside them


def restore(unet: torch.nn.Module) -> None:
    """Undo `accelerate` for all but the attention, which is whatever is installed next."""
    for module in unet.modules():
        if isinstance(module.__dict__.get("forward"), (_WinogradForward, BlockedFeedForward)):
            del module.forward


def release(unet: torch.nn.Module) -> None:
    """Give back the memory of the transformed filters (1.7 GB at full size); the next call makes them again."""
    for module in unet.modules():
        forward = module.__dict__.get("forward")
        if isinstance(forward, _WinogradForward):
            forward.forget()


def write_reference(
    unet: torch.nn.Module, reference: torch.Tensor, timestep: torch.Tensor, hidden_states: torch.Tensor
) -> Kept:
    """Keys and values of noised ``reference`` latents; see `zero123pp.diffusion.reference.write_reference`."""
    kept: Kept = {}
    try:
        unet(
            reference.contiguous(memory_format=torch.channels_last),
            timestep,
            encoder_hidden_states=hidden_states,
            cross_attention_kwargs={"write_kept": Filled(kept)},
            return_dict=False,
        )
    except _AllKept:
        pass
    return kept


def read_reference(
    unet: torch.nn.Module,
    sample: torch.Tensor,
    timestep: torch.Tensor,
    hidden_states: torch.Tensor,
    kept: Kept,
    **control: object,
) -> torch.Tensor:
    """The prediction with what `write_reference` kept; see `zero123pp.diffusion.reference.read_reference`."""
    return unet(
        sample.contiguous(memory_format=torch.channels_last),
        timestep,
        encoder_hidden_states=hidden_states,
        cross_attention_kwargs={"read_kept": kept},
        return_dict=False,
        **control,
    )[0]


def _order(unet: torch.nn.Module) -> list[str]:
    """Names of the attention processors in the order in which a call of the UNet reaches them."""
    stages = {"down_blocks": 0, "mid_block": 1, "up_blocks": 2}
    return sorted(unet.attn_processors, key=lambda name: stages[name.split(".")[0]])  # stable: blocks keep their order


def _has_winograd_form(conv: torch.nn.Conv2d) -> bool:
    shape = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups, conv.padding_mode)
    return shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1, "zeros") and conv.weight.device.type == "cpu"


class _WinogradForward:
    """The ``forward`` of one convolution; the transformed filters are made on first use, and again for new weights."""

    def __init__(self, conv: torch.nn.Conv2d):
        self._conv = conv
        self._made_of: tuple | None = None
        self._transformed: torch.Tensor | None = None

    def forget(self) -> None:
        """Drop the transformed filters."""
        self._made_of = self._transformed = None

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        conv = self._conv
        least = _MIN_CHANNELS.get(pixels.dtype)
        if least is None or min(conv.in_channels, conv.out_channels) < least or torch.is_grad_enabled():
            return conv._conv_forward(pixels, conv.weight, conv.bias)
        made_of = (conv.weight.data_ptr(), conv.weight._version, conv.weight.dtype)
        if made_of != self._made_of:
            self._transformed, self._made_of = winograd.transform_weight(conv.weight), made_of
        return winograd.convolve(pixels, self._transformed, conv.bias)
