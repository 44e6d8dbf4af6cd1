"""No model of rembg is in reach of the tests of cutouts."""

import pytest


@pytest.fixture(autouse=True)
def no_models(monkeypatch, tmp_path):
    """No rembg model in reach unless a test puts one there, and no agreement to download."""
    for name in ("U2NET_HOME", "REMBG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "no-models"))
    monkeypatch.delenv("ZERO123PP_DOWNLOAD", raising=False)
