"""Runs that have to compile say so, once; other runs say nothing."""

import numba
import numpy as np
import pytest

from zero123pp import kernel_cache
from zero123pp.pipelines.commands import first_run
from zero123pp.pipelines.commands.cli import main
from zero123pp.pipelines.commands.exercises import ball_mesh, ball_view
from zero123pp.recon.meshing import facts
from zero123pp.recon.render import render
from zero123pp.rigs import get_rig

SMALL = ("fit.steps=6", "fit.levels=[24]", "clean.faces=300", "texture.size=64", "cutout.size_px=96")


def _fresh():
    """A kernel that has never been compiled."""
    return numba.njit(lambda x: x + 1)


class _Helper:
    def __init__(self, names):
        self.names, self.killed = names, False

    def kill(self):
        self.killed = True

    def communicate(self):
        assert self.killed


@pytest.fixture
def helpers(monkeypatch):
    started = []
    monkeypatch.setattr(first_run, "start_exercises", lambda names: started.append(_Helper(names)) or started[-1])
    monkeypatch.setattr(first_run, "processors", lambda: (0, 1))
    return started


def test_the_first_kernel_is_told_and_gets_help(helpers):
    said, known = [], _fresh()
    known(1)
    with first_run.compiling_told(said.append, ["texture"]):
        known(2)
        assert not said and not helpers
        _fresh()(1), _fresh()(1)
        assert said == [first_run.ONCE] and [helper.names for helper in helpers] == [["texture"]]
        assert not helpers[0].killed
    assert helpers[0].killed
    _fresh()(1)
    assert len(said) == 1


def test_one_processor_gets_no_help_and_kernels_that_cannot_be_kept_are_told(helpers, monkeypatch):
    said = []
    monkeypatch.setattr(first_run, "processors", lambda: (0,))
    monkeypatch.setattr(kernel_cache, "_temporary", "somewhere")
    with first_run.compiling_told(said.append, ["texture"]):
        _fresh()(1)
    assert said == [first_run.EACH_TIME] and "NUMBA_CACHE_DIR" in said[0] and not helpers


def test_the_end_of_a_failed_run_is_the_end_of_its_help(helpers):
    with pytest.raises(ZeroDivisionError), first_run.compiling_told(lambda line: None, []):
        _fresh()(1)
        raise ZeroDivisionError
    assert helpers[0].killed


def test_quiet_is_quiet(tmp_path, capsys):
    from PIL import Image

    front = ball_view(get_rig("v1.2").cameras(64)[0])
    Image.fromarray((np.dstack([front.rgb, front.alpha]) * 255).astype(np.uint8)).save(tmp_path / "ball.png")
    flags = [word for value in SMALL for word in ("--set", value)]
    call = ["--image", str(tmp_path / "ball.png"), "--model", "inflated", "--out", str(tmp_path / "ball.glb"), *flags]
    assert main([*call, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert main(call) == 0
    assert "inflated: " in capsys.readouterr().err  # what it has to say of the model


def test_the_ball_of_the_exercises_is_a_closed_ball():
    mesh = ball_mesh()
    said = facts(mesh)
    assert said["watertight"] and said["manifold"]
    for camera in get_rig("v1.2").cameras(64)[:2]:
        drawn, seen = ball_view(camera), render(mesh, camera)
        assert np.abs(drawn.alpha - seen.alpha).mean() < 0.01
