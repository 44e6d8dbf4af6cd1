"""The network that corrects fitted surfaces: its samples, its laws, and the commands from meshes to the graph."""

import argparse
import json

import numpy as np
import pytest
from PIL import Image

from zero123pp.errors import BadInput, ConfigError
from zero123pp.recon.fitting import LOOK_CHANNELS, LOOK_COUNT

torch = pytest.importorskip("torch")


def look(seed=0, shape=(30, 22), turned=None):
    """A look whose true normals are its smoothed ones turned, so that there is something to learn."""
    from zero123pp.train.correction import TrueLook

    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(LOOK_COUNT, *shape)).astype(np.float32) * 0.1
    smoothed = np.array([0.3, 0.1, -1.0])[:, None, None] + 0.2 * rng.normal(size=(3, *shape))
    inputs[LOOK_CHANNELS["smoothed"]] = smoothed / np.linalg.norm(smoothed, axis=0)
    true = np.array([0.0, 0.0, -1.0] if turned is None else turned)[:, None, None] * np.ones((1, *shape))
    return TrueLook(inputs, true, np.full(shape, 0.5), rng.random(shape) < 0.8)


def test_a_mirror_image_of_a_mirror_image_is_the_look():
    before = look(turned=[0.6, 0.0, -0.8])
    once, twice = before.mirrored(), before.mirrored().mirrored()
    for name in ("inputs", "normals", "offsets", "seen"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(before, name))
    assert not np.array_equal(once.inputs, before.inputs)
    assert once.normals[0, 0, 0] == -before.normals[0, 0, 0]


def test_a_mirrored_picture_is_mirrored_pixel_by_pixel():
    """Inside of the blocks as well: its 2 x 2 pixels a place, laid out, are the picture laid out in a mirror."""

    def laid_out(inputs):
        pixels = inputs[LOOK_CHANNELS["pixels"]]
        height, width = pixels.shape[1:]
        return pixels.reshape(2, 2, 4, height, width).transpose(3, 0, 4, 1, 2).reshape(2 * height, 2 * width, 4)

    before = look()
    np.testing.assert_array_equal(laid_out(before.mirrored().inputs), laid_out(before.inputs)[:, ::-1])


def test_it_begins_with_the_smoothed_normals_and_says_no_more():
    from zero123pp.train.correction.network import CorrectionNet
    from zero123pp.train.correction.train import as_batch

    inputs, *_ = as_batch([look()], 32)
    reading = CorrectionNet()(inputs)
    smoothed = inputs[:, LOOK_CHANNELS["smoothed"]]
    there = smoothed.norm(dim=1) > 0.5
    assert torch.allclose(reading.normal.permute(0, 2, 3, 1)[there], smoothed.permute(0, 2, 3, 1)[there], atol=1e-5)
    assert not reading.offset.any()


def test_the_loss_is_least_at_the_truth_and_its_scale_at_the_error():
    from zero123pp.train.correction.losses import correction_loss
    from zero123pp.train.correction.network import Reading

    true = torch.nn.functional.normalize(torch.tensor([0.0, 0.6, -0.8]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4), dim=1)
    offsets, seen = torch.full((1, 4, 4), 0.7), torch.ones(1, 4, 4)

    def loss(normal, log_error=-2.0, offset=0.7):
        scale = torch.full((1, 4, 4), log_error)
        return correction_loss(Reading(normal, scale, torch.full((1, 4, 4), offset), scale), true, offsets, seen)

    other = torch.nn.functional.normalize(true + torch.tensor([0.3, 0, 0]).reshape(1, 3, 1, 1), dim=1)
    assert loss(true)["normal"] < loss(other)["normal"] and loss(true)["loss"] < loss(true, offset=0.2)["loss"]
    chord = float((other - true).norm(dim=1).mean())
    at = {scale: float(loss(other, np.log(scale))["normal_likelihood"]) for scale in (chord / 2, chord, chord * 2)}
    assert min(at, key=at.get) == chord


