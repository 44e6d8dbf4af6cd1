"""What training starts from: Stable Diffusion 2 made ready, or a refusal."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from paths import ROOT  # noqa: E402

from zero123pp import Zero123PlusPipeline  # noqa: E402
from zero123pp.errors import BadInput, MissingBackend  # noqa: E402
from zero123pp.train.multiview.start import open_start  # noqa: E402

TINY = ROOT / "tests" / "golden" / "models" / "tiny-zero123plus"


@pytest.fixture(scope="module")
def pipe():
    return Zero123PlusPipeline.from_pretrained(TINY)


@pytest.fixture(scope="module")
def stable_diffusion(pipe, tmp_path_factory):
    """A folder in the layout of Stable Diffusion 2, and one of an image encoder."""
    folder = tmp_path_factory.mktemp("sd")
    schedule = diffusers.DDIMScheduler(beta_schedule="scaled_linear", steps_offset=1, clip_sample=False)
    base = diffusers.StableDiffusionPipeline(
        vae=pipe.vae, text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer, unet=pipe.unet, scheduler=schedule,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    base.save_pretrained(folder / "sd2")
    pipe.vision_encoder.save_pretrained(folder / "vision")
    return folder


def test_stable_diffusion_is_made_ready(stable_diffusion, pipe):
    made = open_start(str(stable_diffusion / "sd2"), vision=str(stable_diffusion / "vision"))
    assert made.scheduler.config.beta_schedule == "linear"
    assert made.scheduler.config.prediction_type == "v_prediction"
    np.testing.assert_allclose(made.config.ramping_coefficients, np.arange(1, 78) / 77)
    for one, other in zip(made.unet.parameters(), pipe.unet.parameters(), strict=True):
        assert torch.equal(one, other)
    assert (made.feature_extractor_vae.std, made.feature_extractor_vae.crop) == (0.8, (512, 512))
    assert made.rig == "v1.2"


def test_a_refiner_starts_from_a_network_that_predicts_noise(stable_diffusion, pipe):
    sources = {"vision": str(stable_diffusion / "vision"), "predicts": "epsilon"}
    made = open_start(str(stable_diffusion / "sd2"), **sources)
    assert type(made).__name__ == "SheetRefinerPipeline" and made.unet.config.in_channels == 8
    assert (made.scheduler.config.beta_schedule, made.scheduler.config.prediction_type) == ("scaled_linear", "epsilon")
    assert torch.equal(made.unet.conv_in.weight[:, :4], pipe.unet.conv_in.weight)
    assert not made.unet.conv_in.weight[:, 4:].any()
    with pytest.raises(BadInput, match="predicts epsilon, and its refiner is to predict v"):
        open_start(str(stable_diffusion / "sd2"), **sources | {"predicts": "v"})


def test_starts_that_are_none(stable_diffusion, tmp_path):
    with pytest.raises(BadInput, match="cannot be joined"):
        open_start(str(stable_diffusion / "sd2"), vision=str(tmp_path))
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(BadInput, match="is a FluxPipeline"):
        open_start(str(tmp_path), vision="")
    with pytest.raises(MissingBackend, match="--download"):
        open_start("nobody/has-this-model", vision="")
