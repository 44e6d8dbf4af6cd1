"""True tiles made worse, and sheets that a first stage drew."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from view_samples import random_sample  # noqa: E402
from views_data import tiny_config  # noqa: E402

from zero123pp.errors import BadInput, ConfigError  # noqa: E402
from zero123pp.images import encode_png, tile_sheet  # noqa: E402
from zero123pp.train.multiview.first_stage import FirstStageErrors, drawn_tiles, worsened  # noqa: E402
from zero123pp.train.multiview.pictures import first_stage_of, sample_pictures  # noqa: E402

NONE = {"blur_px": 0, "warp_px": 0, "gain": 0, "blotches": 0}


@pytest.fixture
def tiles():
    alpha = torch.zeros(6, 1, 64, 64)
    alpha[:, :, 16:48, 16:48] = 1
    checks = torch.from_numpy(np.indices((64, 64)).sum(0) // 4 % 2).float()
    return torch.where(alpha > 0, checks * 0.5 + 0.2, torch.tensor(0.5)).expand(-1, 3, -1, -1), alpha


def test_nothing_wrong_is_the_picture_itself(tiles):
    found = worsened(*tiles, FirstStageErrors(64, **NONE), np.random.default_rng(0))
    assert torch.equal(found, tiles[0])


@pytest.mark.parametrize(("name", "amount"), [("blur_px", 8), ("warp_px", 10), ("gain", 0.3), ("blotches", 0.1)])
def test_each_error_leaves_the_background_plain(tiles, name, amount):
    errors = FirstStageErrors(64, **(NONE | {name: amount}))
    found = worsened(*tiles, errors, np.random.default_rng(0))
    assert found.shape == (6, 3, 64, 64) and 0 <= found.min() and found.max() <= 1
    wrong = (found - tiles[0]).abs()
    assert wrong[..., 16:48, 16:48].mean() > 1e-3
    assert wrong[..., :4, :].max() < 1e-6 and wrong[..., -4:].max() < 1e-6
    assert not torch.equal(wrong[0], wrong[1])  # each view has its own
    again = worsened(*tiles, errors, np.random.default_rng(0))
    assert torch.equal(found, again)


def test_it_is_drawn_smaller(tiles):
    assert worsened(*tiles, FirstStageErrors(40), np.random.default_rng(0)).shape == (6, 3, 40, 40)


def test_amounts_that_are_none():
    with pytest.raises(ConfigError, match="blur_px is -1"):
        FirstStageErrors(blur_px=-1)
    with pytest.raises(ConfigError, match="tile_px is 0"):
        FirstStageErrors(tile_px=0)


def test_real_sheets_are_taken_where_there_are_some(tmp_path):
    sample, other = random_sample("a-0"), random_sample("b-0")
    drawn = np.random.default_rng(0).integers(0, 256, (6, 5, 5, 3), np.uint8)
    (tmp_path / "a-0.png").write_bytes(encode_png(tile_sheet(drawn)))
    config = tiny_config(phase="refine1", first_stage=str(tmp_path), errors=FirstStageErrors(4))
    rng = np.random.default_rng(0)
    _, target, _ = sample_pictures(sample, "all", background=127)
    found = first_stage_of(sample, target, config, rng, [2], channels=(2, 1, 0))
    np.testing.assert_allclose(found[0].permute(1, 2, 0).numpy(), drawn[2][..., ::-1] / 255, atol=1e-6)
    assert first_stage_of(other, target, config, rng).shape == (6, 3, 4, 4)
    (tmp_path / "c-0.png").write_bytes(b"no picture")
    with pytest.raises(BadInput, match="c-0"):
        drawn_tiles(str(tmp_path), "c-0", 127)
