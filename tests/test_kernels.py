"""What holds for all compiled kernels: the same bytes freshly compiled and from the cache."""

import ast
import csv
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from import_graph import modules
from paths import ROOT
from PIL import Image
from toy import toy_mesh

from zero123pp import ImageTo3D
from zero123pp.images import tile_sheet, to_uint8
from zero123pp.recon.render import render
from zero123pp.rigs import RIGS

FIT = """
import hashlib
from balls import ball_views
from zero123pp.recon.fitting import FitConfig, fit
from zero123pp.recon.ops.field import rays
field = fit(ball_views(size=96), FitConfig(levels=(24, 32), steps=20))
hits = sum(rays.ray_losses.stats.cache_hits.values())
print(hits > 0, hashlib.sha256(field.sdf.tobytes() + field.color.tobytes()).hexdigest())
"""


def _jitted():
    """Every compiled function of the product: (file, function, its decorator as text)."""
    for path in modules().values():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                for decorator in map(ast.unparse, node.decorator_list):
                    if "njit" in decorator:
                        yield path, node, decorator


@pytest.mark.quick
def test_fast_math_that_others_call_is_inlined():
    """A helper that is not is compiled twice, alone and in its caller, and the sums of fast math differ between both.

    Which of both runs depends on what was loaded first, so on whether its caller came from the cache.
    """
    functions = list(_jitted())
    helpers = {}
    for _, caller, _ in functions:
        called = {getattr(call.func, "id", None) for call in ast.walk(caller) if isinstance(call, ast.Call)}
        helpers |= {name: caller.name for name in called if name != caller.name}
    checked = 0
    for path, function, decorator in functions:
        if function.name in helpers and "fastmath=True" in decorator and "inline='never'" not in decorator:
            inlined = "forceinline=True" in decorator or "inline='always'" in decorator
            assert inlined, f"{path}: {function.name}, which {helpers[function.name]} calls, is not inlined"
            checked += 1
    assert checked > 5


@pytest.mark.parametrize("processor", ["", "haswell"])
def test_a_fit_gives_the_same_bytes_freshly_compiled_and_from_the_cache(tmp_path, processor):
    if processor and platform.machine() != "x86_64":
        pytest.skip("another kind of processor")
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers")])
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": path}
    if processor:  # without AVX-512, whatever this one has
        environment |= {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}
    runs = [
        subprocess.run([sys.executable, "-c", FIT], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    (fresh, first), (cached, second) = (run.stdout.split() for run in runs)
    assert (fresh, cached) == ("False", "True")
    assert first == second


SMALL = ("fit.steps=12", "fit.levels=[32]", "clean.faces=1000", "texture.size=128")
FLAGS = [word for value in SMALL for word in ("--set", value)]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """The README's picture and a sheet of views, a real one where it is at hand."""
    shared = Path(os.environ.get("ZERO123PP_SHARED", ROOT.parent / "shared")) / "real" / "burger_v1.2.png"
    sheet = tmp_path_factory.mktemp("inputs") / "sheet.png"
    if shared.is_file():
        sheet.write_bytes(shared.read_bytes())
    else:
        views = [render(toy_mesh(64), camera) for camera in RIGS["v1.2"].cameras(128)]
        tiles = np.stack([to_uint8(np.dstack([view.rgb, view.alpha])) for view in views])
        Image.fromarray(tile_sheet(tiles)).save(sheet)
    return {"image": ROOT / "docs" / "toy.png", "views": sheet}


def _command(arguments, cache, **environment):
    """stderr of the command line with a cache of kernels of its own."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)} | environment
    command = [sys.executable, str(ROOT / "run.py"), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout


def _made(kind, path, cache, folder, *more):
    """The digest of a mesh, and whether the run said that it compiles."""
    out = folder / f"{kind}.glb"
    model = ["--model", "preview"] if kind == "image" else []
    said = _command([f"--{kind}", path, "--out", out, *model, *FLAGS, *more], cache)
    return hashlib.sha256(out.read_bytes()).hexdigest(), "compiling kernels, once" in said


@pytest.mark.slow
def test_the_same_bytes_whatever_lies_in_the_cache(inputs, tmp_path):
    """From an empty cache on; with half of the kernels gone; filled by another process; a worker and a thread."""
    cache = tmp_path / "cache"
    image, told = _made("image", inputs["image"], cache, tmp_path)
    assert told
    sheet, _ = _made("views", inputs["views"], cache, tmp_path)
    for index in sorted(cache.rglob("*.nbi"))[::2]:
        index.unlink()
    assert _made("image", inputs["image"], cache, tmp_path) == (image, True)

    shutil.rmtree(cache)
    assert "compiled" in _command(["warm"], cache)
    assert _made("image", inputs["image"], cache, tmp_path) == (image, False)
    assert _made("views", inputs["views"], cache, tmp_path) == (sheet, False)
    refined = ["--normals", inputs["views"], "--set", "refine.steps=1"]
    assert _made("views", inputs["views"], cache, tmp_path, *refined)[1] is False

    for path in inputs.values():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    rows = "".join(f"{json.dumps({kind: path.name})}\n" for kind, path in inputs.items())
    (tmp_path / "list.jsonl").write_text(rows)
    batch = ["batch", "--images", tmp_path / "list.jsonl", "--out", tmp_path / "out", "--workers", 2]
    _command([*batch, "--model", "preview", *FLAGS], cache)
    with open(tmp_path / "out" / "index.csv", newline="") as file:
        batched = [row["sha256"] for row in csv.DictReader(file)]

    pipe = ImageTo3D.from_pretrained("preview", overrides=SMALL)
    with ThreadPoolExecutor(2) as pool:
        assets = list(pool.map(lambda item: pipe(**{item[0]: item[1]}), inputs.items()))

    def digests(names):
        saved = [asset.save(tmp_path / "thread.glb", **name).read_bytes() for asset, name in zip(assets, names)]
        return [hashlib.sha256(content).hexdigest() for content in saved]

    # The command line names the object after its picture; a batch does not, since equal pictures share a result.
    assert digests([{"name": path.stem} for path in inputs.values()]) == [image, sheet]
    assert digests([{}, {}]) == batched
