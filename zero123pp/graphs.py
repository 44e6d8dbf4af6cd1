"""Bundled networks as ONNX graphs, run by onnxruntime on the processor."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def load_graph(path: str | Path, threads: int) -> "InferenceSession":
    """A graph, ready to run on so many threads; many threads at once may run it.

    The networks that ship are small: with more than two threads, these only wait for each other.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
