"""Presets load strictly: every key, type and range is checked, and the message names the key."""

import re
from dataclasses import dataclass, field
from typing import Literal

import pytest
from paths import ROOT

from zero123pp.configs import describe, load, preset_names
from zero123pp.configs.renamed import REMOVED
from zero123pp.errors import ConfigError
from zero123pp.pipelines.image_to_mesh import PipelineConfig

pytestmark = pytest.mark.quick


@dataclass(frozen=True)
class Stage:
    steps: int = 10
    rate: float = 0.5
    mode: Literal["a", "b"] = "a"
    levels: tuple[int, ...] = (32, 64)
    limit: int | None = None

    def __post_init__(self):
        if self.steps < 1:
            raise ConfigError(f"steps is {self.steps}; expected at least 1")


@dataclass(frozen=True)
class Whole:
    fit: Stage = field(default_factory=Stage)
    on: bool = True


def test_overrides_reach_nested_fields_of_every_type():
    config = load(Whole, "default", ["fit.steps=3", "fit.rate=1e-3", "fit.mode=b", "fit.levels=[8]", "on=false"])
    assert config == Whole(Stage(3, 1e-3, "b", (8,)), on=False)
    assert load(Whole, "default", ["fit.rate=2", "fit.limit=null"]).fit.rate == 2.0
    assert describe(config)["fit.levels"] == (8,)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fit.stesp=3", r"unknown key fit\.stesp; did you mean fit\.steps"),
        ("zzz=3", "unknown key zzz; known keys: fit, on"),
        ("fit.steps=many", r"fit\.steps is 'many'.*int"),
        ("fit.steps=true", r"fit\.steps is True.*int"),
        ("fit.steps=0", r"fit\.steps is 0; expected at least 1"),
        ("fit.mode=c", r"fit\.mode is 'c'; choose one of a, b"),
        ("fit.levels=4", r"fit\.levels is 4; expected a list"),
        ("fit=3", r"fit is a group"),
        ("fit.steps", "key=value"),
        ("fit.steps=[", "YAML"),
        ("fit.steps=2024-13-45", "YAML"),
        ("fit.steps=0b_", "YAML"),
        ("fit.steps=" + 5000 * "[", "YAML"),
        (".".join(3000 * ["fit"]) + "=1", "groups within groups"),
    ],
)
def test_bad_overrides_name_the_key(override, message):
    with pytest.raises(ConfigError, match=message):
        load(Whole, "default", [override])


def test_preset_files(tmp_path):
    preset = tmp_path / "mine.yaml"
    preset.write_text("fit: {steps: 7}\n")
    assert load(Whole, preset).fit.steps == 7
    preset.write_text("- 1\n")
    with pytest.raises(ConfigError, match="mapping"):
        load(Whole, preset)
    with pytest.raises(ConfigError, match=r"unknown preset 'slow'.*default"):
        load(Whole, "slow")
    with pytest.raises(ConfigError, match="cannot read"):
        load(Whole, tmp_path / "none.yaml")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_fits_the_pipeline(name):
    assert isinstance(load(PipelineConfig, name), PipelineConfig)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("harmonise.use=never", r"harmonise\.use is called align\.use now"),
        ("harmonise.incoherence_px=1", r"called align\.inconsistency_px now"),
        ("place.confidence=1", r"called register\.confidence now"),
        ("fit.rate_sdf=0.1", r"called fit\.lr_sdf now"),
        ("fit.hash.rate=0.1", r"called fit\.hash\.lr now"),
        ("refine.rate=0.1", r"called refine\.lr now"),
    ],
)
def test_keys_of_earlier_releases_are_told_their_new_names(override, message, tmp_path):
    _assert_refused(override, message, tmp_path)


@pytest.mark.parametrize("path", REMOVED)
def test_keys_that_are_gone_are_told_why(path, tmp_path):
    _assert_refused(f"{path}=0.5", rf"{re.escape(path)} is gone: {re.escape(REMOVED[path])}", tmp_path)
    document = re.search(r"docs/\w+\.md", REMOVED[path]).group()
    assert path in (ROOT / document).read_text("utf-8"), f"{document} does not mention {path}"


def _assert_refused(override, message, tmp_path):
    """By a flag and by a preset."""
    with pytest.raises(ConfigError, match=message):
        load(PipelineConfig, "default", [override])
    preset = tmp_path / "old.yaml"
    *groups, last = override.partition("=")[0].split(".")
    preset.write_text("".join("  " * depth + f"{name}:\n" for depth, name in enumerate(groups)) + "  " * len(groups)
                      + f"{last}: {override.partition('=')[2]}\n")  # fmt: skip
    with pytest.raises(ConfigError, match=message):
        load(PipelineConfig, preset)


def test_every_new_name_is_a_key():
    from zero123pp.configs.renamed import RENAMED

    keys = describe(PipelineConfig())
    for name in RENAMED.values():
        assert name in keys or any(key.startswith(f"{name}.") for key in keys), name


def test_a_group_within_itself_is_told(tmp_path):
    (tmp_path / "loop.yaml").write_text("fit: {zzz: &a {x: *a}}")
    with pytest.raises(ConfigError, match="unknown key"):
        load(Whole, tmp_path / "loop.yaml")
