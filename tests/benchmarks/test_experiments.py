"""The experiments run from their configs, write numbers and a plot, and say how they came about."""

import json
import sys

import pytest
from paths import ROOT

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("matplotlib")

from zero123pp.configs import load  # noqa: E402


@pytest.fixture(scope="module")
def experiments():
    for folder in ("benchmarks", "tests/train"):
        sys.path.insert(0, str(ROOT / folder))
    import experiments

    yield experiments
    for folder in ("benchmarks", "tests/train"):
        sys.path.remove(str(ROOT / folder))


@pytest.fixture(scope="module")
def data(experiments, tmp_path_factory):
    from views_data import write_samples

    return write_samples(tmp_path_factory.mktemp("views"))


def test_every_experiment_has_a_config(experiments):
    assert {file.stem for file in experiments.CONFIGS.glob("*.yaml")} == set(experiments.EXPERIMENTS)
    for name, (cls, _, _) in experiments.EXPERIMENTS.items():
        config = load(cls, experiments.CONFIGS / f"{name}.yaml")
        if cls is experiments.conditions.ConditionConfig:
            assert experiments.conditions.new_model(config).unet.config.block_out_channels == tuple(config.channels)


def test_noise_levels_are_those_of_the_schedules(experiments, data, tmp_path):
    found = experiments.run("figure3_noise_levels", data, tmp_path, [])
    # Signal-to-noise ratio of the last step: 0.00158 linear, 0.00466 / (1 - 0.00466) scaled linear.
    assert found["last_snr"]["linear"] == pytest.approx(0.0015815, rel=1e-3)
    assert found["last_snr"]["scaled_linear"] == pytest.approx(1 / 14.61**2, rel=1e-3)
    shares = found["share_of_steps_with_snr_below"]
    assert shares["linear"]["0.1"] > shares["scaled_linear"]["0.1"]


@pytest.mark.parametrize("name", ["figure4_blank_picture", "figure5_swapped_schedule"])
def test_schedule_experiments_run(name, experiments, data, tmp_path):
    small = {"size_px": 8, "steps": 2, "tune_steps": 2, "watch_every": 1, "sampling_steps": 2, "batch": 4, "drawn": 4}
    overrides = [*(f"{key}={value}" for key, value in small.items()), "channels=[16, 16]"]
    first = experiments.run(name, data, tmp_path, overrides)
    assert (tmp_path / f"{name}.png").stat().st_size > 1000
    record = json.loads((tmp_path / f"{name}.json").read_text())
    assert record["config"]["steps"] == 2
    assert "--set steps=2" in record["command"]
    assert experiments.run(name, data, tmp_path, overrides) == first, "the seed fixes every number"


@pytest.mark.parametrize("name", ["figure7_reference_scale", "figure8_global_condition"])
def test_condition_experiments_run(name, experiments, data, tmp_path):
    small = {"steps": 2, "batch": 2, "codec_steps": 2, "validate_every": 2, "validation_samples": 2}
    overrides = [*(f"{key}={value}" for key, value in small.items()), "channels=[32, 32]", "first_steps=[999]"]
    arms = experiments.run(name, data, tmp_path, overrides)["arms"]
    one, other = arms.values()
    assert one["samples"] == other["samples"] == [4]
    assert one["val_mse"] != other["val_mse"]
    assert set(one["psnr_by_side"]) == set(other["psnr_by_side"])
