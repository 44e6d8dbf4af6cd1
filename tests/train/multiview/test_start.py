"""What training starts from and what it sees: Stable Diffusion 2 made ready, samples as pictures, the noise."""

from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from paths import ROOT  # noqa: E402
from views_data import held_out_name, tiny_config, write_samples  # noqa: E402

from zero123pp import Zero123PlusPipeline  # noqa: E402
from zero123pp.configs import load  # noqa: E402
from zero123pp.diffusion.reference import noised_reference  # noqa: E402
from zero123pp.diffusion.schedule import training_sigmas  # noqa: E402
from zero123pp.errors import BadInput, ConfigError, MissingBackend  # noqa: E402
from zero123pp.images import untile_sheet  # noqa: E402
from zero123pp.train.multiview import objective  # noqa: E402
from zero123pp.train.multiview.config import ViewsTrainConfig, preset_names, preset_path  # noqa: E402
from zero123pp.train.multiview.dataset import Pool, ViewItems, numbers_of  # noqa: E402
from zero123pp.train.multiview.pictures import sample_pictures, target_sheet  # noqa: E402
from zero123pp.train.multiview.start import open_start  # noqa: E402
from zero123pp.train.multiview.state import geometry_of  # noqa: E402

TINY = ROOT / "tests" / "golden" / "models" / "tiny-zero123plus"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("views"))


@pytest.fixture(scope="module")
def pipe():
    return Zero123PlusPipeline.from_pretrained(TINY)


@pytest.fixture(scope="module")
def stable_diffusion(pipe, tmp_path_factory):
    """A folder in the layout of Stable Diffusion 2, and one of an image encoder."""
    folder = tmp_path_factory.mktemp("sd")
    schedule = diffusers.DDIMScheduler(beta_schedule="scaled_linear", steps_offset=1, clip_sample=False)
    base = diffusers.StableDiffusionPipeline(
        vae=pipe.vae, text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer, unet=pipe.unet, scheduler=schedule,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    base.save_pretrained(folder / "sd2")
    pipe.vision_encoder.save_pretrained(folder / "vision")
    return folder


def test_stable_diffusion_is_made_ready(stable_diffusion, pipe):
    made = open_start(str(stable_diffusion / "sd2"), vision=str(stable_diffusion / "vision"))
    assert made.scheduler.config.beta_schedule == "linear"
    assert made.scheduler.config.prediction_type == "v_prediction"
    np.testing.assert_allclose(made.config.ramping_coefficients, np.arange(1, 78) / 77)
    for one, other in zip(made.unet.parameters(), pipe.unet.parameters(), strict=True):
        assert torch.equal(one, other)
    assert (made.feature_extractor_vae.std, made.feature_extractor_vae.crop) == (0.8, (512, 512))
    assert made.rig == "v1.2"


def test_starts_that_are_none(stable_diffusion, tmp_path):
    with pytest.raises(BadInput, match="cannot be joined"):
        open_start(str(stable_diffusion / "sd2"), vision=str(tmp_path))
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(BadInput, match="is a FluxPipeline"):
        open_start(str(tmp_path), vision="")
    with pytest.raises(MissingBackend, match="--download"):
        open_start("nobody/has-this-model", vision="")


@pytest.mark.parametrize("name", preset_names())
def test_every_training_preset_loads(name):
    config = load(ViewsTrainConfig, preset_path(name))
    assert config.phase in name or name in ("mini",)


def test_the_presets_are_the_reports():
    first, second = (load(ViewsTrainConfig, preset_path(name)) for name in ("phase1", "phase2"))
    assert (first.rate(999), first.rate(0)) == (pytest.approx(7e-5, rel=0.01), pytest.approx(7e-8))
    assert first.rate(25_000) == pytest.approx(3.5e-5)
    assert first.rate(first.steps - 1) < 1e-12
    assert second.rate(1999) == second.rate(49_999) == 5e-6
    assert second.rate(999) == pytest.approx(2.5e-6)
    assert first.min_snr_gamma == second.min_snr_gamma == 5
    with pytest.raises(ConfigError, match="unknown training preset"):
        preset_path("phase3")


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


def test_items_are_functions_of_their_number(data, pipe):
    config = tiny_config(recolour=0.5, timesteps="even")
    pool = Pool(data, held_out=False)
    items = ViewItems(pool, geometry_of(pipe, config), config, group=4)
    again = ViewItems(Pool(data, held_out=False), geometry_of(pipe, config), config, group=4)
    order = [7, 3, 100, 3]
    one, other = [items[i] for i in order], [again[i] for i in sorted(order)]
    for name in one[0]:
        assert torch.equal(one[1][name], other[0][name])
        assert torch.equal(one[2][name], other[3][name])
    steps = sorted(int(items[number]["timestep"]) for number in range(8, 12))
    assert all(200 < b - a < 300 for a, b in pairwise(steps))
    kept = [bool(items[number]["keep"]) for number in range(200)]
    assert 0.6 < np.mean(kept) < 0.9
    other_stream = ViewItems(pool, geometry_of(pipe, config), config, group=4, stream=1)
    assert not torch.equal(other_stream[3]["noise"], items[3]["noise"])


def test_every_sample_comes_once_an_epoch_and_no_held_out_one(data):
    pool, unseen = Pool(data, held_out=False), Pool(data, held_out=True)
    count = len(pool)
    for epoch in range(2):
        drawn = [pool.at(number, seed=5) for number in range(epoch * count, (epoch + 1) * count)]
        assert sorted(drawn) == pool.numbers
    assert {pool.samples.meshes[number] for number in unseen.numbers} == {held_out_name()}
    assert not set(pool.numbers) & set(unseen.numbers)
    even = Pool(data, held_out=False, balance=0.0)
    groups = [even.samples.meshes[even.at(number, seed=0)].split("_")[0] for number in range(600)]
    assert 0.4 < np.mean([group == "ball" for group in groups]) < 0.6


def test_processes_and_parts_share_the_samples_of_a_step():
    one = list(numbers_of(3, 5, accumulate=1, processes=1, rank=0, batch=8))
    assert one == list(range(24, 40))
    ranks = [list(numbers_of(3, 5, accumulate=2, processes=2, rank=rank, batch=2)) for rank in range(2)]
    assert sorted(ranks[0] + ranks[1]) == one
    assert ranks[0][:4] == [24, 25, 28, 29]


def test_control_and_targets_by_phase(data):
    sample = Pool(data, held_out=False, depth=True, normals=True).samples[0]
    query, views, nothing = sample_pictures(sample, "all", background=127)
    assert nothing is None
    assert query.shape == (3, 32, 32)
    assert views.shape == (6, 3, 32, 32)
    _, same, depth = sample_pictures(sample, "depth", background=127)
    assert torch.equal(same, views)
    inside = depth[0, 0][8:24, 8:24]
    assert (inside.min(), inside.max()) == (0, 1)
    assert torch.all(depth[0, :, 0, 0] == 127 / 255)
    _, normals, told = sample_pictures(sample, "normals", background=127, channels=(2, 0, 1))
    assert torch.equal(told[:, [1, 2, 0]], views)
    assert np.array_equal(np.round(normals.numpy() * 255), untile_sheet(sample.normals).transpose(0, 3, 1, 2))
    assert target_sheet(views, 32)[:, 32:64, 32:].equal(views[3])
    bare = Pool(data, held_out=False).samples[0]
    for phase in ("depth", "normals"):
        with pytest.raises(BadInput, match="render the shards with"):
            sample_pictures(bare, phase, background=127)
