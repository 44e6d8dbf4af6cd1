"""One real server for all tests of this folder: its worker is loaded once."""

import pytest
from served import served

from zero123pp.pipelines.server import INSTALL


@pytest.fixture(scope="session")
def server():
    """Address of a server whose worker is ready."""
    pytest.importorskip("fastapi", reason=INSTALL)
    pytest.importorskip("uvicorn", reason=INSTALL)
    with served() as (address, _):
        yield address
