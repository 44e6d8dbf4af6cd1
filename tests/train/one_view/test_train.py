"""Training of the one-picture network: it resumes, ends in usable files, and goes on from them."""

import dataclasses
import json

import numpy as np
import pytest
from balls_and_boxes import LIGHTS, stored

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("trimesh")

from zero123pp.errors import BadInput  # noqa: E402
from zero123pp.train.one_view import OneViewTrainConfig, export_checkpoint, train  # noqa: E402
from zero123pp.train.weights import load_checkpoint  # noqa: E402

CONFIG = OneViewTrainConfig(
    steps=4, batch=2, warmup=1, workers=0, save_every=2, validate_every=4, stages=((0.5, 32), (1.0, 64)), generated=0.0,
    pool=4, reuse=2, validation=2, precision="float32", decay=0.0, ema=0.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("solids"))


@pytest.fixture(scope="module")
def finished(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return train(store, LIGHTS, folder, CONFIG, start="nothing")


def test_it_logs_saves_and_grows(finished):
    log = [json.loads(line) for line in (finished.parent / "log.jsonl").read_text().splitlines()]
    assert [(record["step"], record["samples"], record["side"]) for record in log] == [(2, 4, 32), (4, 8, 64)]
    assert np.isfinite([log[-1][name] for name in ("val_front", "val_normal_deg", "val_up_deg", "norm")]).all()


def test_a_killed_run_goes_on_where_it_was(store, finished, tmp_path):
    """Stages begin with the step's own draws, so a run stopped between them is the run that was not."""

    class Killed(Exception):
        pass

    def kill_at_half(done):
        if done >= 0.5:
            raise Killed

    with pytest.raises(Killed):
        train(store, LIGHTS, tmp_path, CONFIG, start="nothing", progress=kill_at_half)
    whole, resumed = load_checkpoint(finished), load_checkpoint(train(store, LIGHTS, tmp_path, CONFIG, start="nothing"))
    assert resumed["step"] == whole["step"] == 4
    parameters = [name for name in whole["master"] if "running" not in name and "num_batches" not in name]
    for name in parameters:
        torch.testing.assert_close(resumed["master"][name], whole["master"][name], rtol=0, atol=1e-6)


def test_exported_weights_say_the_same_and_can_be_gone_on_from(store, finished, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    from zero123pp.train.one_view.train import _started

    weights = export_checkpoint(finished, store, LIGHTS, tmp_path)
    assert weights.stat().st_size < 12e6
    session = ort.InferenceSession(str(tmp_path / "one_view.onnx"))
    assert session.get_inputs()[0].shape[1:] == [5, 64, 64]
    network = _started(tmp_path).eval()
    picture = np.random.default_rng(0).normal(0, 0.5, (2, 5, 64, 64)).astype(np.float32)
    maps, pose = session.run(None, {"picture": picture})
    assert maps.shape == (2, 16, 64, 64) and pose.shape == (2, 4)
    with torch.no_grad():
        reading = network(torch.from_numpy(picture))
    np.testing.assert_allclose(maps[:, :4], reading.layers, atol=2e-3)
    np.testing.assert_allclose(maps[:, 13], reading.gap.sigmoid(), atol=2e-3)
    np.testing.assert_allclose(pose[:, :3], reading.up, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(maps[:, 4:7], axis=1), 1, atol=1e-4)
    (tmp_path / "one_view.onnx").write_bytes(b"no graph")
    with pytest.raises(BadInput, match="no ONNX graph"):
        train(store, LIGHTS, tmp_path / "new", CONFIG, start=tmp_path)


def test_one_batch_can_be_learned_by_heart(store, tmp_path):
    """Thirty steps on the same three pictures halve what they cost: gradients and masters do their work."""
    from zero123pp.train.one_view import OneViewNet
    from zero123pp.train.one_view.batches import as_batch, held_out_samples
    from zero123pp.train.one_view.losses import losses, weighted
    from zero123pp.train.one_view.pool import Collected
    from zero123pp.train.one_view.train import _learn
    from zero123pp.train.weights import TrainedWeights

    batch = as_batch(held_out_samples(Collected.part(store, held_out=False), LIGHTS, 32, 3))
    config = dataclasses.replace(CONFIG, steps=30, learning_rate=3e-3, warmup=5)
    weights = TrainedWeights(
        OneViewNet, tmp_path / "c.pt", seed=0, precision=torch.float32, weight_decay=0.0, ema=0.5, clip=4.0
    )
    costs = []
    for _ in range(config.steps):
        costs.append(weighted(losses(weights.running(batch["given"]), batch)).item())
        _learn(weights, batch, config)
    assert costs[-1] < 0.5 * costs[0]
