"""What a feature distance is, and what all of them share: reading weights, batches, unit lengths."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from zero123pp.errors import BadInput, MissingBackend


class FeatureDistance(Protocol):
    """A distance between two pictures of equal size; 0 for equal ones."""

    name: str
    """Of the column, with the network in it."""
    about: str
    """One sentence for the page of results."""

    def __call__(self, picture: np.ndarray, truth: np.ndarray) -> float:
        """Between pictures (H, W, 3), float, sRGB in [0, 1]."""
        ...


def read_weights(*files: str | Path) -> dict[str, Any]:
    """The tensors of .pth, .pt or .safetensors files, all together; nothing in them is executed."""
    try:
        import torch
    except ImportError as error:
        raise MissingBackend(f"feature distances need torch ({error}); try: pip install '.[diffusion]'") from error
    tensors: dict[str, Any] = {}
    for file in files:
        try:
            if str(file).endswith(".safetensors"):
                from safetensors.torch import load_file

                loaded = load_file(file)
            else:
                loaded = torch.load(file, map_location="cpu", weights_only=True)
            tensors |= {str(name): tensor for name, tensor in loaded.items() if isinstance(tensor, torch.Tensor)}
        except Exception as error:  # unpicklers and their files fail in every way
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise BadInput(f"cannot read weights from {file}: {reason}") from error
    return tensors


class Remembered:
    """Features of the last picture: many pictures are compared with one truth."""

    def __init__(self, features: Callable[[np.ndarray], list[Any]]) -> None:
        self._features = features
        self._picture: np.ndarray | None = None
        self._found: list[Any] = []

    def of(self, picture: np.ndarray) -> list[Any]:
        """The features; computed only if the array is another one than last time."""
        if picture is not self._picture:
            self._found, self._picture = self._features(picture), picture
        return self._found


def need(tensors: dict[str, Any], name: str, shape: Sequence[int | None]) -> Any:
    """A tensor as float32; BadInput unless it is there in that shape (None: any length)."""
    if name not in tensors:
        raise BadInput(f"the weights have no {name}; are they of another network?")
    tensor = tensors[name].float()
    if len(tensor.shape) != len(shape) or any(want not in (None, got) for want, got in zip(shape, tensor.shape)):
        raise BadInput(f"{name} has shape {tuple(tensor.shape)}; expected {tuple(shape)}; is it of another network?")
    return tensor


def as_batch(picture: np.ndarray) -> Any:
    """A picture (H, W, 3) as a tensor (1, 3, H, W) float32."""
    import torch

    if picture.ndim != 3 or picture.shape[2] != 3 or not np.issubdtype(picture.dtype, np.floating):
        raise BadInput(f"a picture has shape {picture.shape} and type {picture.dtype}; expected (H, W, 3) floats")
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32))[None]


def unit(features: Any, eps: float = 1e-10) -> Any:
    """Features (N, C, H, W) with unit length over the channels."""
    return features / (features.pow(2).sum(1, keepdim=True).sqrt() + eps)
