"""The library face in a server: stages by themselves, cancelling, several threads, a warm second call, silence."""

import itertools
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from paths import ROOT
from toy import toy_mesh

from zero123pp import Cancelled, ImageTo3D
from zero123pp.cameras import orbit_camera
from zero123pp.errors import BadInput
from zero123pp.images import tile_sheet, to_uint8
from zero123pp.recon.export.glb import encode_glb
from zero123pp.recon.render import render
from zero123pp.rigs import RIGS

SMALL = ("fit.steps=12", "fit.levels=[32]", "clean.faces=300", "texture.size=64", "cutout.size_px=96")


def glb(textured) -> bytes:
    return encode_glb(textured, "toy", {})["toy.glb"]


@pytest.fixture(scope="module")
def picture():
    view = render(toy_mesh(64), orbit_camera(0, 8, 2.15, 30, 64))
    return to_uint8(np.dstack([view.rgb, view.alpha]))


@pytest.fixture(scope="module")
def sheet():
    views = [render(toy_mesh(64), camera) for camera in RIGS["v1.2"].cameras(64)]
    return tile_sheet(np.stack([to_uint8(np.dstack([view.rgb, view.alpha])) for view in views]))


@pytest.fixture(scope="module")
def pipe():
    return ImageTo3D.from_pretrained("inflated", overrides=SMALL)


@pytest.fixture(scope="module")
def asset(pipe, picture):
    return pipe(picture, seed=3)


def test_the_stages_one_by_one_are_the_whole(pipe, picture, asset):
    seen = []
    note = {"progress": lambda stage, fraction: seen.append(stage)}
    cutout = pipe.cutout(picture, **note)
    views = pipe.views(cutout, seed=3, **note)
    views = pipe.align_views(views, seed=3, **note)
    mesh = pipe.fit(views, seed=3, **note)
    assert pipe.register_input_view(cutout, mesh, views, **note) is views  # the picture is among them already
    textured = pipe.texture(mesh, views, **note)
    assert list(dict.fromkeys(seen)) == ["cutout", "views", "fit", "mesh", "texture"]  # its views need no aligning
    assert glb(textured) == glb(asset.textured)


def test_given_views_are_fitted_as_given(pipe, sheet):
    whole = pipe(views=sheet, seed=1, steps=None)
    mesh = pipe.fit(whole.views, seed=1)  # without the overrides that suit the model's own views
    assert glb(pipe.texture(mesh, whole.views)) == glb(whole.textured)


def test_the_picture_is_one_more_view_of_what_was_drawn_from_it(pipe, sheet, picture):
    drawn, cutout = pipe(views=sheet, seed=1).views, pipe.cutout(picture)
    whole = pipe.from_views(drawn, cutout, seed=1)
    assert whole.report["picture"]["used"] and len(whole.report["texture"]["view_share"]) == 7
    assert whole.report["picture"]["elevation_deg"] == pytest.approx(8, abs=4)
    assert whole.report["picture"]["silhouette_iou"] > 0.85 and whole.report["picture"]["foreground_psnr_db"] > 15
    assert whole.report["picture"]["silhouette_iou"] not in whole.report["agreement"]["silhouette_iou"]
    mesh = pipe.fit(drawn, seed=1)
    views = pipe.register_input_view(cutout, mesh, drawn)
    assert len(views) == 7 and np.allclose(views.views[6].alpha, cutout.rgba[..., 3] / 255)
    assert glb(pipe.texture(mesh, views)) == glb(whole.textured)


def test_what_would_change_nothing_is_refused(pipe, sheet, picture):
    drawn = pipe.views(pipe.cutout(picture))
    for name, value in {"steps": 5, "guidance": 3.0, "with_normals": True}.items():
        with pytest.raises(BadInput, match=f"{name} is about drawing views, but views gives them"):
            pipe(views=sheet, **{name: value})
    for name, value in {"rig": "v1.1", "normals": sheet, "cameras": "cameras.json", "up": "z"}.items():
        with pytest.raises(BadInput, match=f"{name} belongs to views, which is missing"):
            pipe(picture, **{name: value})
        with pytest.raises(BadInput, match=f"{name} says nothing about these views: a MultiView"):
            pipe(views=drawn, **{name: value})
    for name, value in {"image": picture, "prompt": "a bear"}.items():
        with pytest.raises(BadInput, match=r"both of .* given; give one of image, views or prompt"):
            pipe(views=sheet, **{name: value})
    with pytest.raises(BadInput, match="sampler is given when a model is loaded, not here"):
        pipe(picture, sampler="unipc")


