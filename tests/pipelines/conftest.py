"""Fixtures of the pipelines' tests."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _tiny_networks_in_float32():
    """What a processor with bfloat16 takes by itself is no gain on tiny networks, but 20 to 30 times the time.

    tests/diffusion/test_fast.py is about bfloat16; tests/pipelines/models/test_zero123plus.py about who takes it.
    """
    from zero123pp.diffusion import cpu

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(vars(cpu), "has_bfloat16", lambda: False)  # without loading the true one, and torch with it
        yield
