"""Writing the trained network for use without torch."""

from pathlib import Path

import torch
from torch import nn

from zero123pp.files import write_file
from zero123pp.recon.fitting import LOOK_COUNT
from zero123pp.train import load_checkpoint, traced
from zero123pp.train.correction.network import MULTIPLE, CorrectionNet


class _OneMap(nn.Module):
    """The network's outputs as one array (B, 6, H, W), in the order of `Reading`."""

    def __init__(self, network: CorrectionNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        reading = self.network(x)
        return torch.cat([reading.normal, *(each[:, None] for each in reading[1:])], 1)


def export_correction(checkpoint: str | Path, path: str | Path) -> Path:
    """Write the mean weights of a checkpoint as ONNX: ``look`` (1, C, H, W) to ``correction`` (1, 6, H, W).

    H and W are multiples of `MULTIPLE`. Weights are stored as float16 and widened when the file is loaded.
    """
    network, content = CorrectionNet(), load_checkpoint(checkpoint)
    network.load_state_dict(content["mean"])
    free = {name: {2: "height", 3: "width"} for name in ("look", "correction")}
    example = torch.zeros(1, LOOK_COUNT, 4 * MULTIPLE, 5 * MULTIPLE)
    model = traced(_OneMap(network.eval()), [example], ["look"], ["correction"], free)
    model.doc_string = f"correction network of zero123pp, {content['step']} steps"
    write_file(path, model.SerializeToString())
    return Path(path)