def test_threads_get_what_one_caller_gets(pipe, picture, sheet, asset):
    sheets = [(sheet * scale).astype(np.uint8) for scale in (1.0, 0.8)]
    sheets = [np.dstack([part[..., :3], sheet[..., 3]]) for part in sheets]
    calls = [{"image": picture, "seed": 3}, {"views": sheets[0]}, {"views": sheets[1]}, {"image": picture, "seed": 3}]
    with ThreadPoolExecutor(4) as pool:
        together = [glb(made.textured) for made in pool.map(lambda call: pipe(**call), calls)]
    assert together[0] == together[3] == glb(asset.textured)
    assert together[1:3] == [glb(pipe(**call).textured) for call in calls[1:3]]


@pytest.mark.parametrize("stage", ["cutout", "views", "align", "fit", "mesh", "texture", "check"])
def test_cancelled_in_any_stage_and_fine_afterwards(pipe, picture, sheet, stage):
    now = threading.Event()
    call = {"image": picture} if stage in ("cutout", "views") else {"views": sheet}

    def progress(name, fraction):
        if name == stage:
            now.set()

    with pytest.raises(Cancelled, match=stage):
        pipe(**call, seed=3, progress=progress, cancel=now)
    if stage == "fit":
        assert glb(pipe(**call, seed=3, cancel=lambda: False).textured) == glb(pipe(**call, seed=3).textured)


def test_waiting_for_the_model_can_be_cancelled(pipe, picture):
    cutout, drawing, enough, asked = pipe.cutout(picture), threading.Event(), threading.Event(), itertools.count()

    def slow(stage, fraction):  # another thread draws
        drawing.set()
        enough.wait(60)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(pipe.views, cutout, progress=slow)
        try:
            assert drawing.wait(60)
            with pytest.raises(Cancelled, match="views"):
                pipe.views(cutout, cancel=lambda: next(asked) > 3)
            assert not other.done()
        finally:
            enough.set()
        assert other.result().rig == "v1.2"
    assert pipe.views(cutout).rig == "v1.2"


@pytest.mark.slow
def test_a_cancelled_sampler_starts_afresh(picture):
    pytest.importorskip("diffusers")
    model = ROOT / "tests" / "golden" / "models" / "tiny-zero123plus"
    pipe = ImageTo3D.from_pretrained(model)
    cutout = pipe.cutout(picture)
    before = pipe.views(cutout, seed=1, steps=3).sheet
    ticks = []
    with pytest.raises(Cancelled):
        pipe.views(cutout, seed=1, steps=3, progress=lambda *tick: ticks.append(tick), cancel=lambda: len(ticks) > 2)
    assert np.array_equal(pipe.views(cutout, seed=1, steps=3).sheet, before)


def test_something_else_than_a_cancel(pipe, picture):
    with pytest.raises(BadInput, match="cancel is a int"):
        pipe(picture, cancel=3)


WARM = """
import sys, io, contextlib
import zero123pp
heavy = [name for name in ("torch", "numba", "scipy", "onnxruntime", "trimesh") if name in sys.modules]
assert not heavy, heavy
said = io.StringIO()
with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
    import numpy as np
    import onnxruntime
    from numba.core import event
    loads = []
    load = onnxruntime.InferenceSession.__init__
    onnxruntime.InferenceSession.__init__ = lambda self, *a, **k: (loads.append(a), load(self, *a, **k))[1]
    y, x = np.mgrid[:96, :96]
    inside = (y - 48) ** 2 + (x - 48) ** 2 < 30**2
    picture = np.where(inside[..., None], np.stack([x * 2, y * 2, 200 - x], -1), 235).astype(np.uint8)
    pipe = zero123pp.ImageTo3D.from_pretrained("preview", overrides={small!r})
    counts = []
    for _ in range(2):
        with event.install_recorder("numba:compile") as compiled:
            pipe(picture)
        counts += [len(loads), len(compiled.buffer)]
assert said.getvalue() == "", said.getvalue()
print(*counts)
"""


@pytest.mark.slow
def test_the_second_call_is_warm_and_nothing_is_printed():
    code = WARM.replace("{small!r}", repr(("cutout.method=bundled", *SMALL)))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loads_first, _, loads_second, compiled_second = map(int, done.stdout.split())
    assert loads_second == loads_first > 0 and compiled_second == 0  # no network loaded, no kernel compiled again


def test_the_package_says_that_it_is_typed():
    import tomllib

    import zero123pp

    assert (ROOT / "zero123pp" / "py.typed").is_file()
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert "py.typed" in data["zero123pp"]
    assert zero123pp.Cancelled is Cancelled and issubclass(Cancelled, zero123pp.Zero123ppError)
