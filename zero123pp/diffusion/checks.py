"""What a call of a pipeline may be given, and that its numbers stay numbers."""

import math
from collections.abc import Sequence
from numbers import Integral, Real

import torch

from zero123pp.errors import BadInput, StageFailed

OF_STEPS = ("latents", "prompt_embeds")
"""What a callback of a step can be given."""


def listed(name: str, value: object, count: int | None = None) -> list:
    """A value as a list: of itself alone, or, where it is a list, of any length above 0 or of ``count``; BadInput."""
    if not isinstance(value, list | tuple):
        return [value]
    if not value or len(value) != (count or len(value)):
        wanted = "at least one" if count is None else f"one, or one for each of {count} pictures"
        raise BadInput(f"{name} is a list of {len(value)}; expected {wanted}")
    return list(value)


def check_call(factor: int, output_type: str, whole: dict[str, int], real: dict[str, float]) -> None:
    """BadInput unless the arguments of a call make sense: positive integers, and finite numbers, by name."""
    for name, value in whole.items():
        if not isinstance(value, Integral) or value < 1:
            raise BadInput(f"{name} is {value!r}; expected an integer of 1 or more")
        if name in ("width", "height") and value % factor:
            raise BadInput(f"{name} is {value} px; expected a multiple of {factor}")
    for name, value in real.items():
        if not isinstance(value, Real) or not math.isfinite(value):
            raise BadInput(f"{name} is {value!r}; expected a finite number")
    if output_type not in ("pil", "np", "latent"):
        raise BadInput(f"output_type is {output_type!r}; choose 'pil', 'np' or 'latent'")


def check_interval(shares: tuple[float, float]) -> None:
    """BadInput unless these are two ascending shares of the steps."""
    if not (len(shares) == 2 and 0 <= shares[0] <= shares[1] <= 1):
        raise BadInput(f"guidance_interval is {shares!r}; expected two ascending shares from 0 to 1")


def check_callback(wanted: Sequence[str]) -> None:
    """BadInput unless a callback can be given all of these."""
    if unknown := [name for name in wanted if name not in OF_STEPS]:
        raise BadInput(f"callback_on_step_end_tensor_inputs has {unknown[0]!r}; choose of {', '.join(OF_STEPS)}")


def check_finite(tensor: torch.Tensor, what: str, dtype: torch.dtype) -> None:
    """StageFailed when numbers ran out of range, which would show as a black or noisy picture."""
    if not torch.isfinite(tensor).all():
        raise StageFailed(
            f"{what} in {dtype} ran into NaN or infinity; use torch_dtype=torch.float32 or torch.bfloat16"
        )
