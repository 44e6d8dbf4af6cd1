"""Benchmarks choose their threads, some as soon as they are imported; the tests after them get what was before."""

import os

import pytest


@pytest.fixture(scope="module", autouse=True)
def _threads_as_before():
    torch = pytest.importorskip("torch")
    threads, environment = torch.get_num_threads(), dict(os.environ)
    yield
    torch.set_num_threads(threads)
    os.environ.clear()
    os.environ.update(environment)
