"""Small models from scratch: the VAE whose encoder is computed, the published layout, and that training works."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("accelerate")

from views_data import tiny_config, write_samples  # noqa: E402

from zero123pp import Zero123PlusPipeline  # noqa: E402
from zero123pp.diffusion.latents import scale_image, scale_latents  # noqa: E402
from zero123pp.errors import BadInput  # noqa: E402
from zero123pp.train.multiview import codec, scratch  # noqa: E402
from zero123pp.train.multiview.conditions import FrozenParts  # noqa: E402
from zero123pp.train.multiview.loop import train  # noqa: E402
from zero123pp.train.multiview.small import MINI, SmallModel, small_pipeline  # noqa: E402
from zero123pp.train.multiview.start import open_start  # noqa: E402
from zero123pp.train.multiview.state import new_controlnet  # noqa: E402

SHAPE = SmallModel(tile_px=32, channels=(32, 64), context=64, vision_layers=1)


def smooth_pictures(count, size=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)


@pytest.fixture(scope="module")
def vae():
    made = small_pipeline(SHAPE, 0).vae
    codec.set_encoder(made, smooth_pictures(64))
    return made.requires_grad_(False)


def test_the_encoder_is_the_linear_code_of_patches(vae):
    """Affine to rounding, decorrelated, of the intended size, and as good as principal components in numpy."""
    pictures = smooth_pictures(40, seed=1)
    one, two = pictures[:20], pictures[20:]

    def encode(values):
        return scale_latents(vae.encode(scale_image(values * 2 - 1)).latent_dist.mean * vae.config.scaling_factor)

    middle = encode(0.25 * one + 0.75 * two)
    assert torch.allclose(middle, 0.25 * encode(one) + 0.75 * encode(two), atol=2e-3)
    codes = encode(smooth_pictures(64)).permute(0, 2, 3, 1).flatten(0, 2)
    assert float(codes.square().mean().sqrt()) == pytest.approx(codec.SPREAD, rel=0.02)
    correlation = np.corrcoef(codes.T.numpy()) - np.eye(codes.shape[1])
    assert np.abs(correlation).max() < 0.02
    # Half a step of another route: the best rank-16 approximation of 8x8 patches is what a decoder could reach.
    patches = torch.nn.functional.unfold(pictures, 8, stride=8).permute(0, 2, 1).flatten(0, 1).double()
    design = torch.cat([encode(pictures).permute(0, 2, 3, 1).flatten(0, 2).double(), torch.ones(len(patches), 1)], 1)
    left = patches - design @ torch.linalg.lstsq(design, patches).solution
    centred = patches - patches.mean(0)
    best = torch.linalg.svdvals(centred)[16:].square().sum()
    assert left.square().sum() < 1.3 * best
    assert left.square().sum() < 0.02 * centred.square().sum()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_encoder_survives_low_precision(vae, dtype):
    pixels = scale_image(smooth_pictures(4, seed=2) * 2 - 1)
    exact = vae.encode(pixels).latent_dist.mean
    low = small_pipeline(SHAPE, 0).vae
    low.load_state_dict(vae.state_dict())
    torch.nn.Module.to(low, dtype)
    with torch.no_grad():
        error = (low.encode(pixels.to(dtype)).latent_dist.mean.float() - exact).square().mean().sqrt()
    assert float(error / exact.std()) < {torch.float16: 0.01, torch.bfloat16: 0.03}[dtype]


def test_blocks_that_do_nothing_are_skipped_without_a_difference(vae):
    pixels = scale_image(smooth_pictures(3, seed=3) * 2 - 1)
    before = vae.encode(pixels).latent_dist.mean
    pipe = small_pipeline(SHAPE, 0)
    pipe.vae.load_state_dict(vae.state_dict())
    frozen = FrozenParts(pipe, torch.device("cpu"))
    seen = []
    for part in frozen.vae.encoder.modules():
        if type(part).__name__ == "ResnetBlock2D":
            part.conv1.register_forward_hook(lambda *_: seen.append(1))
    with torch.no_grad():
        assert torch.equal(frozen.vae.encode(pixels).latent_dist.mean, before)
    assert not seen


def test_other_vaes_are_refused():
    from dataclasses import replace

    with pytest.raises(BadInput, match="no linear code fits"):
        codec.set_encoder(small_pipeline(replace(SHAPE, vae_channels=(8, 16, 32, 32)), 0).vae, smooth_pictures(4))


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
