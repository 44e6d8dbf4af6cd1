"""The training of the cutout network: panoramas, compositions, the loop and the export."""

import argparse
import json

import numpy as np
import pytest
from PIL import Image

from zero123pp.cameras import orbit_camera, pixel_rays
from zero123pp.errors import BadInput
from zero123pp.pipelines.commands.train_matting import add_arguments
from zero123pp.train.matting.compose import compose
from zero123pp.train.matting.panoramas import perspective_crop, photograph, read_hdr, tone_map

torch = pytest.importorskip("torch")


def write_hdr(path, rgbe: np.ndarray) -> None:
    """A run-length coded Radiance file of (H, W, 4) uint8: runs where a value repeats, else one literal each."""
    height, width = rgbe.shape[:2]
    out = bytearray(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n" + f"-Y {height} +X {width}\n".encode())
    for row in rgbe:
        out += bytes([2, 2, width >> 8, width & 255])
        for channel in row.T:
            for start in range(0, width, 100):
                part = channel[start : start + 100]
                out += bytes([128 + len(part), part[0]]) if (part == part[0]).all() else bytes([len(part), *part])
    path.write_bytes(out)


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


def test_radiance_files_are_read_exactly(tmp_path):
    rgbe = np.random.default_rng(1).integers(1, 255, (7, 130, 4), dtype=np.uint8)
    rgbe[2, :, 1] = 77
    write_hdr(tmp_path / "a.hdr", rgbe)
    expected = rgbe[..., :3] * 2.0 ** (rgbe[..., 3:].astype(float) - 136)
    assert np.allclose(read_hdr(tmp_path / "a.hdr"), expected, rtol=1e-6)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.hdr").write_bytes(b"P6 1 1 255\n...")
    with pytest.raises(BadInput, match="not a Radiance"):
        read_hdr(tmp_path / "a.hdr")


def test_crops_look_where_they_are_pointed():
    """A panorama painted with its own viewing directions gives back the directions of the camera's rays."""
    height, width = 256, 512
    latitude = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    longitude = ((np.arange(width) + 0.5) / width - 0.5) * 2 * np.pi
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    panorama = np.stack([np.cos(lat) * np.sin(lon), np.sin(lat), -np.cos(lat) * np.cos(lon)], axis=-1)
    # Yaw 0 looks along -Z, to the right is +X: the orbit camera that stands on +Z, above by the pitch downwards.
    crop = perspective_crop(panorama, 0, -20, 0, 60, 33)
    _, rays = pixel_rays(orbit_camera(0, 20, 1, 60, 33))
    assert np.abs(crop - rays).max() < 2e-3


def test_tone_mapping_is_monotonic_and_in_range():
    linear = np.linspace(0, 50, 300).reshape(10, 10, 3)
    mapped = tone_map(linear, 0.0).ravel().astype(int)
    assert (np.diff(mapped) >= 0).all() and mapped[0] == 0 and (tone_map(linear, 1.0).ravel() >= mapped).all()
    assert photograph(linear, np.random.default_rng(0), 32).shape == (32, 32, 3)


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
    monkeypatch.setattr("zero123pp.train.matting.train.MattingTrainConfig", lambda: small)
    assert command.run(arguments(data, hold_out="b", steps=12, size_px=32)) == 0
    log = [json.loads(line) for line in (data / "out" / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in log] == [6, 12] and log[1]["loss"] < log[0]["loss"]
    assert command.run(arguments(data, hold_out="b", steps=18, size_px=32)) == 0
    content = load_checkpoint(data / "out" / "checkpoint.pt")
    assert content["step"] == 18

    network = MattingNetwork()
    network.load_state_dict(content["mean"])
    session = onnxruntime.InferenceSession(data / "out" / "bundled.onnx", providers=["CPUExecutionProvider"])
    assert (data / "out" / "bundled.onnx").stat().st_size < 4.2e6
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


def test_objects_are_rendered_with_their_alpha(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    from zero123pp.pipelines.commands.render_objects import add_arguments, run

    (tmp_path / "meshes").mkdir()
    trimesh.creation.icosphere(subdivisions=2).export(tmp_path / "meshes" / "ball.glb")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["--meshes", str(tmp_path / "meshes"), "--out", str(tmp_path / "out"), "--pictures", "2", "--size-px", "64"]
    assert run(parser.parse_args(words)) == 0
    files = sorted((tmp_path / "out").rglob("*.png"))
    assert [file.name for file in files] == ["ball_0.png", "ball_1.png"]
    with Image.open(files[0]) as picture:
        alpha = np.asarray(picture)[..., 3] > 127
    assert alpha.mean() == pytest.approx(np.pi / 4, abs=0.06)  # a disc fills this share of its own box
