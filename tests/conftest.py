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
