"""The second stage: what it starts from, where the first stage's latents go, its folder, and refusals."""

import numpy as np
import pytest
import torch

from zero123pp import Zero123PlusPipeline
from zero123pp.diffusion import SheetRefinerPipeline, latents, refiner_of
from zero123pp.diffusion.sheet_refiner import beside_first_stage, first_stage_tiles
from zero123pp.errors import BadInput
from zero123pp.images import tile_sheet

SHEET = np.random.default_rng(0).integers(0, 256, (48, 32, 3), np.uint8)
IMAGE = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)


@pytest.fixture
def refiner(pipe):
    made = refiner_of(pipe, tile_size=32)
    made.set_progress_bar_config(disable=True)
    return made


def drawn(refiner, seed=0, **changes):
    options = {"num_inference_steps": 4, "output_type": "np", "strength": 0.5} | changes
    return refiner(SHEET, IMAGE, generator=torch.Generator().manual_seed(seed), **options).images[0]


def test_new_inputs_change_nothing_until_they_are_trained(pipe):
    x, t, states = torch.randn(1, 4, 8, 8), torch.tensor(200), torch.randn(1, 77, pipe.unet.config.cross_attention_dim)
    before = pipe.unet(x, t, encoder_hidden_states=states).sample
    refiner = refiner_of(pipe)
    assert refiner.unet.config.in_channels == 8
    assert refiner_of(refiner).unet.conv_in.in_channels == 8
    after = refiner.unet(torch.cat([x, torch.randn_like(x)], 1), t, encoder_hidden_states=states).sample
    assert torch.equal(before, after)


def test_the_reference_has_no_first_stage():
    reference, noised, first = torch.ones(1, 4, 2, 2), torch.full((1, 4, 3, 3), 2.0), torch.full((1, 4, 3, 3), 3.0)
    write, read = beside_first_stage(reference, noised, first)
    assert torch.equal(write, torch.cat([reference, torch.zeros(1, 4, 2, 2)], 1))
    assert torch.equal(read, torch.cat([noised, first], 1))


@pytest.mark.parametrize("mode", ["tile", "sheet"])
def test_a_refiner_that_finds_all_the_noise_gives_the_first_stage_back(refiner, mode, monkeypatch):
    """The noise of its start is the only difference between what it is told and what it sees."""
    sigmas = {}

    def finds(noised, x, t, states, first, *_):
        sigma = sigmas[int(t)]
        return (x * (sigma**2 + 1) ** 0.5 - first) / sigma

    alphas = refiner.scheduler.alphas_cumprod
    sigmas.update({t: float(((1 - alphas[t]) / alphas[t]) ** 0.5) for t in range(1000)})
    monkeypatch.setattr(refiner, "_predict", finds)
    tiles = first_stage_tiles(SHEET, 32, 127)
    given = tiles if mode == "tile" else tile_sheet(tiles)[None]
    wanted = latents.encode(refiner.vae, torch.from_numpy(given).permute(0, 3, 1, 2))
    whole = refiner(SHEET, IMAGE, mode=mode, num_inference_steps=4, strength=0.5, output_type="latent").images
    assert whole.shape == ((1, 4, 12, 8) if mode == "sheet" else (6, 4, 4, 4))
    assert torch.allclose(whole, wanted, atol=2e-3)


def test_the_sheet_and_the_picture_and_the_seed_decide(refiner):
    torch.nn.init.normal_(refiner.unet.conv_in.weight[:, 4:], std=0.1)
    first = drawn(refiner)
    assert first.shape == (96, 64, 3)
    np.testing.assert_array_equal(drawn(refiner), first)
    assert (drawn(refiner, seed=1) != first).any()
    assert (drawn(refiner, strength=1.0) != first).any()
    other = refiner(SHEET[::-1].copy(), IMAGE, num_inference_steps=4, strength=0.5, output_type="np",
                    generator=torch.Generator().manual_seed(0)).images[0]  # fmt: skip
    assert (other != first).any()
    guided = drawn(refiner, guidance_scale=3.0)
    assert (guided != first).any()


def test_the_mean_of_draws_is_that_of_their_latents(refiner):
    generator, options = torch.Generator().manual_seed(0), {"num_inference_steps": 4, "strength": 0.25}
    # A network that gives nothing: each draw is its noise.
    for parameter in refiner.unet.conv_out.parameters():
        torch.nn.init.zeros_(parameter)
    one, many = (
        refiner(SHEET, IMAGE, **options, draws=draws, output_type="latent", generator=generator).images
        for draws in (1, 16)
    )
    first = latents.encode(refiner.vae, torch.from_numpy(first_stage_tiles(SHEET, 32, 127)).permute(0, 3, 1, 2))
    ratio = float((many - first).std() / (one - first).std())
    assert 0.2 < ratio < 0.31  # 1 / sqrt(16)


def test_the_callback_hears_of_the_steps_that_are_made(refiner):
    heard = []
    drawn(refiner, num_inference_steps=10, strength=0.3, callback_on_step_end=lambda p, i, t, kw: heard.append(int(t)))
    assert heard == [299, 199, 99]


def test_a_folder_goes_there_and_back(refiner, tmp_path):
    refiner.set_defaults({"mode": "sheet", "strength": 0.5}).save_pretrained(tmp_path)
    again = SheetRefinerPipeline.from_pretrained(tmp_path)
    again.set_progress_bar_config(disable=True)
    assert (again.mode, again.strength, again.tile_size, again.rig) == ("sheet", 0.5, 32, refiner.rig)
    np.testing.assert_array_equal(drawn(again), drawn(refiner))
    with pytest.raises(BadInput, match="give it with --refiner"):
        Zero123PlusPipeline.from_pretrained(tmp_path)


def test_zero123plus_is_no_refiner(tiny):
    with pytest.raises(BadInput, match="latent channels"):
        SheetRefinerPipeline.from_pretrained(tiny)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "tiles"}, "mode is 'tiles'; choose one of tile, sheet"),
        ({"strength": 0}, "strength is 0"),
        ({"strength": 1.5}, "strength is 1.5"),
        ({"num_inference_steps": 0}, "num_inference_steps is 0"),
        ({"draws": 0}, "draws is 0"),
        ({"output_type": "jpg"}, "output_type"),
    ],
)
def test_bad_calls(refiner, changes, message):
    with pytest.raises(BadInput, match=message):
        drawn(refiner, **changes)


def test_a_sheet_of_another_shape(refiner):
    with pytest.raises(BadInput, match="3 rows of square tiles"):
        refiner(SHEET[:40], IMAGE)
