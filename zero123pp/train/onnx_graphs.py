"""Torch modules as ONNX graphs with weights in half precision, which run without torch."""

import io
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from zero123pp.errors import BadInput
from zero123pp.files import write_files

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17

_LEAST_SIZE = 1024
"""Smaller initialisers stay as they are."""


def traced(
    module: nn.Module, example: Sequence[torch.Tensor], inputs: Sequence[str], outputs: Sequence[str],
    dynamic: dict[str, dict[int, str]],
) -> "ModelProto":  # fmt: skip
    """The graph of a module; large float32 weights are stored as float16 and widened when the graph is loaded.

    Args:
        module: computes in float32.
        example: inputs of any valid size.
        inputs: their names.
        outputs: names of the outputs.
        dynamic: name to the axes whose size is free, and what they are called.
    """
    import onnx

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracing exporter, which is deprecated, about its own future
        torch.onnx.export(
            module.eval(), tuple(example), buffer, input_names=list(inputs), output_names=list(outputs),
            dynamic_axes=dynamic, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    _store_as_half(model)
    onnx.checker.check_model(model)
    return model


def _store_as_half(model: "ModelProto") -> None:
    """Large float32 initialisers to float16, each followed by a Cast back."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _LEAST_SIZE:
            continue
        wide, narrow = tensor.name, tensor.name + "_half"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), narrow))
        casts.append(helper.make_node("Cast", [narrow], [wide], to=TensorProto.FLOAT))
    for position, node in enumerate(casts):
        model.graph.node.insert(position, node)


def save_with_shared_weights(models: dict[str, "ModelProto"], weights: Path, metadata: dict[str, str]) -> None:
    """Write graphs as ``<name>.onnx`` beside one safetensors file that holds the weights of all of them.

    ONNX keeps external weights as raw bytes at an offset of a file, which is how safetensors lays tensors out: the
    graphs point into it, and any reader of safetensors can open it.

    Args:
        models: name to graph; their large weights are moved out.
        weights: path of the safetensors file; the graphs go into its folder.
        metadata: strings for its header.
    """
    from onnx import numpy_helper
    from safetensors.numpy import save

    moved = {
        f"{name}.{tensor.name.removesuffix('_half')}": tensor
        for name, model in models.items()
        for tensor in model.graph.initializer
        if len(tensor.raw_data) >= 2 * _LEAST_SIZE
    }
    data = save({key: numpy_helper.to_array(tensor) for key, tensor in moved.items()}, metadata)
    places, start = _places(data)
    for key, tensor in moved.items():
        begin, end = places[key]
        _point_outside(tensor, weights.name, start + begin, end - begin)
    graphs = {f"{name}.onnx": model.SerializeToString() for name, model in models.items()}
    write_files(weights.parent, {weights.name: data} | graphs, weights.name)


def parameters_of(graph: Path) -> dict[str, np.ndarray]:
    """Name to float32 value of the parameters of a graph of `traced`; normalisations are gone into convolutions.

    Raises:
        BadInput: the file is missing or no such graph.
    """
    import onnx
    from onnx import numpy_helper

    try:
        model = onnx.load(str(graph))
    except Exception as error:  # protobuf's and onnx's own types
        raise BadInput(f"{graph} is no ONNX graph with its weights beside it: {error}") from error
    return {
        tensor.name.removesuffix("_half"): numpy_helper.to_array(tensor).astype(np.float32)
        for tensor in model.graph.initializer
    }


def _places(data: bytes) -> tuple[dict[str, tuple[int, int]], int]:
    """Begin and end of each tensor of a safetensors file, counted from the second value, the end of the header."""
    import json

    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    return {key: tuple(value["data_offsets"]) for key, value in header.items() if key != "__metadata__"}, 8 + length


def _point_outside(tensor: "TensorProto", location: str, offset: int, length: int) -> None:  # noqa: F821
    from onnx import TensorProto

    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
