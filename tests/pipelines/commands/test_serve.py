"""``zero123pp serve`` as it is typed: refusals, and a server that is ready before anything heavy is loaded."""

import socket
import sys

import pytest
from refusals import refused
from served import SCRIPTED, ask, served

from zero123pp.pipelines.server import INSTALL

pytest.importorskip("fastapi", reason=INSTALL)


@pytest.mark.quick
def test_what_cannot_be_served_is_one_line(capsys):
    assert "can be reached from other machines; give a --token" in refused(capsys, "serve", "--host", "0.0.0.0")
    assert "--token is too short" in refused(capsys, "serve", "--token", "abc")
    assert "--port is 70000" in refused(capsys, "serve", "--port", "70000")
    assert "unknown preset 'nope'" in refused(capsys, "serve", "--preset", "nope")
    assert "there is no model 'nope'" in refused(capsys, "serve", "--model", "nope")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1, port {port}" in refused(capsys, "serve", "--port", port)


@pytest.mark.quick
def test_without_its_libraries_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert INSTALL in refused(capsys, "serve", "--port", "0")


def test_the_process_that_answers_loads_nothing_heavy():
    """The worker does; by its maps, as a library that is loaded is in them."""
    with served(program=SCRIPTED) as (address, process):
        assert ask(address, "GET", "/")[0] == 200
        with open(f"/proc/{process.pid}/maps", encoding="utf-8") as file:
            maps = file.read()
    for name in ("torch", "onnxruntime", "llvmlite", "scipy"):
        assert f"/{name}" not in maps, f"{name} was loaded"
