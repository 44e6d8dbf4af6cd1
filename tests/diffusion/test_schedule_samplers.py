"""The samplers by name: trailing steps, the schedule kept, fewer steps near many."""

import pytest
import torch

from zero123pp.diffusion.schedule import SAMPLERS, shipped_euler_ancestral, trailing_sampler
from zero123pp.errors import BadInput
from zero123pp.pipelines.models import options

SMALL = {"width": 128, "height": 192, "num_inference_steps": 2, "output_type": "latent"}


def seeded(seed):
    return torch.Generator("cpu").manual_seed(seed)


def relative(got, want):
    return float((got - want).norm() / want.norm())


def test_the_names_on_the_command_line_are_those_of_the_samplers():
    assert options.SAMPLERS == tuple(SAMPLERS)


@pytest.mark.parametrize("name", SAMPLERS)
def test_each_sampler_is_trailing_and_keeps_the_schedule(name, pipe):
    sampler = trailing_sampler(name, pipe.scheduler)
    sampler.set_timesteps(4)
    assert sampler.timesteps.tolist() == [999, 749, 499, 249]
    assert sampler.config.prediction_type == "v_prediction" and sampler.config.beta_schedule == "linear"
    shipped = shipped_euler_ancestral(sampler)
    shipped.set_timesteps(4)
    assert shipped.timesteps.tolist() == [999, 666, 333, 0]
    with pytest.raises(BadInput, match="heun"):
        trailing_sampler("heun", pipe.scheduler)


@pytest.mark.parametrize("name", ["dpm++", "unipc"])
def test_multistep_samplers_converge(name, pipe, picture):
    """More steps come nearer to 28 of them; the reference's noise, fresh at every step, leaves a rest."""
    pipe.scheduler = trailing_sampler(name, pipe.scheduler)
    few, more, many = (
        pipe(picture, generator=seeded(0), **(SMALL | {"num_inference_steps": steps})).images for steps in (3, 14, 28)
    )
    assert relative(more, many) < 0.1 < relative(few, many)
    again = pipe(picture, generator=seeded(0), **(SMALL | {"num_inference_steps": 3})).images
    assert torch.equal(few, again)
