"""What is told of a run while it goes on."""

import numpy as np
import pytest

from zero123pp.pipelines.progress import peak_memory_mb, progress_lines, reset_peak_memory, told_progress


def test_peak_memory_counts_from_the_reset():
    if not reset_peak_memory():
        pytest.skip("this system cannot reset the peak")
    block = np.ones(40_000_000)
    before = peak_memory_mb()
    del block
    assert reset_peak_memory()
    assert peak_memory_mb() < before - 200


def test_lines_are_seconds_apart_and_short_runs_say_nothing():
    said, now = [], [100.0]
    report = progress_lines(said.append, lambda: now[0])
    for second, fraction in ((1, 0.1), (4.9, 0.4), (5, 0.5), (6, 0.6), (9.9, 0.9), (30, 1.0), (31, 0.125)):
        now[0] = 100.0 + second
        report("fit", fraction)
    assert said == ["fit 50 %, 5 s", "fit 12 %, 31 s"]


def test_whoever_wants_quiet_has_it(capsys, monkeypatch):
    with told_progress(quiet=True) as progress:
        assert progress is None
    monkeypatch.setattr("zero123pp.pipelines.progress._LINE_SECONDS", 0.0)
    with told_progress() as progress:
        progress("fit", 0.5)
    assert capsys.readouterr().err == "fit 50 %, 0 s\n"
