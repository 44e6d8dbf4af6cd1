"""Laws of the noise schedule, and the level of the reference under any scheduler."""

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

from zero123pp.diffusion import schedule
from zero123pp.diffusion.reference import noised_reference
from zero123pp.errors import BadInput

LINEAR = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "linear", "num_train_timesteps": 1000}


@pytest.mark.quick
def test_the_linear_schedule_of_the_report():
    sigmas = schedule.training_sigmas(LINEAR)
    assert sigmas.shape == (1000,) and sigmas.dtype == np.float32 and (np.diff(sigmas) > 0).all()
    assert sigmas[-1] == pytest.approx(25.1461, abs=1e-3)
    assert 1 / sigmas[120] ** 2 < 5 < 1 / sigmas[119] ** 2  # where min-SNR with gamma 5 begins to weigh
    scaled = schedule.training_sigmas(LINEAR | {"beta_schedule": "scaled_linear"})
    assert scaled[-1] == pytest.approx(14.61, abs=1e-2)
    listed = schedule.training_sigmas({"trained_betas": np.linspace(0.00085, 0.012, 1000).tolist()})
    np.testing.assert_allclose(listed, sigmas, rtol=1e-6)


@pytest.mark.quick
@pytest.mark.parametrize("spacing", ["trailing", "linspace", "leading"])
@pytest.mark.parametrize("steps", [1, 3, 28, 75])
def test_sigma_of_t_is_the_schedulers(spacing, steps):
    scheduler = EulerAncestralDiscreteScheduler(**LINEAR, prediction_type="v_prediction", timestep_spacing=spacing)
    scheduler.set_timesteps(steps)
    got = schedule.sigma_at(scheduler.timesteps.numpy(), schedule.training_sigmas(scheduler.config))
    np.testing.assert_allclose(got, scheduler.sigmas[:-1].numpy(), rtol=1e-6)


@pytest.mark.quick
def test_noised_reference_is_ddpms_forward_process():
    scheduler = DDIMScheduler(**LINEAR)
    sigmas = schedule.training_sigmas(scheduler.config)
    clean, eps = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    for t in (0, 1, 250, 999):
        want = scheduler.add_noise(clean, eps, torch.tensor([t]))
        torch.testing.assert_close(noised_reference(clean, eps, float(sigmas[t])), want, rtol=0, atol=1e-6)


@pytest.mark.quick
@pytest.mark.parametrize("config", [{}, LINEAR | {"beta_schedule": "squaredcos_cap_v2"}, {"shift": 1.0}])
def test_a_schedule_of_another_kind_is_refused(config):
    with pytest.raises(BadInput, match="beta_schedule"):
        schedule.training_sigmas(config)


def test_a_flow_matching_scheduler_is_refused(pipe, picture):
    pipe.scheduler = FlowMatchEulerDiscreteScheduler()
    with pytest.raises(BadInput, match="beta_schedule"):
        pipe(picture, width=128, height=192, num_inference_steps=2, output_type="latent")


def sampled(pipe, picture, **more):
    generator = torch.Generator().manual_seed(5)
    return pipe(
        picture, width=128, height=192, num_inference_steps=3, generator=generator, output_type="latent", **more
    ).images


def test_a_scheduler_may_be_swapped_at_any_time(pipe, tiny, picture, record):
    """The reference noise level never comes from a scheduler, so one with other steps behind it changes nothing."""
    from zero123pp import Zero123PlusPipeline

    fresh = Zero123PlusPipeline.from_pretrained(tiny)
    fresh.set_progress_bar_config(disable=True)
    fresh.scheduler = schedule.trailing_euler_ancestral(fresh.scheduler)
    want = sampled(fresh, picture)

    sampled(pipe, picture)  # the shipped scheduler, to its end
    shipped = pipe.scheduler
    pipe.scheduler = schedule.trailing_euler_ancestral(shipped)
    shipped.set_timesteps(2)  # what the old one does no longer matters
    assert torch.equal(sampled(pipe, picture), want)
    pipe.scheduler.set_timesteps(7)  # nor what this one did
    pipe.scheduler.step(want, pipe.scheduler.timesteps[0], want)
    assert torch.equal(sampled(pipe, picture), want)


@pytest.mark.parametrize("kind", [DPMSolverMultistepScheduler, UniPCMultistepScheduler, DDIMScheduler])
def test_other_schedulers_get_the_same_reference_level(kind, pipe, picture, record):
    trailing = schedule.trailing_euler_ancestral(pipe.scheduler)
    pipe.scheduler = kind.from_config(trailing.config)
    generator = torch.Generator().manual_seed(5)
    other = record(pipe, image=picture, width=128, height=192, num_inference_steps=3, generator=generator)
    pipe.scheduler = trailing
    generator = torch.Generator().manual_seed(5)
    euler = record(pipe, image=picture, width=128, height=192, num_inference_steps=3, generator=generator)
    assert np.isfinite(other.latents).all()
    # The first draws are the same, so the first reference must be; and both start from unit variance.
    torch.testing.assert_close(other.unet_in[0], euler.unet_in[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(other.unet_in[1], euler.unet_in[1], rtol=0, atol=5e-3)
