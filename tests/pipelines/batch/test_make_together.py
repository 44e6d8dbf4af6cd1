"""Several items drawn in one call: the same bytes and reports as alone, whatever the company is and does."""

import io
import json
import shutil

import numpy as np
import pytest
from paths import ROOT
from PIL import Image
from toy import toy_picture

pytest.importorskip("diffusers")

from zero123pp import ImageTo3D
from zero123pp.errors import BadInput
from zero123pp.pipelines.batch.job import BatchSettings, Task
from zero123pp.pipelines.batch.make import Maker
from zero123pp.pipelines.models.groups import in_groups
from zero123pp.pipelines.models.zero123plus import Zero123PlusModel
from zero123pp.recon.export.glb import encode_glb
from zero123pp.types import Cutout

SMALL = ("fit.steps=12", "fit.levels=[32]", "clean.faces=300", "texture.size=64", "cutout.size_px=96")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The tiny checkpoint with tiles of 64 px."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    shutil.copytree(ROOT / "tests" / "golden" / "models" / "tiny-zero123plus", folder)
    index = json.loads((folder / "model_index.json").read_text()) | {"tile_size": 64, "rig": "v1.2"}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture(scope="module")
def pictures():
    """Two pictures that differ in their colours."""
    toy = toy_picture(96, background=False)
    return [toy, np.dstack([255 - toy[..., :3], toy[..., 3]])]


@pytest.fixture(scope="module")
def pipe(checkpoint):
    return ImageTo3D.from_pretrained(checkpoint, device="cpu", preset="fast", overrides=SMALL)


@pytest.fixture(scope="module")
def alone(pipe, pictures):
    """Each picture in a run of its own, by place."""
    return [pipe(picture, seed=seed, steps=2) for seed, picture in enumerate(pictures)]


def glb(asset) -> bytes:
    return encode_glb(asset.textured, "toy", dict(asset.extras))["toy.glb"]


def test_views_that_were_drawn_together_go_on_as_if_alone(pipe, pictures, alone):
    ticks = []
    cutouts = [pipe.cutout(picture) for picture in pictures]
    views = pipe.views_together(cutouts, seeds=[0, 1], steps=2, progress=lambda *tick: ticks.append(tick))
    assert [stage for stage, _ in ticks] == ["views"] * len(ticks) and ticks[-1][1] == 1.0
    assert [done for _, done in ticks] == sorted(done for _, done in ticks)
    for cutout, drawn, seed, want in zip(cutouts, views, (0, 1), alone):
        np.testing.assert_array_equal(drawn.sheet, want.views.sheet)
        made = pipe.from_views(drawn, cutout, seed=seed, seconds={"cutout": 1.5, "views": 2.5})
        assert glb(made) == glb(want) and made.extras == want.extras and made.cutout is cutout
        measured = ("seconds", "peak_memory_mb")
        assert {k: v for k, v in made.report.items() if k not in measured} == {
            k: v for k, v in want.report.items() if k not in measured
        }
        assert list(made.report["seconds"]) == list(want.report["seconds"]) and made.report["seconds"]["views"] == 2.5
    with pytest.raises(BadInput, match="1 seeds for 2 cutouts"):
        pipe.views_together(cutouts, seeds=[0])


def test_given_views_go_on_as_given(pipe, alone):
    from dataclasses import replace

    views = replace(alone[0].views, source="somebody")
    made = pipe.from_views(views, seed=0)
    assert made.report["model"] == "somebody" and made.report["licence"] == "of the given views"
    assert glb(made) == glb(pipe(views=views, seed=0))


def test_a_source_without_many_draws_one_after_another(pictures):
    pipe = ImageTo3D.from_pretrained("preview")
    cutouts = [pipe.cutout(picture) for picture in pictures]
    for drawn, cutout in zip(pipe.views_together(cutouts, seeds=[0, 0]), cutouts):
        np.testing.assert_array_equal(drawn.views[0].rgb, pipe.views(cutout).views[0].rgb)


def test_groups_are_halved_while_memory_is_short(pipe, pictures, monkeypatch):
    import torch

    model, room, calls = pipe.model, 2, []
    original = type(model.pipeline).__call__

    def of_little_memory(pipeline, image, **arguments):
        calls.append(len(image))
        if len(image) > room:
            raise torch.OutOfMemoryError("no room")
        return original(pipeline, image, **arguments)

    monkeypatch.setattr(type(model.pipeline), "__call__", of_little_memory)
    cutouts, seeds = [Cutout(np.asarray(pictures[n % 2])) for n in range(5)], [0, 1, 2, 3, 4]
    drawn = model.generate_many(cutouts, seeds=seeds, steps=1)
    assert calls == [5, 3, 2, 2, 1]
    room = 0
    with pytest.raises(torch.OutOfMemoryError):
        model.generate_many(cutouts[:2], seeds=seeds[:2], steps=1)
    monkeypatch.undo()
    for views, cutout, seed in zip(drawn, cutouts, seeds):
        np.testing.assert_array_equal(views.sheet, model.generate(cutout, seed=seed, steps=1).sheet)
    with pytest.raises(BadInput, match="2 cutouts, 1 seeds"):
        model.generate_many(cutouts[:2], seeds=[1])


def test_progress_of_groups():
    told = []

    def draw(rows, progress):
        progress(0.5)
        progress(1.0)
        return list(range(4))[rows]

    assert in_groups(draw, 4, told.append) == [0, 1, 2, 3] and told == [0.5, 1.0]
    assert in_groups(draw, 0) == []


def task(picture, key, checkpoint, **call):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return Task(f"{key:064x}", f"{key}.png", {"steps": 2, **call}, str(checkpoint), file.getvalue())


def test_a_worker_draws_its_items_together(checkpoint, pictures, alone, tmp_path, monkeypatch):
    maker = Maker(BatchSettings(str(tmp_path / "out"), "fast", SMALL, "cpu", 0))
    tasks = [task(picture, seed, checkpoint, seed=seed) for seed, picture in enumerate(pictures)]
    broken = Task(f"{9:064x}", "9.png", {"seed": 0, "steps": 2}, str(checkpoint), b"no picture")
    maker.prepare([tasks[0], broken, tasks[1]])
    monkeypatch.setattr(Zero123PlusModel, "generate_many", lambda *_, **__: pytest.fail("drawn once more"))
    assert [maker(each).kind for each in (tasks[0], broken, tasks[1])] == ["done", "refused", "done"]
    for each, want in zip(tasks, alone):
        path = tmp_path / "out" / "00" / f"{each.key}.json"
        said = json.loads(path.read_text())
        assert path.with_suffix(".glb").read_bytes() == want.save(tmp_path / f"{each.key}.glb").read_bytes()
        assert said["seconds"] >= said["report"]["seconds"]["views"] > 0 and said["report"]["cutout"] == "alpha"


def test_what_goes_wrong_in_company_is_tried_alone(checkpoint, pictures, tmp_path, monkeypatch):
    maker = Maker(BatchSettings(str(tmp_path / "out"), "fast", SMALL, "cpu", 0))
    tasks = [task(picture, seed, checkpoint, seed=seed) for seed, picture in enumerate(pictures)]

    def fails(*_, **__):
        raise RuntimeError("one of them is no good")

    monkeypatch.setattr(Zero123PlusModel, "generate_many", fails)
    maker.prepare(tasks)
    monkeypatch.undo()
    assert [maker(each).kind for each in tasks] == ["done", "done"]
