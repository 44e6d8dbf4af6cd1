"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from paths import ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of larger reference data, when it lies beside the checkout (or where ZERO123PP_SHARED says)."""
    folder = Path(os.environ.get("ZERO123PP_SHARED", ROOT.parent / "shared"))
    if not (folder / "README.md").is_file():
        pytest.skip(f"no reference data in {folder}")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """The tiny checkpoints and the reference's outputs, see tests/golden/README.md."""
    return ROOT / "tests" / "golden"


@pytest.fixture(scope="session")
def tiny(golden) -> Path:
    return golden / "models" / "tiny-zero123plus"


@pytest.fixture(scope="session")
def tiny_controlnet(golden) -> Path:
    return golden / "models" / "tiny-controlnet-depth"
