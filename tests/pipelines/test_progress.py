"""What is told of a run while it goes on."""

import numpy as np
import pytest

from zero123pp.pipelines.progress import peak_memory_mb, reset_peak_memory


def test_peak_memory_counts_from_the_reset():
    if not reset_peak_memory():
        pytest.skip("this system cannot reset the peak")
    block = np.ones(40_000_000)
    before = peak_memory_mb()
    del block
    assert reset_peak_memory()
    assert peak_memory_mb() < before - 200
