"""What compiled kernels read comes to them in one form, so that each kernel is compiled once.

Numba compiles a kernel anew for every type, memory layout and writability of its arguments; arrays of records are
read-only, others are not.
"""

import numpy as np


def kernel_input(array: np.ndarray, dtype: type | None = None) -> np.ndarray:
    """``array`` as a contiguous array that the kernel cannot write to; a view of it where that is possible."""
    view = np.ascontiguousarray(array, dtype).view()
    view.flags.writeable = False
    return view
