"""What a caller may rely on: seeds, batches, output types, devices' types, and clear refusals."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from zero123pp.diffusion import noise
from zero123pp.errors import BadInput, StageFailed

SMALL = {"width": 128, "height": 192, "num_inference_steps": 2}


def seeded(seed):
    return torch.Generator("cpu").manual_seed(seed)


def test_a_seed_fixes_the_result_whatever_ran_before(pipe, picture):
    torch.manual_seed(1)
    first = pipe(picture, generator=seeded(3), output_type="latent", **SMALL).images
    torch.manual_seed(2)
    pipe(picture, "a car", generator=seeded(9), guidance_scale=1, **(SMALL | {"num_inference_steps": 3}))
    before = torch.get_rng_state()
    again = pipe(picture, generator=seeded(3), output_type="latent", **SMALL).images
    assert torch.equal(first, again)
    assert torch.equal(before, torch.get_rng_state()), "the global generator was used"
    other = pipe(picture, generator=seeded(4), output_type="latent", **SMALL).images
    assert not torch.allclose(first, other, atol=0.1)


PROCESS = """
import hashlib, sys, torch
from PIL import Image
from zero123pp import Zero123PlusPipeline
pipe = Zero123PlusPipeline.from_pretrained(sys.argv[1])
pipe.set_progress_bar_config(disable=True)
image = Image.open(sys.argv[2])
out = pipe(image, generator=torch.Generator().manual_seed(3), output_type="latent", width=128, height=192,
           num_inference_steps=2).images
