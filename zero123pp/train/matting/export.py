"""Writing the trained network as ONNX, small and without torch at run time."""

from pathlib import Path

import torch
from torch import nn

from zero123pp.files import write_file
from zero123pp.train import load_checkpoint, traced
from zero123pp.train.matting.network import MattingNetwork


class _AlphaOnly(nn.Module):
    def __init__(self, network: MattingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return self.network(rgb)[0].sigmoid()


def export_onnx(checkpoint: str | Path, path: str | Path) -> Path:
    """Writes the mean weights of a checkpoint of `train` as ONNX: ``rgb`` (1, 3, H, W) to ``alpha`` (1, 1, H, W).

    Colours are in [0, 1], H and W any multiples of 32. Weights are stored as float16 and widened when the file is
    loaded, so that it computes in float32.

    Args:
        checkpoint: of `zero123pp.train.matting.train.train`.
        path: of the ONNX file.
    """
    network = MattingNetwork()
    content = load_checkpoint(checkpoint)
    network.load_state_dict(content["mean"])
    free = {"rgb": {2: "height", 3: "width"}, "alpha": {2: "height", 3: "width"}}
    model = traced(_AlphaOnly(network), [torch.zeros(1, 3, 160, 192)], ["rgb"], ["alpha"], free)
    model.doc_string = f"cutout network of zero123pp, {content['step']} steps"
    write_file(path, model.SerializeToString())
    return Path(path)