def test_places_that_are_not_seen_do_not_count():
    from zero123pp.train.correction.losses import correction_loss
    from zero123pp.train.correction.network import Reading

    rng = np.random.default_rng(0)
    normal = torch.nn.functional.normalize(torch.tensor(rng.normal(size=(1, 3, 4, 4))), dim=1)
    seen, flat = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    seen[0, 0] = 1
    spoiled = normal.clone()
    spoiled[:, :, 1:] *= -1
    losses = [
        correction_loss(Reading(each, flat, flat, flat), normal, flat, seen)["loss"] for each in (normal, spoiled)
    ]
    assert losses[0] == losses[1]


@pytest.fixture
def store(tmp_path):
    from zero123pp.train.correction import LookStore

    kept = LookStore(tmp_path / "looks")
    for number in range(24):
        kept.save(f"thing{number}", [look(number), look(100 + number, (18, 40))])
    return kept


@pytest.mark.quick
def test_looks_come_back_in_half_precision(tmp_path, store):
    first, second = store.load("thing3")
    assert first.inputs.dtype == np.float16 and first.seen.dtype == bool and second.seen.shape == (18, 40)
    np.testing.assert_allclose(first.normals, look(3).normals, atol=1e-3)
    assert store.has("thing3") and not store.has("thing99") and len(store.names()) == 24


@pytest.mark.quick
def test_damage_and_emptiness_are_told_in_one_line(tmp_path, store):
    from zero123pp.train.correction import LookStore

    with pytest.raises(BadInput, match=r"holds no looks; make them with 'run.py render looks'"):
        LookStore(tmp_path / "empty").names()
    (store.folder / "thing3.npz").write_bytes(b"no archive")
    with pytest.raises(BadInput, match=r"thing3\.npz is damaged"):
        store.load("thing3")
    one = look()
    store.save("other", [type(one)(one.inputs[:5], one.normals, one.offsets, one.seen)])
    with pytest.raises(BadInput, match=f"expected {LOOK_COUNT} channels"):
        store.load("other")


def run_command(module, *words):
    from importlib import import_module

    command = import_module(f"zero123pp.pipelines.commands.{module}")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


def test_training_learns_exports_and_resumes(tmp_path, store, monkeypatch):
    """The whole command on toy looks: it learns, goes on where it stopped, and the graph computes what it does."""
    from zero123pp.recon.fitting.correction.network import CorrectionNetwork
    from zero123pp.train import load_checkpoint
    from zero123pp.train.correction import CorrectionTrainConfig
    from zero123pp.train.correction.network import CorrectionNet

    pytest.importorskip("onnx")
    small = CorrectionTrainConfig(batch=4, side=32, warmup=2, save_every=10, workers=0)
    monkeypatch.setattr("zero123pp.train.correction.CorrectionTrainConfig", lambda: small)
    words = ("--looks", store.folder, "--out", tmp_path / "out", "--threads", 2)
    assert run_command("train_correction", *words, "--steps", 20) == 0
    assert run_command("train_correction", *words, "--steps", 40) == 0
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in log] == [10, 20, 30, 40]
    assert log[-1]["loss"] < log[0]["loss"] and log[-1]["network_deg"] < 0.9 * log[-1]["smoothed_deg"]
    network = CorrectionNet()
    network.load_state_dict(load_checkpoint(tmp_path / "out" / "checkpoint.pt")["mean"])
    inputs = look(shape=(32, 48)).inputs
    with torch.no_grad():
        reading = network.eval()(torch.from_numpy(inputs[None]))
    told = CorrectionNetwork(tmp_path / "out" / "correction.onnx").maps(inputs)
    np.testing.assert_allclose(told[:3], reading.normal[0].numpy(), atol=2e-2)
    np.testing.assert_allclose(told[4], reading.offset[0].numpy(), atol=2e-2)


@pytest.mark.quick
@pytest.mark.parametrize(("flag", "value"), [("--steps", 0), ("--batch", 0), ("--workers", -1), ("--seed", -1)])
def test_numbers_out_of_range_are_told(tmp_path, store, flag, value):
    with pytest.raises((BadInput, SystemExit)):
        run_command("train_correction", "--looks", store.folder, "--out", tmp_path / "out", flag, value)
    assert not (tmp_path / "out" / "checkpoint.pt").exists()


