"""What people who come from diffusers expect a pipeline to take."""

import pytest
import torch

from zero123pp import Zero123PlusPipeline
from zero123pp.errors import BadInput

SMALL = {"width": 128, "height": 192, "num_inference_steps": 2, "output_type": "latent"}
SHAPE = (1, 4, 24, 16)


def seeded(seed):
    return torch.Generator("cpu").manual_seed(seed)


def states_of(pipe, text):
    ids = pipe.tokenizer(text, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    with torch.no_grad():
        return pipe.text_encoder(ids)[0]


def test_a_tuple_instead_of_an_object(pipe, picture):
    said = pipe(picture, generator=seeded(0), **SMALL)
    plain = pipe(picture, generator=seeded(0), return_dict=False, **SMALL)
    assert isinstance(plain, tuple) and len(plain) == 1 and torch.equal(plain[0], said.images)


def test_first_noise_may_be_given(pipe, picture):
    """The generator then draws one noise less; what it draws for the picture is the same."""
    noise = torch.randn(SHAPE, generator=seeded(5))
    first, again = (pipe(picture, latents=noise, generator=seeded(1), **SMALL).images for _ in range(2))
    other = pipe(picture, latents=-noise, generator=seeded(1), **SMALL).images
    assert torch.equal(first, again) and not torch.allclose(first, other, atol=0.1)
    with pytest.raises(BadInput, match=r"latents have shape \(1, 4, 8, 8\)"):
        pipe(picture, latents=torch.zeros(1, 4, 8, 8), **SMALL)


def test_states_stand_for_their_texts(pipe, picture):
    by_text = pipe(picture, "a red car", negative_prompt="blurry", generator=seeded(0), **SMALL).images
    given = {"prompt_embeds": states_of(pipe, "a red car"), "negative_prompt_embeds": states_of(pipe, "blurry")}
    by_states = pipe(picture, generator=seeded(0), **given, **SMALL).images
    torch.testing.assert_close(by_states, by_text)
    plain = pipe(picture, "a red car", generator=seeded(0), **SMALL).images
    assert not torch.equal(plain, by_text)
    # Without guidance there is no negative half.
    alone = [pipe(picture, negative_prompt=n, guidance_scale=1, generator=seeded(0), **SMALL).images for n in ("", "x")]
    assert torch.equal(*alone)
    with pytest.raises(BadInput, match="both given"):
        pipe(picture, "a red car", prompt_embeds=given["prompt_embeds"], **SMALL)
    with pytest.raises(BadInput, match="negative_prompt_embeds have shape"):
        pipe(picture, negative_prompt_embeds=torch.zeros(1, 3, 4), **SMALL)


def test_several_pictures_each_with_several_sheets(pipe, picture):
    """Each sheet is the one that its generator alone would give, and its picture comes first."""
    other = picture.rotate(90)
    together = pipe([picture, other], num_images_per_prompt=2, generator=[seeded(s) for s in range(4)], **SMALL).images
    for row, image in enumerate((picture, picture, other, other)):
        alone = pipe(image, generator=[seeded(row)], **SMALL).images
        assert torch.equal(together[row : row + 1], alone)


def test_the_callback_gets_what_it_asks_for(pipe, picture):
    seen = []

    def callback(pipeline, step, timestep, tensors):
        seen.append({name: tuple(tensor.shape) for name, tensor in tensors.items()})
        return {"prompt_embeds": torch.zeros_like(tensors["prompt_embeds"])}

    names = ["latents", "prompt_embeds"]
    changed = pipe(
        picture, callback_on_step_end=callback, callback_on_step_end_tensor_inputs=names, generator=seeded(0), **SMALL
    ).images  # fmt: skip
    assert seen[0]["latents"] == SHAPE and seen[0]["prompt_embeds"][:2] == (2, 77) and list(seen[0]) == names
    assert not torch.equal(changed, pipe(picture, generator=seeded(0), **SMALL).images)
    with pytest.raises(BadInput, match="choose of latents, prompt_embeds"):
        pipe(picture, callback_on_step_end_tensor_inputs=["noise"], **SMALL)


def test_from_pipe_shares_the_networks(pipe, picture):
    other = Zero123PlusPipeline.from_pipe(pipe)
    other.set_progress_bar_config(disable=True)
    assert other.unet is pipe.unet and (other.rig, other.tile_size) == (pipe.rig, pipe.tile_size)
    results = [each(picture, generator=seeded(0), **SMALL).images for each in (pipe, other)]
    assert torch.equal(*results)


def test_a_single_file_is_refused_with_the_reason():
    with pytest.raises(BadInput, match="vision encoder"):
        Zero123PlusPipeline.from_single_file("model.safetensors")


def test_slicing_changes_nothing_but_memory(pipe, picture):
    plain = pipe(picture, generator=seeded(0), **SMALL).images
    pipe.vae.enable_slicing()
    pipe.vae.enable_tiling()
    try:
        torch.testing.assert_close(pipe(picture, generator=seeded(0), **SMALL).images, plain)
    finally:
        pipe.vae.disable_slicing()
        pipe.vae.disable_tiling()


def test_guidance_in_some_of_the_steps_only(pipe, picture):
    seen = []
    pipe.unet.register_forward_pre_hook(lambda _m, args: seen.append(len(args[0])))
    steps = SMALL | {"num_inference_steps": 4}
    calls = {}, {"guidance_interval": (0.0, 1.0)}, {"guidance_interval": (0.25, 0.75)}
    plain, whole, part = (pipe(picture, generator=seeded(0), **steps, **more).images for more in calls)
    assert torch.equal(plain, whole) and not torch.equal(plain, part)
    assert seen == [2] * 16 + [1, 1, 2, 2, 2, 2, 1, 1]  # rows of the write and the read pass
    # No step has guidance: the positive half alone, as without any, but for the noise that the other would have drawn.
    del seen[:]
    pipe(picture, **steps, guidance_interval=(1.0, 1.0))
    assert seen == [1] * 8
    for bad in ((0.5,), (0.6, 0.4), (-0.1, 1), (0, 1.5)):
        with pytest.raises(BadInput, match="guidance_interval is"):
            pipe(picture, guidance_interval=bad, **SMALL)
