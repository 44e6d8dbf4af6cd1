"""Small models from scratch: their size, and that training works."""

import json
from dataclasses import replace

import numpy as np
import pytest
from smooth_pictures import SHAPE, fitted_vae, smooth_pictures

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("accelerate")

from views_data import tiny_config, write_samples  # noqa: E402

from zero123pp import Zero123PlusPipeline  # noqa: E402
from zero123pp.train.multiview import codec, scratch  # noqa: E402
from zero123pp.train.multiview.loop import train  # noqa: E402
from zero123pp.train.multiview.small import MINI, small_pipeline  # noqa: E402
from zero123pp.train.multiview.start import open_start  # noqa: E402
from zero123pp.train.multiview.state import new_controlnet  # noqa: E402


@pytest.fixture(scope="module")
def vae():
    return fitted_vae()


def test_mini_is_as_small_as_promised(tmp_path):
    pipe = small_pipeline(MINI, 0)
    parts = (pipe.unet, pipe.vae, pipe.text_encoder, pipe.vision_encoder)
    assert sum(2 * parameter.numel() for part in parts for parameter in part.parameters()) < 40e6
    assert sum(2 * parameter.numel() for parameter in new_controlnet(pipe, 0).parameters()) < 12e6


def test_a_run_from_scratch_learns_and_its_model_draws(tmp_path, monkeypatch):
    from zero123pp.train.multiview.export import export_model
    from zero123pp.train.weights import load_checkpoint

    monkeypatch.setitem(scratch.SMALL, "smallest", SHAPE)
    data = write_samples(tmp_path / "data")
    config = tiny_config(
        phase="all", start="smallest", train_vision=True, steps=40, batch=4, learning_rate=2e-3, tile_px=0,
        save_every=20, log_every=5, validate_every=40, timesteps="even", min_snr_floor=0.25, codec_steps=20,
        codec_batch=1, warmup=5, decay=0.5, precision="bfloat16",
    )  # fmt: skip
    folder = scratch.build_start(tmp_path / "run" / "start", data, config)
    stamp = (folder / "model_index.json").stat().st_mtime_ns
    assert json.loads((tmp_path / "run" / "codec.jsonl").read_text())["linear_psnr"] > 10
    scratch.build_start(tmp_path / "run" / "start", None, config)
    assert (folder / "model_index.json").stat().st_mtime_ns == stamp, "the start is built once"
    checkpoint = load_checkpoint(train(open_start(str(folder), vision=""), data, tmp_path / "run", config))
    records = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert records[-1]["mse"] < 0.85 * records[0]["mse"]
    export_model(open_start(str(folder), vision=""), checkpoint, config, tmp_path / "model")
    pipe = Zero123PlusPipeline.from_pretrained(tmp_path / "model")
    pipe.set_progress_bar_config(disable=True)
    image = np.full((32, 32, 4), 200, np.uint8)
    drawn = pipe(image, num_inference_steps=2, guidance_scale=2.0, output_type="np", generator=torch.Generator())
    assert drawn.images.shape == (1, 96, 64, 3)
    _refit_changes_the_decoder_alone(folder, data, replace(config, codec_steps=10))
    moved = checkpoint["mean"]["vision_encoder.visual_projection.weight"]
    start = open_start(str(folder), vision="").vision_encoder.visual_projection.weight
    assert not torch.equal(moved, start)


def _refit_changes_the_decoder_alone(folder, data, config):
    before = open_start(str(folder), vision="").vae.state_dict()
    scratch.refit_decoder(folder, data, config)
    after = open_start(str(folder), vision="").vae.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if not name.startswith("decoder."))
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert "decoder.conv_out.weight" in changed
    lines = (folder.parent / "codec.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["steps"] == 10
    assert not list(folder.parent.glob(".*.tmp")) + list(folder.glob(".*.tmp"))


def test_fitting_the_decoder_lowers_the_error(vae):
    pictures = smooth_pictures(32, seed=4)
    before = codec.codec_quality(vae, pictures)
    errors = codec.fit_decoder(vae, lambda step: pictures[step % 4 * 8 :][:8], 30)
    assert np.mean(errors[-5:]) < 0.3 * np.mean(errors[:5])
    after = codec.codec_quality(vae, pictures)
    assert before["decoder_psnr"] + 3 < after["decoder_psnr"] < after["linear_psnr"] == before["linear_psnr"]
