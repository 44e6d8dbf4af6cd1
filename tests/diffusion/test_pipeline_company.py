"""Pictures do not depend on their company; networks may be shared."""

import pytest
import torch

from zero123pp import Zero123PlusPipeline

SMALL = {"width": 128, "height": 192, "num_inference_steps": 2, "output_type": "latent"}


def seeded(seed):
    return torch.Generator("cpu").manual_seed(seed)


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


def test_networks_are_shared_under_another_controlnet(pipe, control_pipe, picture):
    plain = control_pipe.with_controlnet(None)
    assert plain.unet is control_pipe.unet and plain.controlnet is None and plain.rig == control_pipe.rig
    plain.scheduler = pipe.scheduler
    again = plain.with_controlnet(control_pipe.controlnet)
    assert again.controlnet is control_pipe.controlnet
    results = [p(picture, generator=seeded(0), **SMALL).images for p in (plain, pipe)]
    assert torch.equal(*results)
