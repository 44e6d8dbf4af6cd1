"""The training of the cutout network: compositions, the loop and the export."""

import argparse
import json

import numpy as np
import pytest
from PIL import Image
from radiance import write_hdr

from zero123pp.errors import BadInput
from zero123pp.pipelines.commands.train_matting import add_arguments
from zero123pp.train.matting.compose import compose

torch = pytest.importorskip("torch")


@pytest.fixture
def data(tmp_path):
    """Folders of 60 painted ellipses and of two panoramas."""
    rng = np.random.default_rng(0)
    (tmp_path / "objects").mkdir()
    y, x = np.mgrid[:48, :64] / np.array([24, 32]).reshape(2, 1, 1) - 1
    for number in range(60):
        rgba = rng.integers(0, 255, (48, 64, 4), dtype=np.uint8)
        rgba[..., 3] = (x**2 + y**2 < 1) * 255
        Image.fromarray(rgba).save(tmp_path / "objects" / f"thing{number}_0.png")
    (tmp_path / "panoramas").mkdir()
    for name in ("a", "b"):
        rgbe = rng.integers(40, 255, (32, 64, 4), dtype=np.uint8)
        rgbe[..., 3] = 128
        rgbe[:10, :, :3] = 200
        write_hdr(tmp_path / "panoramas" / f"{name}.hdr", rgbe)
    return tmp_path


def test_pairs_are_well_formed_and_repeatable():
    rng = np.random.default_rng(0)
    thing = np.full((40, 30, 4), 255, np.uint8)
    thing[..., :3] = rng.integers(0, 255, (40, 30, 3))
    photographs = rng.integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    shares = []
    for seed in range(150):
        pair, again = (
            compose(lambda _: Image.fromarray(thing), photographs, 64, np.random.default_rng(seed)) for _ in range(2)
        )
        rgb, alpha = pair
        assert rgb.shape == (64, 64, 3) and alpha.shape == (64, 64) and rgb.dtype == alpha.dtype == np.uint8
        assert np.array_equal(rgb, again[0]) and np.array_equal(alpha, again[1])
        shares.append((alpha > 127).mean())
    assert 0.1 < np.mean(shares) < 0.6 and np.min(shares) > 0


def arguments(data, **options) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["--objects", str(data / "objects"), "--panoramas", str(data / "panoramas"), "--out", str(data / "out")]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return parser.parse_args(words)


def test_training_learns_exports_and_resumes(data, monkeypatch):
    """The whole command on toy data: the loss falls, and the ONNX file computes what the network does."""
    import onnxruntime

    from zero123pp.pipelines.commands import train_matting as command
    from zero123pp.train.matting import pairs
    from zero123pp.train.matting.network import MattingNetwork
    from zero123pp.train.matting.train import MattingTrainConfig
    from zero123pp.train.weights import load_checkpoint

    pytest.importorskip("onnx")
    monkeypatch.setattr(pairs, "PHOTOS_PER_PANORAMA", 4)
    monkeypatch.setattr(command, "VALIDATION_PAIRS", 8)
    small = MattingTrainConfig(batch=4, size_px=32, warmup=2, save_every=6, workers=0)
    monkeypatch.setattr("zero123pp.train.matting.MattingTrainConfig", lambda: small)
    assert command.run(arguments(data, hold_out="b", steps=12, size_px=32)) == 0
    log = [json.loads(line) for line in (data / "out" / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in log] == [6, 12] and log[1]["loss"] < log[0]["loss"]
    assert command.run(arguments(data, hold_out="b", steps=18, size_px=32)) == 0
    content = load_checkpoint(data / "out" / "checkpoint.pt")
    assert content["step"] == 18

    network = MattingNetwork()
    network.load_state_dict(content["mean"])
    session = onnxruntime.InferenceSession(data / "out" / "bundled.onnx", providers=["CPUExecutionProvider"])
    assert (data / "out" / "bundled.onnx").stat().st_size < 9e6
    for shape in ((64, 96), (160, 32)):
        rgb = np.random.default_rng(0).random((1, 3, *shape), np.float32)
        with torch.no_grad():
            expected = network(torch.from_numpy(rgb))[0].sigmoid().numpy()
        assert np.abs(session.run(None, {"rgb": rgb})[0] - expected).max() < 2e-3  # weights are stored as float16


def test_an_interrupted_run_ends_where_a_whole_one_does(data, tmp_path):
    from zero123pp.train.matting.dataset import Compositions
    from zero123pp.train.matting.pairs import object_groups
    from zero123pp.train.matting.train import MattingTrainConfig, train
    from zero123pp.train.weights import load_checkpoint

    config = MattingTrainConfig(steps=4, batch=2, size_px=32, warmup=1, save_every=2, workers=0)
    groups, held_out = object_groups(data / "objects")
    photographs = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    validation = Compositions([held_out], [1.0], photographs, size_px=32, count=2, seed=1)

    def pairs(first: int, count: int) -> Compositions:
        return Compositions(groups, [1.0], photographs, size_px=32, count=count, seed=0, first=first)

    class Interrupted(Exception):
        pass

    def stop(done: float) -> None:
        if done >= 0.5:
            raise Interrupted

    whole = load_checkpoint(train(pairs, validation, tmp_path / "whole", config))
    with pytest.raises(Interrupted):
        train(pairs, validation, tmp_path / "parts", config, progress=stop)
    parts = load_checkpoint(train(pairs, validation, tmp_path / "parts", config))
    assert all(torch.equal(whole["mean"][name], parts["mean"][name]) for name in whole["mean"])


def test_useless_folders_are_refused(data, tmp_path):
    from zero123pp.train.matting.pairs import object_groups, photographs_of
    from zero123pp.train.weights import load_checkpoint

    with pytest.raises(BadInput, match="object pictures"):
        object_groups(tmp_path / "none")
    with pytest.raises(BadInput, match="hold out"):
        photographs_of(data / "panoramas", {"c"}, 0)
    (tmp_path / "bad.pt").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="not a training checkpoint"):
        load_checkpoint(tmp_path / "bad.pt")