def test_a_checkpoint_of_another_network_is_told_and_stays(tmp_path, store):
    from zero123pp.train import TrainedWeights

    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "checkpoint.pt"
    other = TrainedWeights(
        lambda: torch.nn.Linear(2, 2), path, seed=0, precision=torch.float32, weight_decay=0, ema=0.9, clip=1
    )
    other.save({})
    before = path.read_bytes()
    with pytest.raises(BadInput, match="a checkpoint of other parameters; give the run a new folder"):
        run_command("train_correction", "--looks", store.folder, "--out", tmp_path / "out", "--steps", 5)
    assert path.read_bytes() == before


@pytest.mark.quick
@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_every_damage_of_looks_is_told(store, content):
    (store.folder / "thing5.npz").write_bytes(content)
    with pytest.raises(BadInput, match=r"thing5\.npz is damaged"):
        store.load("thing5")
    store.save("thing6", [])
    with pytest.raises(BadInput, match="holds no look"):
        store.load("thing6")


def test_too_few_objects_are_told(tmp_path):
    from zero123pp.train.correction import LookStore, train

    few = LookStore(tmp_path / "few")
    few.save("one", [look()])
    with pytest.raises(BadInput, match=r"holds 1 objects, .* some of both are needed"):
        train(few, tmp_path / "out")


def test_looks_are_made_of_meshes(tmp_path):
    """`render looks` on a cube: what the network is shown fits the truth, and what is there is kept."""
    import trimesh
    from radiance import write_hdr

    from zero123pp.train.correction import LookStore

    pytest.importorskip("embreex")
    box = trimesh.creation.box((1.0, 0.7, 0.5))
    box.visual.vertex_colors = np.random.default_rng(0).integers(60, 250, (len(box.vertices), 4), dtype=np.uint8)
    (tmp_path / "meshes").mkdir()
    (tmp_path / "maps").mkdir()
    box.export(tmp_path / "meshes" / "box.glb")
    rgbe = np.full((16, 32, 4), 128, np.uint8)
    rgbe[:6, :12, :3] = 255
    write_hdr(tmp_path / "maps" / "sky.hdr", rgbe)
    words = ("--meshes", tmp_path / "meshes", "--panoramas", tmp_path / "maps", "--out", tmp_path / "looks")
    small = ("--set", "fit.levels=[16, 32]", "--set", "fit.steps=12")
    assert run_command("render_looks", *words, *small) == 0
    looks = LookStore(tmp_path / "looks").load("box")
    assert len(looks) == 18  # three looks from six views
    for each in looks:
        seen = each.seen
        assert 0.2 < seen.mean() < 1
        length = np.linalg.norm(each.normals.astype(np.float32), axis=0)
        np.testing.assert_allclose(length[seen], 1, atol=1e-2)
        smoothed = each.inputs[LOOK_CHANNELS["smoothed"]].astype(np.float32)
        cosine = (smoothed * each.normals).sum(0)[seen] / np.maximum(np.linalg.norm(smoothed, axis=0)[seen], 1e-6)
        assert np.degrees(np.arccos(np.clip(np.median(cosine), -1, 1))) < 30
        assert np.abs(np.median(each.offsets[seen])) < 2
    with pytest.raises(BadInput, match=r"fit\.levels has one level"):
        run_command("render_looks", *words[:-1], tmp_path / "none", "--set", "fit.levels=[24]")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match="file"):
        run_command("render_looks", *words[:-1], tmp_path / "file", *small)
    assert (tmp_path / "file").read_text() == "mine"
    before = (tmp_path / "looks" / "box.npz").stat().st_mtime_ns
    (tmp_path / "prints").mkdir()
    checks = np.kron(np.indices((4, 4)).sum(0) % 2 * 255, np.ones((8, 8)))[..., None].repeat(3, -1).astype(np.uint8)
    Image.fromarray(checks).save(tmp_path / "prints" / "checks.png")
    more = ("--variations", 2, "--prints", tmp_path / "prints")
    assert run_command("render_looks", *words, *small, *more) == 0
    assert LookStore(tmp_path / "looks").names() == ["box", "box~1", "box~2"]
    assert {LookStore.mesh_of(name) for name in LookStore(tmp_path / "looks").names()} == {"box"}
    with pytest.raises(ConfigError, match="--variations is -1"):
        run_command("render_looks", *words, *small, "--variations", -1)
    assert (tmp_path / "looks" / "box.npz").stat().st_mtime_ns == before
