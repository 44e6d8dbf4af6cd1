"""The last line of a run."""

import pytest

from zero123pp.pipelines.commands.result import result_line

pytestmark = pytest.mark.quick


def test_the_line_counts_all_files_of_the_asset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.glb").write_bytes(bytes(312_000))
    assert result_line("toy.glb", 10000, True, 5.21) == "toy.glb: 10,000 triangles, watertight, 0.31 MB, 5.2 s"
    for name in ("toy.obj", "toy.mtl", "toy_texture.png"):
        (tmp_path / name).write_bytes(bytes(1_000_000))
    line = result_line("toy.obj", 9, False, 61, ["a.png", "b.gif"])
    assert line == "toy.obj: 9 triangles, not watertight, 3.00 MB, 61.0 s; also a.png, b.gif"
