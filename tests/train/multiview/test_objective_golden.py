"""One training step against the recorded numbers of InstantMesh's trainer around the reference UNet."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from paths import ROOT  # noqa: E402

from zero123pp import Zero123PlusPipeline  # noqa: E402
from zero123pp.train.multiview import objective  # noqa: E402
from zero123pp.train.multiview.conditions import FrozenParts  # noqa: E402
from zero123pp.train.multiview.denoiser import ViewDenoiser  # noqa: E402
from zero123pp.train.multiview.pictures import query_picture, target_sheet  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"


def read(name):
    whole = dict(np.load(GOLDEN / "outputs" / "train_cond.npz"))
    return whole | dict(np.load(GOLDEN / "outputs" / f"{name}.npz"))


@pytest.fixture(scope="module", params=["train_cond", "train_drop"])
def step(request):
    """A recorded step and the same step here: forward and backward of the plain squared error."""
    want = read(request.param)
    meta = json.loads(str(want["meta"]))
    pipe = Zero123PlusPipeline.from_pretrained(GOLDEN / "models" / "tiny-zero123plus")
    pictures = [
        query_picture(torch.from_numpy(rgb) / 255, int(want["cond_imgs_resized_shape"][-1]))
        for rgb in want["cond_imgs_u8"]
    ]
    tiles = torch.from_numpy(want["target_imgs_u8"]).float() / 255
    item = {
        "vae_pixels": torch.cat([pipe.feature_extractor_vae(picture) for picture in pictures]),
        "clip_pixels": torch.cat([pipe.feature_extractor_clip(picture) for picture in pictures]),
        "target": torch.stack([target_sheet(each, meta["tile"]) for each in tiles]),
        "timestep": torch.from_numpy(want["t"]),
        "keep": torch.full((2,), meta["drop_cond_prob"] == 0),
    }
    names = {"noise_condition": "noise_vae_cond", "noise_target": "noise_vae_target", "noise": "noise"}
    item |= {ours: torch.from_numpy(want[theirs]) for ours, theirs in names.items()}
    item["noise_reference"] = torch.from_numpy(want["noise_ref"])
    denoiser = ViewDenoiser(pipe.unet, pipe.vision_encoder, torch.tensor(pipe.config.ramping_coefficients))
    denoiser.vision_encoder.requires_grad_(False)
    # InstantMesh's null picture is black before the extractor; ours is gray, as in sampling.
    noised = FrozenParts(pipe, torch.device("cpu"), null="black")(item)
    predicted = denoiser(**noised.inputs)
    errors = objective.squared_errors(predicted, noised.wanted)
    errors.mean().backward()
    return item, noised, denoiser, predicted.detach(), errors.detach(), want


def test_pictures_and_conditions(step):
    item, noised, denoiser, _, _, want = step
    np.testing.assert_allclose(item["target"][:, :, ::4, ::4], want["target_tiled_sub4"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(noised.latents, want["latents"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(noised.inputs["noised"], want["latents_noisy"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(noised.wanted, want["v_target"], rtol=0, atol=1e-5)
    inputs = noised.inputs
    states = denoiser.states(inputs["text"], inputs["clip_pixels"], inputs["keep"])
    np.testing.assert_allclose(states.detach(), want["prompt_embeds"], rtol=0, atol=1e-5)
    sigma = noised.sigma[:, None, None, None]
    reference = noised.inputs["noised_reference"] * (sigma**2 + 1) ** 0.5 - sigma * item["noise_reference"]
    np.testing.assert_allclose(reference, want["cond_lat"], rtol=0, atol=1e-4 * float(sigma.max()))


def test_prediction_and_losses(step):
    _, noised, _, predicted, errors, want = step
    np.testing.assert_allclose(predicted, want["v_pred"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(errors.mean(), want["loss"], rtol=1e-5)
    np.testing.assert_allclose(errors, want["mse_per_sample"], rtol=1e-5)
    np.testing.assert_allclose(1 / noised.sigma**2, want["snr"], rtol=1e-5)
    weights = objective.min_snr_weight(noised.sigma, 5.0)
    np.testing.assert_allclose(weights, want["minsnr_weight_v_gamma5"], rtol=1e-5)
    loss = objective.weighted_loss(errors, noised.sigma, 5.0)
    np.testing.assert_allclose(loss, want["loss_minsnr_v_gamma5"], rtol=1e-5)


def test_gradients_flow_through_both_passes_and_the_ramp(step):
    _, noised, denoiser, _, _, want = step
    found = {name: parameter.grad for name, parameter in denoiser.unet.named_parameters()}
    assert set(found) == set(want["grad_names"])
    norms = [float(found[name].double().norm()) for name in want["grad_names"]]
    np.testing.assert_allclose(norms, want["grad_norms"], rtol=1e-4, atol=1e-7)
    whole = [name for name in want if name.startswith("grad/")]
    assert len(whole) == 4
    for name in whole:
        scale = float(np.abs(want[name]).max())
        np.testing.assert_allclose(found[name.removeprefix("grad/")], want[name], rtol=1e-4, atol=1e-4 * scale)
    # The recorded ramp's gradient is that of the kept condition; without it there is none.
    ramp = want["grad_ramp"] * float(noised.inputs["keep"].all())
    np.testing.assert_allclose(denoiser.ramp.grad, ramp, rtol=1e-4, atol=1e-8)
