"""Writing the trained network as ONNX, small and without torch at run time."""

import io
import warnings
from pathlib import Path

import torch
from torch import nn

from zero123pp.train.matting.network import MattingNetwork
from zero123pp.train.matting.train import load_checkpoint

OPSET = 17


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
    import onnx

    network = MattingNetwork()
    content = load_checkpoint(checkpoint)
    network.load_state_dict(content["mean"])
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracing exporter, which is deprecated, about its own future
        _trace(network, buffer)
    model = onnx.load_from_string(buffer.getvalue())
    _store_as_half(model)
    onnx.checker.check_model(model)
    model.doc_string = f"cutout network of zero123pp, {content['step']} steps"
    path = Path(path)
    path.write_bytes(model.SerializeToString())
    return path


def _trace(network: MattingNetwork, buffer: io.BytesIO) -> None:
    torch.onnx.export(
        _AlphaOnly(network).eval(),
        (torch.zeros(1, 3, 160, 192),),
        buffer,
        input_names=["rgb"],
        output_names=["alpha"],
        dynamic_axes={"rgb": {2: "height", 3: "width"}, "alpha": {2: "height", 3: "width"}},
        opset_version=OPSET,
        dynamo=False,
    )


def _store_as_half(model: "onnx.ModelProto") -> None:  # noqa: F821
    """Large float32 initialisers to float16, each followed by a Cast back."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 1024:
            continue
        wide, narrow = tensor.name, tensor.name + "_half"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), narrow))
        casts.append(helper.make_node("Cast", [narrow], [wide], to=TensorProto.FLOAT))
    for position, node in enumerate(casts):
        model.graph.node.insert(position, node)
