"""`warm` compiles what a usual run needs; that it is all of it is tested in tests/test_kernels.py."""

import pytest

from zero123pp import kernel_cache
from zero123pp.pipelines.commands import exercises, warm
from zero123pp.pipelines.commands.cli import main


def test_every_exercise_is_in_one_chain():
    assert sorted(sum(warm.CHAINS, ())) == sorted(exercises.EXERCISES)


@pytest.mark.quick
def test_what_cannot_be_kept_is_not_compiled(monkeypatch, capsys):
    monkeypatch.setattr(kernel_cache, "_temporary", "somewhere")
    assert main(["warm"]) == 2
    assert "set NUMBA_CACHE_DIR" in capsys.readouterr().err


def test_an_exercise_that_fails_is_told_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(warm, "CHAINS", (("nothing of this name",),))
    assert main(["warm"]) == 1
    said = capsys.readouterr().err
    assert "could not be compiled" in said and "nothing of this name" in said and said.count("\n") == 1


@pytest.mark.quick
def test_it_says_what_it_did(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(warm, "compile_all", lambda: {"zero123pp.recon.ops.sampling._bilinear": 0.1})
    assert main(["warm"]) == 0
    assert f"compiled 1 kernels in 0 s; kept in {tmp_path}" in capsys.readouterr().out
    monkeypatch.setattr(warm, "compile_all", dict)
    assert main(["warm"]) == 0
    assert f"nothing to do: all kernels are in {tmp_path}" in capsys.readouterr().out
