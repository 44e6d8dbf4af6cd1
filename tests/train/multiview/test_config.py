"""Presets of training are the report's."""

import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from zero123pp.configs import load  # noqa: E402
from zero123pp.errors import ConfigError  # noqa: E402
from zero123pp.train.multiview.config import ViewsTrainConfig, preset_names, preset_path  # noqa: E402
from zero123pp.train.multiview.phases import REFINING  # noqa: E402

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("name", preset_names())
def test_every_training_preset_loads(name):
    config = load(ViewsTrainConfig, preset_path(name))
    kind = config.phase.removesuffix("1").removesuffix("2") if config.phase in REFINING else config.phase
    assert kind in name or name in ("mini",)
    assert (config.phase in REFINING) == (config.prediction == "epsilon")


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
