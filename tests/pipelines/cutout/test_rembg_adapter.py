"""rembg as a method: taken where its model is, and kept from harm."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest
from discs import disc_picture

from zero123pp.errors import MissingBackend
from zero123pp.pipelines.cutout import CutoutConfig, choose, cut_out


def test_missing_rembg_model_says_how_to_get_it():
    pytest.importorskip("onnxruntime")
    wanted = "download" if importlib.util.find_spec("rembg") else "pip install"
    with pytest.raises(MissingBackend, match=wanted):
        cut_out(disc_picture(), CutoutConfig(method="rembg", rembg_model="silueta"))


needs_rembg = pytest.mark.skipif(importlib.util.find_spec("rembg") is None, reason="rembg is not installed")


@pytest.fixture
def u2netp(shared, monkeypatch, tmp_path):
    """rembg's u2netp model in a REMBG_HOME of its own."""
    home = tmp_path / "rembg-home"
    home.mkdir()
    shutil.copy(shared / "weights" / "u2netp.onnx", home)
    monkeypatch.delenv("U2NET_HOME")
    monkeypatch.setenv("REMBG_HOME", str(home))
    return CutoutConfig(rembg_model="u2netp")


@needs_rembg
def test_rembg_is_taken_by_auto_when_its_model_is_here(u2netp, shared):
    from zero123pp.pipelines.inputs.read_image import read_image

    picture = read_image(shared / "bench" / "pictures" / "ycb_mug_photo.jpg")
    assert choose(picture, u2netp) == "rembg"
    cutout = cut_out(picture, u2netp)
    assert cutout.method == "rembg:u2netp"


@needs_rembg
def test_rembg_of_a_foreign_model_or_a_remote_service_is_refused(u2netp):
    for model in ("no-such-model", "../u2netp", "atlascloud"):
        with pytest.raises(MissingBackend, match="rembg"):
            cut_out(disc_picture(), CutoutConfig(method="rembg", rembg_model=model))


@needs_rembg
def test_numba_compiles_in_other_threads_while_rembg_is_loaded():
    """At every import on the way, another thread asks numba for a compiled function."""
    code = """
import sys, threading
import numba
from zero123pp.errors import MissingBackend
from zero123pp.pipelines.cutout import CutoutConfig
from zero123pp.pipelines.cutout.rembg_adapter import rembg_alpha
import numpy as np

compiled = []

class Watch:
    def find_spec(self, name, path=None, target=None):
        def ask():
            compiled.append(hasattr(numba.njit(lambda x: x + 1), "py_func"))
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

sys.meta_path.insert(0, Watch())
try:
    rembg_alpha(np.zeros((8, 8, 3), np.uint8), CutoutConfig(rembg_model="silueta"))
except MissingBackend as error:
    assert "silueta is not at" in str(error), error
print(len(compiled) > 10, all(compiled), "pymatting" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.split() == ["True", "True", "False"]
