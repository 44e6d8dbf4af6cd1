"""Compiled kernels find a folder, on machines where none can be written to as well."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

from zero123pp import kernel_cache

pytestmark = pytest.mark.quick


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A folder in a file: nobody, root included, can write there; and no other folder for kernels either."""
    (tmp_path / "file").write_text("")
    nowhere = tmp_path / "file" / "folder"
    monkeypatch.setattr(kernel_cache, "__file__", str(nowhere / "kernel_cache.py"))
    monkeypatch.setattr(kernel_cache, "_temporary", None)
    monkeypatch.setenv("HOME", str(nowhere))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    return nowhere


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep a user's files elsewhere")
def test_the_folder_is_the_one_that_numba_takes(nowhere, tmp_path, monkeypatch):
    assert kernel_cache.kept_in() is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert kernel_cache.kept_in() == tmp_path / "cache" / "numba"
    monkeypatch.setattr(kernel_cache, "__file__", str(tmp_path / "package" / "kernel_cache.py"))
    assert kernel_cache.kept_in() == tmp_path / "package" / "__pycache__"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(nowhere))  # Numba passes over what it cannot write to
    assert kernel_cache.kept_in() == tmp_path / "package" / "__pycache__"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "named"))
    assert kernel_cache.kept_in() == tmp_path / "named"
    kernel_cache.provide()
    assert not kernel_cache.is_temporary() and os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "named")


USE = """
import os, sys
import numpy as np
from zero123pp import kernel_cache
from zero123pp.recon.ops import bilinear
bilinear(np.ones((2, 2, 1), np.float32), np.ones((1, 2)))
assert kernel_cache.is_temporary() and os.listdir(os.environ["NUMBA_CACHE_DIR"])
assert os.stat(os.environ["NUMBA_CACHE_DIR"]).st_mode & 0o777 == 0o700
print(os.environ["NUMBA_CACHE_DIR"])
"""


def test_a_package_that_cannot_be_written_beside_works_and_leaves_nothing(tmp_path):
    copy = tmp_path / "installed"
    skip = shutil.ignore_patterns("__pycache__", "*.onnx", "*.safetensors", "train", "diffusion", "render")
    for folder in ("zero123pp", "recon", "pipelines", "configs"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", copy)
    for folder in [path for path in copy.rglob("*") if path.is_dir()]:
        (folder / "__pycache__").write_text("no folder")
    environment = os.environ | {"HOME": str(copy / "pyproject.toml"), "PYTHONPATH": str(copy), "TMPDIR": str(tmp_path)}
    environment |= {"XDG_CACHE_HOME": "", "NUMBA_CACHE_DIR": "", "PYTHONDONTWRITEBYTECODE": "1"}
    run = {"cwd": copy, "env": environment, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", USE], **run)
    assert done.returncode == 0, done.stderr
    assert not Path(done.stdout.strip()).exists() and Path(done.stdout.strip()).parent == tmp_path
    warm = [sys.executable, "-c", "from zero123pp.pipelines.commands.cli import main; raise SystemExit(main(['warm']))"]
    done = subprocess.run(warm, **run)
    assert done.returncode == 2 and "set NUMBA_CACHE_DIR" in done.stderr and done.stderr.count("\n") == 1
