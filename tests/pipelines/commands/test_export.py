"""`export`: one line for each file, and one clear line for whatever cannot be."""

import re

import numpy as np
import pytest
from shapes import icosphere

from zero123pp.pipelines.commands.cli import main
from zero123pp.recon.export import save
from zero123pp.recon.load import load_parts
from zero123pp.types import TexturedMesh

pytestmark = pytest.mark.quick


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ball = icosphere(2)
    save(TexturedMesh(ball, np.full((len(ball.vertices), 2), 0.5), np.full((8, 8, 3), 90, np.uint8)), "ball.glb")
    return tmp_path


def test_each_file_is_told_unless_quiet(home, capsys):
    assert main("export ball.glb --out new.glb --collision hull --texture-size 4".split()) == 0
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert out == "" and re.fullmatch(r"new\.glb: 320 triangles, watertight, 0\.01 MB, \d+\.\d s", first), first
    assert second.startswith("new_collision.glb: 320 triangles, watertight, ")
    assert load_parts("new.glb")[0].base_color.shape == (4, 4, 3)
    assert main("export ball.glb --out new.stl --quiet".split()) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("missing.glb --out a.glb", "no mesh file"),
        ("ball.glb --out ball.glb", "would write over ball.glb"),
        ("ball.glb --out a.glb --faces 0", "--faces"),
        ("ball.glb --out a.glb --lods 9", "9 levels of detail"),
        ("ball.glb --out a.glb --size -1", "--size is -1.0"),
        ("ball.glb --out a.3mf --units m", "--units m does not go with .3mf"),
        ("ball.glb --out a.3mf --wall 1", "--wall is 1.0; expected millimetres, with --for-print"),
        ("ball.glb --out a.3mf --for-print", "give another --wall or --size"),
        ("ball.glb", "--out"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(home, capsys, arguments, words):
    try:
        code = main(["export", *arguments.split()])
    except SystemExit as left:
        code = left.code
    out, err = capsys.readouterr()
    assert code == 2 and out == "" and words in err and err.count("\n") == 1
    assert [path.name for path in home.iterdir()] == ["ball.glb"]
