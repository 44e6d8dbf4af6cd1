"""What the machine says of itself."""

import os
import subprocess
import sys

import pytest
from paths import ROOT

from zero123pp import machine


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to processors")
def test_only_the_processors_that_a_process_may_use_count():
    code = "from zero123pp.machine import processors; print(*processors())"
    one = max(os.sched_getaffinity(0))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {one}),
    )  # fmt: skip
    assert done.stdout.split() == [str(one)]


def test_without_a_say_all_processors_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert machine.processors() == (0, 1, 2)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.processors() == (0,)


def test_threads_keep_the_order_and_hand_errors_on():
    assert machine.in_threads(divmod, range(50), [7] * 50) == [divmod(n, 7) for n in range(50)]
    with pytest.raises(ZeroDivisionError):
        machine.in_threads(divmod, range(3), [1, 0, 1])
