"""Targets, their inverse and their weights against diffusers."""

import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
from paths import ROOT  # noqa: E402

from zero123pp import Zero123PlusPipeline  # noqa: E402
from zero123pp.diffusion.reference import noised_reference  # noqa: E402
from zero123pp.diffusion.schedule import training_sigmas  # noqa: E402
from zero123pp.train.multiview import objective  # noqa: E402

TINY = ROOT / "tests" / "golden" / "models" / "tiny-zero123plus"


@pytest.fixture(scope="module")
def pipe():
    return Zero123PlusPipeline.from_pretrained(TINY)


@pytest.mark.parametrize("kind", ["v", "epsilon", "x0"])
def test_targets_and_their_inverse_agree_with_diffusers(kind, pipe):
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 5, 4, 6, 4, generator=generator)
    t = torch.tensor([0, 120, 500, 900, 999])
    sigma = torch.from_numpy(training_sigmas(pipe.scheduler.config))[t]
    wanted = objective.target(kind, clean, noise, sigma)
    noised = noised_reference(clean, noise, sigma[:, None, None, None])
    scheduler = diffusers.DDPMScheduler.from_config(pipe.scheduler.config)
    assert torch.allclose(noised, scheduler.add_noise(clean, noise, t), atol=1e-5)
    if kind == "v":
        assert torch.allclose(wanted, scheduler.get_velocity(clean, noise, t), atol=1e-5)
    found = objective.clean_of(kind, wanted, noised, sigma)
    assert torch.allclose(found, clean, atol=2e-4)
    # Weights of one and the same error: in z, in e (larger by 1 / sigma) and in v.
    snr = 1 / sigma**2
    per_clean = objective.min_snr_weight(sigma, 5.0, "x0")
    factor = {"x0": 1, "epsilon": snr, "v": snr + 1}[kind]
    assert torch.allclose(objective.min_snr_weight(sigma, 5.0, kind) * factor, per_clean, rtol=1e-5)
