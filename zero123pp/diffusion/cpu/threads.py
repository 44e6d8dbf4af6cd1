"""Torch's tensors and number of threads for kernels that Numba compiles."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def bits(x: torch.Tensor) -> np.ndarray:
    """The bits of a bfloat16 tensor as uint16, sharing its memory."""
    return x.detach().view(torch.uint16).numpy()


@contextmanager
def as_many_as_torch() -> Iterator[None]:
    """Numba's parallel loops use as many threads as torch does, meanwhile."""
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(max(1, min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)))
    try:
        yield
    finally:
        numba.set_num_threads(before)
