"""Writing the trained network for use without torch: one ONNX graph whose weights lie in a safetensors file."""

from pathlib import Path

import torch
from torch import nn

from zero123pp.files import make_folder
from zero123pp.train import save_with_shared_weights, traced
from zero123pp.train.one_view.network import OneViewNet

NAME = "one_view"
"""Of the graph and of the weights."""


class _Maps(nn.Module):
    """The network's outputs as two arrays: maps (B, 16, S, S) and pose (B, 4)."""

    def __init__(self, network: OneViewNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        r = self.network(x)
        single = [r.gap.sigmoid(), r.log_error, r.foreground.sigmoid()]
        maps = [r.layers, r.front_normal, r.back_normal, r.back_rgb, *(m[:, None] for m in single)]
        return torch.cat(maps, 1), torch.cat([r.up, r.tan_half_fov[:, None]], 1)


def export_one_view(network: OneViewNet, side: int, folder: str | Path, about: dict[str, str]) -> Path:
    """Write a network for pictures of ``side`` px as ``one_view.onnx`` beside ``one_view.safetensors``.

    Args:
        network: in evaluation mode.
        side: what it was last trained at; of other sizes it knows little.
        folder: gets both files.
        about: goes into the header of the weights.

    Returns:
        Path of the safetensors file.
    """
    network = network.folded()  # so that the parameters keep their names, and training can go on from them
    example = torch.zeros(2, 5, side, side)
    free = {name: {0: "pictures"} for name in ("picture", "maps", "pose")}
    with torch.no_grad():
        model = traced(_Maps(network), [example], ["picture"], ["maps", "pose"], free)
    folder = make_folder(folder)
    weights = folder / f"{NAME}.safetensors"
    save_with_shared_weights({NAME: model}, weights, about | {"licence": "Apache-2.0"})
    return weights
