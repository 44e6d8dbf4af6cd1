"""Benchmarks choose their threads; the tests after them get what was before."""

import pytest


@pytest.fixture(scope="package", autouse=True)
def _threads_as_before():
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