assert "torchvision" not in sys.modules
print(hashlib.sha256(out.numpy().tobytes()).hexdigest())
"""


def test_a_seed_fixes_the_result_in_any_process(pipe, picture, tiny, golden):
    import hashlib

    from paths import ROOT

    here = pipe(picture, generator=seeded(3), output_type="latent", **SMALL).images
    there = subprocess.run(
        [sys.executable, "-c", PROCESS, str(tiny), str(golden / "inputs" / "cond_1.png")],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert there.stdout.split()[-1] == hashlib.sha256(here.numpy().tobytes()).hexdigest()
    assert "torchvision" not in there.stderr


def test_each_generator_of_a_list_makes_its_own_picture(pipe, picture):
    def run(*seeds):
        generator = [seeded(s) for s in seeds]
        return pipe(
            picture, generator=generator, num_images_per_prompt=len(seeds), output_type="latent", **SMALL
        ).images

    alone = torch.cat([run(7), run(8)])
    np.testing.assert_allclose(run(7, 8).numpy(), alone.numpy(), atol=1e-4)
    np.testing.assert_allclose(run(8, 7).numpy(), alone.flip(0).numpy(), atol=1e-4)
    single = pipe(picture, generator=seeded(7), output_type="latent", **SMALL).images
    assert torch.equal(single, run(7))


@pytest.fixture(scope="module")
def other(golden):
    """Another picture, of another shape."""
    return Image.open(golden / "inputs" / "cond_0.png").convert("RGB")


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("control", [False, True])
def test_pictures_of_one_call_have_the_bits_of_calls_of_their_own(fast, control, pipe, control_pipe, picture, other):
    chosen = (control_pipe if control else pipe).with_controlnet(control_pipe.controlnet if control else None)
    if fast:
        chosen.accelerate()
    sheets = [Image.new("RGB", (128, 192), (90, 160, shade)) for shade in (20, 220)]
    more = [{"depth_image": sheet} if control else {} for sheet in sheets]

    def run(image, prompt, generator, **arguments):
        return chosen(image, prompt, generator=generator, output_type="np", **arguments, **SMALL).images

    alone = [
        run(image, prompt, seeded(seed), **extra)
        for image, prompt, seed, extra in zip((picture, other), ("", "a car"), (7, 8), more)
    ]
    both = {"depth_image": sheets} if control else {}
    together = run([picture, other], ["", "a car"], [seeded(7), seeded(8)], **both)
    np.testing.assert_array_equal(together, np.concatenate(alone))
    turned = run((other, picture), ("a car", ""), [seeded(8), seeded(7)], **{k: v[::-1] for k, v in both.items()})
    np.testing.assert_array_equal(turned, together[::-1])
    shared = run([picture, other], "", [seeded(7), seeded(8)], **more[0])  # one prompt and one control for all
    np.testing.assert_array_equal(shared[0], alone[0][0])
    assert (shared[1] != alone[1][0]).any()


def test_several_sheets_of_several_pictures(pipe, picture, other):
    def run(images, *seeds, each=2):
        generator = [seeded(seed) for seed in seeds]
        return pipe(images, generator=generator, num_images_per_prompt=each, output_type="latent", **SMALL).images

    together = run([picture, other], 1, 2, 3, 4)
    alone = [run(image, seed, each=1) for image, seed in ((picture, 1), (picture, 2), (other, 3), (other, 4))]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("separate", [False, True])
def test_pictures_go_together_unless_a_processor_has_to_keep_their_bits(pipe, picture, other, record, separate):
    generator = [seeded(1), seeded(2)] if separate else seeded(1)
    seen = record(pipe, image=[picture, other], generator=generator, **SMALL)
    # calls: write and read pass of two steps, both halves of the guidance
    assert [len(x) for x in seen.unet_in] == ([2] * 8 if separate else [4] * 4)
    assert [len(x) for x in seen.encoded] == [1] * 4 and len(seen.images) == 2
    first, second = (rows for rows in seen.encoded[:2])
    assert not torch.equal(first, second) and not any(x.any() for x in seen.encoded[2:])


@pytest.mark.parametrize(
    "bad",
    [
        {"image": []},
        {"prompt": ["a", "b"]},
        {"prompt": []},
        {"generator": [torch.Generator()]},
        {"generator": [torch.Generator()] * 3},
        {"image": [[np.zeros((64, 64, 3), np.uint8)]] * 3},
    ],
    ids=str,
)
def test_lists_that_do_not_fit_together(bad, pipe, picture):
    arguments = {"image": [picture] * 3, "generator": [seeded(n) for n in range(3)]} | SMALL
    if "image" not in bad and "generator" in bad:
        arguments["image"] = [picture] * 2
    with pytest.raises(BadInput) as caught:
        pipe(**(arguments | bad))
    assert "\n" not in str(caught.value)


def test_control_sheets_that_do_not_fit_the_pictures(control_pipe, picture):
    sheets = [Image.new("RGB", (128, 192))] * 3
    with pytest.raises(BadInput, match="depth_image is a list of 3; expected one, or one for each of 2"):
        control_pipe([picture] * 2, depth_image=sheets, **SMALL)


@pytest.mark.parametrize("control", [False, True])
@pytest.mark.parametrize("guidance", [4.0, 1.0])
def test_several_images_are_those_of_single_calls_with_their_share_of_the_noise(
    control, guidance, pipe, control_pipe, picture, record, monkeypatch
):
    """n = 2 in the order [neg, neg, pos, pos]: image j must use the draws j and n + j of the reference noise."""
    chosen = control_pipe if control else pipe
    more = {"depth_image": Image.new("RGB", (128, 192), (90, 160, 20))} if control else {}
    drawn, ready = [], []

    def draw(shape, **_):
        drawn.append(torch.randn(shape, generator=source))
        return drawn[-1]

    def inject(shape, **_):
        assert tuple(shape) == tuple(ready[0].shape)
        return ready.pop(0)

    def run(source_of_noise, images):
        monkeypatch.setattr(noise, "randn_tensor", source_of_noise)
        monkeypatch.setattr(inspect.getmodule(type(chosen.scheduler)), "randn_tensor", source_of_noise)
        return record(chosen, image=picture, guidance_scale=guidance, num_images_per_prompt=images, **more, **SMALL)

    source, halves = seeded(0), 2 if guidance > 1 else 1
    both = run(draw, 2)
    assert both.states[0].shape[0] == both.unet_in[0].shape[0] == both.unet_in[1].shape[0] == 2 * halves
    for half in both.states[0].chunk(halves):
        assert torch.equal(half[0], half[1])
    for j in range(2):
        # posteriors are shared; initial and ancestral noise belong to image j; reference noise to (half, j)
        ready[:] = [
            *drawn[:halves],
            *(x[j : j + 1] if len(x) == 2 and i % 2 == 0 else x[j::2] for i, x in enumerate(drawn[halves:])),
        ]
        alone = run(inject, 1)
        assert not ready
        np.testing.assert_allclose(alone.latents, both.latents[:, j : j + 1], atol=1e-4)
        assert np.abs(alone.latents[-1] - both.latents[-1, 1 - j]).max() > 0.1


def test_guidance_of_one_leaves_the_negative_half_out(pipe, picture, record):
    seen = record(pipe, image=picture, generator=seeded(0), guidance_scale=1.0, **SMALL)
    assert all(x.shape[0] == 1 for x in (*seen.unet_in, *seen.states)) and len(seen.encoded) == 1


def test_guidance_is_the_line_through_both_predictions(pipe, picture, record, monkeypatch):
    given, step = [], pipe.scheduler.step
    monkeypatch.setattr(pipe.scheduler, "step", lambda v, *a, generator: given.append(v) or step(v, *a, generator))
    seen = record(pipe, image=picture, generator=seeded(0), guidance_scale=2.5, **SMALL)
    for v, (negative, positive) in zip(given, seen.unet_out[1::2], strict=True):
        torch.testing.assert_close(v[0], negative + 2.5 * (positive - negative))
    assert torch.equal(*seen.unet_in[1]), "both halves start from the same latents"


def test_a_prompt_changes_the_positive_half_only(pipe, picture, record):
    plain = record(pipe, image=picture, generator=seeded(0), **SMALL).states[0]
    car = record(pipe, image=picture, prompt="a car", generator=seeded(0), **SMALL).states[0]
    assert torch.equal(plain[0], car[0]) and not torch.allclose(plain[1], car[1], atol=1e-2)


def test_output_types(pipe, picture):
    def run(kind):
        return pipe(picture, generator=seeded(1), output_type=kind, num_images_per_prompt=2, **SMALL).images

    pil, array, latent = run("pil"), run("np"), run("latent")
    assert [i.size for i in pil] == [(128, 192)] * 2 and pil[0].mode == "RGB"
    assert array.shape == (2, 192, 128, 3) and array.dtype == np.float32 and 0 <= array.min() <= array.max() <= 1
    np.testing.assert_array_equal(np.stack(pil), np.round(array * 255).astype(np.uint8))
    assert tuple(latent.shape) == (2, 4, 24, 16)


def test_the_sheet_has_the_checkpoints_size(pipe, picture, record):
    arguments = {"num_inference_steps": 1, "guidance_scale": 1.0, "output_type": "latent"}
    seen = record(pipe, image=picture, generator=seeded(0), **arguments)
    assert seen.images.shape[-2:] == (120, 80)  # 960 x 640 px
    pipe.register_to_config(tile_size=64)
    try:
        assert pipe(picture, num_inference_steps=1).images[0].size == (128, 192)
    finally:
        pipe.register_to_config(tile_size=320)


def test_arrays_and_pictures_are_the_same(pipe, picture):
    results = [
        pipe(image, generator=seeded(0), output_type="latent", **SMALL).images
        for image in (picture, np.asarray(picture))
    ]
    assert torch.equal(*results)


def test_the_callback_sees_each_step_and_may_change_it(pipe, picture):
    seen = []

    def callback(pipeline, step, timestep, tensors):
        seen.append((step, float(timestep), tuple(tensors["latents"].shape)))
        return {"latents": torch.zeros_like(tensors["latents"])} if step == 1 else None

    out = pipe(picture, callback_on_step_end=callback, output_type="latent", **SMALL).images
    assert seen == [(0, 999.0, (1, 4, 24, 16)), (1, 0.0, (1, 4, 24, 16))] and not out.any()


def test_half_precision_stays_near(tiny, pipe, picture):
    from zero123pp import Zero123PlusPipeline

    half = Zero123PlusPipeline.from_pretrained(tiny, torch_dtype=torch.bfloat16)
    half.set_progress_bar_config(disable=True)
    parts = (half.unet, half.vae, half.text_encoder, half.vision_encoder)
    assert all(p.dtype == torch.bfloat16 for part in parts for p in part.parameters())
    want = pipe(picture, generator=seeded(0), output_type="latent", **SMALL).images
    got = half(picture, generator=seeded(0), output_type="latent", **SMALL).images
    assert got.dtype == torch.float32  # a seed means the same noise in every type
    assert float((got - want).square().mean().sqrt() / want.square().mean().sqrt()) < 0.05


@pytest.mark.parametrize(
    "bad",
    [
        {"width": 100},
        {"width": -128},
        {"height": 192.0},
        {"num_inference_steps": 0},
        {"num_inference_steps": 2.5},
        {"controlnet_conditioning_scale": float("inf")},
        {"guidance_scale": "strong"},
        {"num_images_per_prompt": 0},
        {"guidance_scale": float("nan")},
        {"output_type": "pt"},
        {"generator": [torch.Generator()] * 3},
        {"image": "toy.png"},
        {"image": Image.new("L", (64, 64))},
        {"depth_image": Image.new("RGB", (128, 192))},
    ],
    ids=lambda bad: next(iter(bad)),
)
def test_unusable_arguments(bad, pipe, picture):
    with pytest.raises(BadInput) as caught:
        pipe(**({"image": picture} | SMALL | bad))
    assert "\n" not in str(caught.value)


def test_control_needs_both_halves(pipe, control_pipe, picture):
    with pytest.raises(BadInput, match="has no ControlNet"):
        pipe(picture, depth_image=Image.new("RGB", (128, 192)), **SMALL)
    with pytest.raises(BadInput, match="depth_image is None"):
        control_pipe(picture, **SMALL)
    with pytest.raises(BadInput, match=r"64x96 px, but the sheet is 128x192"):
        control_pipe(picture, depth_image=Image.new("RGB", (64, 96)), **SMALL)


def test_control_of_scale_zero_is_no_control(pipe, control_pipe, picture):
    sheet = Image.fromarray(np.random.default_rng(0).integers(0, 256, (192, 128, 3), dtype=np.uint8))
    plain = pipe(picture, generator=seeded(0), output_type="latent", **SMALL).images
    results = [
        control_pipe(
            picture,
            depth_image=sheet,
            controlnet_conditioning_scale=scale,
            generator=seeded(0),
            output_type="latent",
            **SMALL,
        ).images
        for scale in (0.0, 1.0)
    ]
    torch.testing.assert_close(results[0], plain, rtol=0, atol=1e-5)
    assert float((results[1] - plain).abs().max()) > 0.1


def test_numbers_out_of_range_are_an_error_not_a_picture(pipe, picture):
    def spoil(_pipe, _step, _t, tensors):
        return {"latents": tensors["latents"] * float("nan")}

    with pytest.raises(StageFailed, match="NaN"):
        pipe(picture, callback_on_step_end=spoil, output_type="latent", **SMALL)


def test_a_decoder_out_of_range_is_an_error_too(pipe, picture):
    hook = pipe.vae.decoder.register_forward_hook(lambda _m, _args, out: out * float("nan"))
    try:
        with pytest.raises(StageFailed, match="decoding"):
            pipe(picture, **SMALL)
    finally:
        hook.remove()


def test_diffusers_sees_an_ordinary_pipeline(pipe, tiny_controlnet):
    from diffusers import DiffusionPipeline

    assert isinstance(pipe, DiffusionPipeline)
    assert set(pipe.components) >= {"unet", "vae", "scheduler", "controlnet", "feature_extractor_vae"}
    assert pipe.to("cpu") is pipe and pipe.rig == "v1.2" and pipe.tile_size == 320
