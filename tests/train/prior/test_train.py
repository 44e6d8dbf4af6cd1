"""Training of the shape prior: it resumes bit for bit, skips what is not finite, and ends in usable files."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from zero123pp.errors import BadInput, StageFailed  # noqa: E402
from zero123pp.train.prior.dataset import Passes  # noqa: E402
from zero123pp.train.prior.train import PriorTrainConfig, stage_of, train  # noqa: E402
from zero123pp.train.weights import TrainedWeights, load_checkpoint, scheduled_rate  # noqa: E402

LIGHTS = np.stack([np.array([[11.0] * 3] + [[0.5] * 3] * 8)])
CONFIG = PriorTrainConfig(
    steps=3, batch=1, warmup=1, precision="float32", workers=0, save_every=1, validate_every=3, stages=((0, 32, 8),)
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Rendered passes of a few balls, one of them held out by its name."""
    trimesh = pytest.importorskip("trimesh")
    pytest.importorskip("igl")
    from zero123pp.pipelines.commands.cli import main
    from zero123pp.train.held_out import is_held_out

    folder = tmp_path_factory.mktemp("prior")
    (folder / "meshes").mkdir()
    names = ["a", "b", next(f"h{i}" for i in range(10_000) if is_held_out(f"h{i}"))]
    for size, name in enumerate(names):
        trimesh.creation.box((0.2 + 0.1 * size, 0.3, 0.4)).export(folder / "meshes" / f"{name}.glb")
    for shard in ("1/2", "2/2"):
        arguments = ["render", "shapes", "--meshes", folder / "meshes", "--out", folder / "data", "--size-px", 32]
        assert main([str(a) for a in [*arguments, "--points", 3000, "--surface", 600, "--shard", shard]]) == 0
    assert len(list((folder / "data" / "kit").glob("*.npz"))) == 3
    return folder / "data"


def test_it_resumes_bit_for_bit_and_exports(data, tmp_path):
    from zero123pp.recon.prior.runtime import Prior
    from zero123pp.train.prior.export import export_prior

    whole = load_checkpoint(train(data, LIGHTS, tmp_path / "whole", CONFIG))
    train(data, LIGHTS, tmp_path / "parts", dataclasses.replace(CONFIG, steps=2, decay=0))
    # The rate's decay is part of a step, so the interrupted run must know where the whole one ends.
    parts = load_checkpoint(train(data, LIGHTS, tmp_path / "more", dataclasses.replace(CONFIG, decay=0)))
    resumed = load_checkpoint(train(data, LIGHTS, tmp_path / "parts", dataclasses.replace(CONFIG, decay=0)))
    assert resumed["step"] == parts["step"] == whole["step"] == 3
    assert all(torch.equal(resumed["master"][name], parts["master"][name]) for name in parts["master"])
    assert not all(torch.equal(whole["master"][name], parts["master"][name]) for name in parts["master"])
    assert "val_rig_iou" in (tmp_path / "whole" / "log.jsonl").read_text()
    prior = Prior(export_prior(tmp_path / "whole" / "checkpoint.pt", tmp_path / "weights").parent)
    assert (prior.picture_px, prior.grid_size) == (32, 8)  # the sizes that it has seen
    assert np.isfinite(prior.encode(np.zeros((1, 32, 32, 8), np.float32)).maps).all()


def test_it_validates_when_it_does_not_save(data, tmp_path):
    train(data, LIGHTS, tmp_path, dataclasses.replace(CONFIG, save_every=50, validate_every=2))
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(record["step"], "val_rig_iou" in record) for record in log] == [(2, True), (3, True)]


def test_gradients_that_are_not_finite_never_reach_the_weights(tmp_path):
    weights = TrainedWeights(
        lambda: torch.nn.Linear(3, 1), tmp_path / "c.pt", seed=0, precision=torch.float32, weight_decay=0.0, ema=0.9,
        clip=1.0,
    )  # fmt: skip
    before = weights.master.weight.clone()
    for _ in range(20):
        (weights.running(torch.full((1, 3), float("inf"))).sum() * 2).backward()
        weights.update(0.1)
    assert torch.equal(weights.master.weight, before)
    weights.running(torch.full((1, 3), float("inf"))).sum().backward()
    with pytest.raises(StageFailed, match="not finite"):
        weights.update(0.1)


def test_schedule_and_stages():
    assert scheduled_rate(1.0, 0, 100, warmup=10, decay=0.5) == pytest.approx(0.1)
    assert scheduled_rate(1.0, 40, 100, warmup=10, decay=0.5) == 1
    assert scheduled_rate(1.0, 75, 100, warmup=10, decay=0.5) == pytest.approx(0.5)
    config = PriorTrainConfig(steps=50, stages=((20, 64, 24), (0, 128, 32)))
    assert stage_of(config, 19) == (20, 64, 24)
    assert stage_of(config, 20) == (50, 128, 32)
    assert stage_of(PriorTrainConfig(steps=10, stages=((20, 64, 24),)), 5) == (10, 64, 24)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(BadInput, match="render shapes"):
        Passes(tmp_path, held_out=False)
