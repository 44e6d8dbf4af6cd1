"""Batches of scripted items on every engine; see batch_makers."""

import importlib.util
import os
import subprocess
import sys

import pytest
from batch_makers import MAKER
from paths import ROOT

from zero123pp.pipelines.batch import ray_engine
from zero123pp.pipelines.batch.driver import Batch, BatchTally
from zero123pp.pipelines.batch.items import Item
from zero123pp.pipelines.batch.job import BatchSettings
from zero123pp.pipelines.batch.local import LocalEngine
from zero123pp.pipelines.batch.process import Limits
from zero123pp.pipelines.batch.store import Store

PYTHONPATH = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers")])


@pytest.fixture(autouse=True)
def _makers_on_the_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)


@pytest.fixture(scope="session")
def ray_cluster():
    """A cluster on this machine for all tests: it takes many seconds to start."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed; pip install 'zero123pp[ray]'")
    # Ray must be made harmless before it is loaded, as the engine itself does it.
    ray = ray_engine._ray(own_cluster=True)
    options = {"include_dashboard": False, "log_to_driver": False, "num_cpus": 3}
    options |= {"object_store_memory": 2**27, "runtime_env": {"env_vars": {"PYTHONPATH": PYTHONPATH}}}
    ray.init(logging_level="error", **options)
    yield ray
    ray.shutdown()


@pytest.fixture(params=["local", "ray"])
def make_engine(request):
    """``make_engine(settings, limits, workers)`` for each engine; closed at the end."""
    engines = []

    def make(settings, limits=Limits(), workers=2):
        if request.param == "ray":
            from zero123pp.pipelines.batch.ray_engine import RayEngine

            engines.append(RayEngine(settings, limits, workers, maker=MAKER))
        else:
            engines.append(LocalEngine(settings, limits, workers, maker=MAKER))
        return engines[-1]

    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def write_items(tmp_path):
    """``write_items(words)`` writes one scripted picture each into tmp_path/in; returns the items."""

    def write(words):
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        items = []
        for row, word in enumerate(words):
            name = f"{row:03d}.png"
            (folder / name).write_bytes(f"{word} #{row}".encode())
            items.append(Item(row, image=name, model="inflated", name=name.removesuffix(".png")))
        return items

    return write


@pytest.fixture
def run_batch(request, tmp_path):
    """``run_batch(engine, items, **more)`` runs to the end; returns the tally. Flat, unless parametrised."""

    def run(engine, items, *, stopped=lambda: False, tick=lambda tally: None, **more) -> BatchTally:
        settings = BatchSettings(str(tmp_path / "out"))
        with Store(settings.out, getattr(request, "param", "flat")) as store:
            batch = Batch(items, tmp_path / "in", settings, store, **more)
            batch.run(engine, stopped=stopped, tick=tick)
            batch.tally.keys = batch.keys
        return batch.tally

    return run


@pytest.fixture
def command(tmp_path):
    """``command(*arguments)`` starts the scripted command line on tmp_path/in in a process of its own."""
    started = []

    def start(*arguments):
        line = [
            sys.executable,
            str(ROOT / "tests" / "helpers" / "batch_makers.py"),
            "batch",
            "--images",
            str(tmp_path / "in"),
        ]
        line += ["--out", str(tmp_path / "out"), "--model", "inflated", *map(str, arguments)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([PYTHONPATH, str(ROOT / "tests" / "helpers")])}
        started.append(subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
