"""``run.py train multiview`` as a user runs it: killed at a random step, under accelerate, with bad input."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("accelerate")

from paths import ROOT  # noqa: E402
from views_data import TINY, write_samples  # noqa: E402

from zero123pp.pipelines.commands.cli import main  # noqa: E402
from zero123pp.train.weights import load_checkpoint  # noqa: E402

START = ROOT / "tests" / "golden" / "models" / "tiny-zero123plus"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("views"))


def command(data, out, **changes):
    # Not --start: torch's launcher takes that for an abbreviation of an option of its own.
    config = TINY | {"phase": "phase1", "validate_every": 0, "start": START} | changes
    values = [f"--set={name}={list(value) if isinstance(value, tuple) else value}" for name, value in config.items()]
    folders = ["--data", str(data), "--out", str(out)]
    return ["train", "views", *folders, "--device", "cpu", "--threads", "1", *values]


def environment():
    return os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def records(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def same(one, other):
    return all(torch.equal(one[part][name], other[part][name]) for part in ("master", "mean") for name in one[part])


def test_a_run_killed_at_a_random_step_goes_on_as_if_it_had_not_been(data, tmp_path):
    """The curve and the weights are those of a run that nobody stopped, to the bit."""
    changes = {"steps": 12, "save_every": 3}
    assert main(command(data, tmp_path / "whole", **changes)) == 0
    step = random.SystemRandom().randint(1, 11)
    arguments = [sys.executable, str(ROOT / "run.py"), *command(data, tmp_path / "killed", **changes)]
    running = subprocess.Popen(arguments, env=environment(), start_new_session=True)
    try:
        log = tmp_path / "killed" / "log.jsonl"
        while running.poll() is None and not (log.is_file() and len(log.read_text().splitlines()) >= step):
            time.sleep(0.005)
        assert running.poll() is None, "the run ended before it could be killed"
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert not (tmp_path / "killed" / "model").exists()
    assert main(command(data, tmp_path / "killed", **changes)) == 0
    assert records(tmp_path / "killed") == records(tmp_path / "whole"), f"killed after step {step}"
    one, other = (load_checkpoint(tmp_path / name / "checkpoint.pt") for name in ("killed", "whole"))
    assert same(one, other), f"killed after step {step}"


def test_two_processes_train_as_one(data, tmp_path):
    """Under accelerate's launcher each of two processes takes half of the samples that one would take."""
    changes = {"steps": 2, "timesteps": "even"}
    assert main(command(data, tmp_path / "one", batch=4, **changes)) == 0
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    arguments = [*launcher, str(ROOT / "run.py"), *command(data, tmp_path / "two", batch=2, **changes)]
    done = subprocess.run(
        arguments, env=environment() | {"ACCELERATE_USE_CPU": "true"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for one, two in zip(records(tmp_path / "one"), records(tmp_path / "two"), strict=True):
        assert two == pytest.approx(one, rel=1e-3)
    one, two = (load_checkpoint(tmp_path / name / "checkpoint.pt") for name in ("one", "two"))
    for name, value in one["master"].items():
        assert torch.allclose(two["master"][name], value, rtol=1e-3, atol=2e-4), name
    assert (tmp_path / "two" / "model" / "model_index.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "phase9"], "unknown training preset 'phase9'"),
        (["--config", "phase2", "--data", "x"], "needs weights to start from"),
        (["--config", "phase2", "--start", "no/such/folder", "--data", "x"], "no folder 'no/such/folder'"),
        (["--config", "phase1", "--start", str(START)], "--data is missing"),
        (["--config", "phase1", "--start", str(START), "--data", "nowhere"], "no shards"),
        (["--config", "phase1", "--start", str(START), "--export"], "no .*checkpoint.pt to export"),
        (["--config", "mini"], "--data is missing"),
        (["--config", "mini", "--refit-decoder", "--data", "x"], "no .*checkpoint.pt to export"),
        (["--config", "phase1", "--set", "rate=3"], "unknown key rate"),
    ],
)
def test_bad_input_is_one_line(arguments, message, tmp_path, capsys):
    import re

    assert main(["train", "views", "--out", str(tmp_path / "run"), "--device", "cpu", *arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1
