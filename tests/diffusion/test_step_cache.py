"""Deep features of one step used in the next: what runs, what is the same, and what must not change."""

import numpy as np
import pytest
import torch

from zero123pp.errors import BadInput

SMALL = {"width": 128, "height": 192, "num_inference_steps": 4, "output_type": "latent"}


def latents(pipe, picture, **more):
    generator = torch.Generator().manual_seed(0)
    return pipe(picture, generator=generator, **SMALL, **more).images


def counted(pipe):
    """How often some of the UNet's layers run."""
    runs = dict.fromkeys(("deep", "last", "control"), 0)

    def count(name):
        def hook(*_):
            runs[name] += 1

        return hook

    pipe.unet.mid_block.resnets[0].register_forward_hook(count("deep"))
    pipe.unet.up_blocks[-1].resnets[-1].register_forward_hook(count("last"))
    if pipe.controlnet is not None:
        pipe.controlnet.register_forward_hook(count("control"))
    return runs


@pytest.mark.parametrize("fast", [False, True], ids=["plain", "fast"])
def test_every_other_step_is_whole(fast, control_pipe, picture):
    if fast:
        control_pipe.accelerate()
    sheet = np.full((192, 128, 3), 90, np.uint8)
    want = latents(control_pipe, picture, depth_image=sheet)
    runs = counted(control_pipe)
    got = latents(control_pipe, picture, depth_image=sheet, cache_interval=2)
    assert runs == {"deep": 4, "last": 8, "control": 2}  # 2 whole steps of 4; the write and the read pass each
    assert torch.isfinite(got).all() and not torch.equal(got, want)
    assert not any("forward" in vars(block) for block in (*control_pipe.unet.down_blocks, *control_pipe.unet.up_blocks))
    assert torch.equal(latents(control_pipe, picture, depth_image=sheet), want)


def test_features_of_the_same_step_are_exact(pipe, picture, monkeypatch):
    """A shortened pass right after a whole one of the same inputs gives the same bits."""
    seen = []
    predict = type(pipe)._predict

    def twice(self, *arguments):
        cache = arguments[-2]
        one = predict(self, *arguments)
        cache._since = 2
        seen.append((one, predict(self, *arguments)))
        cache._since = 1
        return one

    monkeypatch.setattr(type(pipe), "_predict", twice)
    pipe(picture, **SMALL | {"num_inference_steps": 1}, cache_interval=2)
    ((one, other),) = seen
    assert torch.equal(one, other)


def test_a_change_of_guidance_takes_a_whole_step(pipe, picture):
    runs = counted(pipe)
    latents(pipe, picture, cache_interval=4, guidance_interval=(0.5, 1.0))
    assert runs == {"deep": 4, "last": 8, "control": 0}


def test_an_interval_of_one_is_the_default(pipe, picture):
    assert torch.equal(latents(pipe, picture, cache_interval=1), latents(pipe, picture))


def test_a_compiled_unet_is_refused(pipe, picture):
    pipe.unet.compile()
    with pytest.raises(BadInput, match="not compiled"):
        latents(pipe, picture, cache_interval=2)
    with pytest.raises(BadInput, match="cache_interval is 0"):
        latents(pipe, picture, cache_interval=0)
