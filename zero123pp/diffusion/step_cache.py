"""Deep features of one denoising step, used again in the next ones: fewer whole passes of the UNet, other numbers.

Ma et al. 2023, "DeepCache: Accelerating Diffusion Models for Free" (arXiv 2312.00858): what the UNet finds in its deep
layers hardly changes from one step to the next. Every `interval`-th step is whole. In the others only the first
convolution, the last layer of the upper branch and the last convolution run; in between stands what the last layer but
one gave in the whole step before. The write pass over the reference picture is shortened in the same way, and of a
ControlNet only what it adds to the first convolution is kept.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from zero123pp.errors import BadInput

Residuals = dict[str, object]
"""What `zero123pp.diffusion.control.control_residuals` returns."""


class StepCache:
    """The kept features of one sampling run."""

    def __init__(self, unet: torch.nn.Module, interval: int):
        """Whole steps are ``interval`` apart; 1 keeps nothing and changes nothing."""
        if interval > 1 and getattr(unet, "_compiled_call_impl", None) is not None:
            raise BadInput("cache_interval over 1 needs a UNet that is not compiled")
        self._unet, self._interval = unet, interval
        self._since, self._halves = interval, 0
        self._features: dict[tuple[str, int], torch.Tensor] = {}
        self._residuals: dict[int, tuple[torch.Tensor, int]] = {}

    def begin(self, halves: int) -> None:
        """The next step, with 1 or 2 halves of the guidance: a whole one if it is time, or if there were others."""
        is_due = self._since >= self._interval or halves != self._halves
        self._since, self._halves = (1 if is_due else self._since + 1), halves

    @contextmanager
    def passing(self, name: str, part: int) -> Iterator[None]:
        """Round one call of the UNet, the pass called ``name`` of the ``part``-th rows of the batch."""
        if self._interval == 1:
            yield
        elif self._since == 1:
            layer = _layers(self._unet.up_blocks[-1])[-2]
            hook = layer.register_forward_hook(
                lambda _m, _a, out: self._features.__setitem__((name, part), out[0] if isinstance(out, tuple) else out)
            )
            try:
                yield
            finally:
                hook.remove()
        else:
            with _shallow(self._unet, self._features[name, part]):
                yield

    def control(self, part: int, compute: Callable[[], Residuals]) -> Residuals:
        """The ControlNet's residuals: as computed in a whole step; in others the first one of that, and zeros."""
        if self._since == 1:
            residuals = compute()
            if self._interval > 1:
                down = residuals["down_block_additional_residuals"]
                self._residuals[part] = down[0], len(down)
            return residuals
        first, count = self._residuals[part]
        zero = first.new_zeros(())
        return {
            "down_block_additional_residuals": (first, *[zero] * (count - 1)),
            "mid_block_additional_residual": zero,
        }


def _layers(block: torch.nn.Module) -> torch.nn.ModuleList:
    """What ends each layer of an upper block."""
    return getattr(block, "attentions", block.resnets)


@contextmanager
def _shallow(unet: torch.nn.Module, features: torch.Tensor) -> Iterator[None]:
    """Within it the UNet's blocks pass on what they get, all but the last layer, which follows ``features``."""
    last = unet.up_blocks[-1]

    def last_layer(
        hidden_states: torch.Tensor,
        res_hidden_states_tuple: tuple[torch.Tensor, ...],
        temb: torch.Tensor | None = None,
        encoder_hidden_states: torch.Tensor | None = None,
        cross_attention_kwargs: dict | None = None,
        **_: object,
    ) -> torch.Tensor:
        hidden = last.resnets[-1](torch.cat([features, res_hidden_states_tuple[0]], dim=1), temb)
        if not hasattr(last, "attentions"):
            return hidden
        return last.attentions[-1](
            hidden,
            encoder_hidden_states=encoder_hidden_states,
            cross_attention_kwargs=cross_attention_kwargs,
            return_dict=False,
        )[0]

    def same(hidden_states: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        return hidden_states

    def skipping(block: torch.nn.Module) -> Callable[..., tuple]:
        skips = len(block.resnets) + (block.downsamplers is not None)
        return lambda hidden_states, *_, **__: (hidden_states, (hidden_states,) * skips)

    put = {block: skipping(block) for block in unet.down_blocks}
    put |= {block: same for block in (unet.mid_block, *unet.up_blocks[:-1]) if block is not None}
    put[last] = last_layer
    before = {block: block.__dict__.get("forward") for block in put}
    try:
        for block, forward in put.items():
            block.forward = forward
        yield
    finally:
        for block, forward in before.items():
            if forward is None:
                block.__dict__.pop("forward", None)
            else:
                block.forward = forward
