"""Other samplers, other UNet weights, shared networks, and pictures that do not depend on their company."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from zero123pp import Zero123PlusPipeline
from zero123pp.diffusion.preprocess import on_gray
from zero123pp.diffusion.schedule import SAMPLERS, shipped_euler_ancestral, trailing_sampler
from zero123pp.errors import BadInput
from zero123pp.pipelines.models import model_options

SMALL = {"width": 128, "height": 192, "num_inference_steps": 2, "output_type": "latent"}


def seeded(seed):
    return torch.Generator("cpu").manual_seed(seed)


def relative(got, want):
    return float((got - want).norm() / want.norm())


def test_the_names_on_the_command_line_are_those_of_the_samplers():
    assert model_options.SAMPLERS == tuple(SAMPLERS)


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


@pytest.mark.parametrize("fast", [False, True])
def test_a_picture_has_the_same_bits_in_any_batch_and_order(fast, tiny, picture):
    pipe = Zero123PlusPipeline.from_pretrained(tiny)
    pipe.set_progress_bar_config(disable=True)
    if fast:
        pipe.accelerate()

    def run(*seeds):
        generators = [seeded(seed) for seed in seeds]
        return pipe(picture, generator=generators, num_images_per_prompt=len(seeds), **SMALL).images

    alone = {seed: run(seed)[0] for seed in (7, 8, 9)}
    for order in ((7, 8), (8, 7), (9, 7, 8)):
        for latents, seed in zip(run(*order), order):
            assert torch.equal(latents, alone[seed])
    assert torch.equal(pipe(picture, generator=seeded(8), **SMALL).images[0], alone[8])


@pytest.fixture
def other_weights(tiny, tmp_path):
    state = load_file(tiny / "unet" / "diffusion_pytorch_model.safetensors")
    return {name: value * 0.9 if "attn1.to_q" in name else value for name, value in state.items()}, tmp_path


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_weights_of_a_file_take_the_place_of_the_unets(suffix, other_weights, tiny):
    state, folder = other_weights
    file = folder / f"unet{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    pipe = Zero123PlusPipeline.from_pretrained(tiny, unet_file=file, torch_dtype=torch.bfloat16)
    loaded = pipe.unet.state_dict()
    assert all(torch.equal(loaded[name], value.bfloat16()) for name, value in state.items())
    assert not pipe.unet.training and pipe.config.input_background == 127


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.pop("conv_in.weight"), "lacks 1 tensors"),
        (lambda s: s.update(more=torch.zeros(1)), "unknown 1 tensors"),
        (lambda s: s.update({"conv_in.weight": torch.zeros(3, 3)}), "another shape for 1"),
        (lambda s: s["conv_in.weight"].fill_(float("nan")), "NaN"),
    ],
)
def test_a_file_of_another_network_is_refused(spoil, message, other_weights, tiny):
    state, folder = other_weights
    spoil(state)
    save_file(state, folder / "unet.safetensors")
    with pytest.raises(BadInput, match=message) as caught:
        Zero123PlusPipeline.from_pretrained(tiny, unet_file=folder / "unet.safetensors")
    assert "\n" not in str(caught.value)


def test_a_file_that_hides_code_is_refused_and_does_not_run(tiny, tmp_path):
    class Planted:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    torch.save({"conv_in.weight": Planted()}, tmp_path / "unet.bin")
    with pytest.raises(BadInput, match="code"):
        Zero123PlusPipeline.from_pretrained(tiny, unet_file=tmp_path / "unet.bin")
    assert not (tmp_path / "ran").exists()
    with pytest.raises(BadInput, match="no file"):
        Zero123PlusPipeline.from_pretrained(tiny, unet_file=tmp_path / "missing.bin")


def test_the_background_of_the_input_is_the_unets(tiny, picture, record, tmp_path):
    white = Zero123PlusPipeline.from_pretrained(tiny, input_background=255)
    white.set_progress_bar_config(disable=True)
    seen = record(white, image=picture, generator=seeded(0), **SMALL)
    want = white.feature_extractor_vae(on_gray(picture, background=255))
    assert torch.equal(seen.encoded[0], want)
    assert np.asarray(on_gray(picture, background=255)).max() == 255
    white.save_pretrained(tmp_path / "white")
    assert Zero123PlusPipeline.from_pretrained(tmp_path / "white").config.input_background == 255
    with pytest.raises(BadInput, match="input_background"):
        Zero123PlusPipeline.from_pretrained(tiny, input_background=300)


def test_networks_are_shared_under_another_controlnet(pipe, control_pipe, picture):
    plain = control_pipe.with_controlnet(None)
    assert plain.unet is control_pipe.unet and plain.controlnet is None and plain.rig == control_pipe.rig
    plain.scheduler = pipe.scheduler
    again = plain.with_controlnet(control_pipe.controlnet)
    assert again.controlnet is control_pipe.controlnet
    results = [p(picture, generator=seeded(0), **SMALL).images for p in (plain, pipe)]
    assert torch.equal(*results)
