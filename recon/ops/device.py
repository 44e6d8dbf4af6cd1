"""Where tensors live."""

from typing import TYPE_CHECKING

from zero123pp.errors import BadInput

if TYPE_CHECKING:
    import torch


def device_of(name: str) -> "torch.device":
    """The torch device called ``name``; for "auto" a CUDA device where there is one, else the processor.

    Raises:
        BadInput: there is no such device here.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadInput(f"there is no device {name!r}; choose 'auto', 'cpu', 'cuda' or 'cuda:N'") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BadInput(f"device {name!r} was asked for, but torch {torch.__version__} finds no CUDA device; use 'cpu'")
    return device
