"""A finished model as a page: kept where it is asked for, else shown by the browser."""

import json
import webbrowser

import pytest
from refusals import refused
from shapes import icosphere

from zero123pp.own import PAGE_MARK
from zero123pp.pipelines.commands.cli import main
from zero123pp.recon.export import save

pytestmark = pytest.mark.quick


@pytest.fixture
def ball(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(icosphere(1), tmp_path / "my ball.glb")
    save(icosphere(1), tmp_path / "ball.gltf")
    return tmp_path


@pytest.mark.parametrize("name", ["my ball.glb", "ball.gltf"])
def test_a_page_to_keep(ball, capsys, name, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda address: pytest.fail("a browser was opened"))
    for _ in range(2):  # the second replaces the first
        assert main(["view", name, "--html", "a.html"]) == 0
    page = (ball / "a.html").read_text()
    assert PAGE_MARK in page and f"<title>{name.split('.')[0]}</title>" in page
    assert "needs no network" in capsys.readouterr().err


@pytest.mark.parametrize("has_browser", [True, False])
def test_the_browser_gets_it_or_its_place_is_told(ball, capsys, monkeypatch, has_browser):
    shown = []
    monkeypatch.setattr(webbrowser, "open", lambda address: shown.append(address) or has_browser)
    monkeypatch.setattr("tempfile.tempdir", str(ball))
    assert main(["view", "my ball.glb"]) == 0
    assert len(shown) == 1 and shown[0].startswith("file:///") and shown[0].endswith("view.html")
    assert ("opened" if has_browser else "no browser was found") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.glb"], "cannot read missing.glb"),
        (["ball.obj"], "expected .glb or .gltf"),
        (["false.glb"], "first bytes are b'\\x89PNG'"),
        (["apart.gltf"], "needs apart.bin beside it"),
        (["folder.glb"], "cannot read folder.glb"),
        (["a\0b.glb"], "cannot read"),
        (["my ball.glb", "--html", "theirs.html"], "was not written by this program"),
        (["my ball.glb", "--html", "no/a.html"], "does not exist"),
        (["my ball.glb", "--html", "my ball.glb"], "was not written by this program"),
        ([], "the following arguments are required: FILE.glb"),
    ],
)
def test_what_cannot_be_shown(ball, capsys, arguments, words):
    (ball / "false.glb").write_bytes(b"\x89PNG....")
    (ball / "apart.gltf").write_text(json.dumps({"buffers": [{"uri": "apart.bin"}, {"uri": "data:,"}]}))
    (ball / "folder.glb").mkdir()
    (ball / "theirs.html").write_text("<html>")
    assert words in refused(capsys, "view", *arguments)
    assert (ball / "theirs.html").read_text() == "<html>"
