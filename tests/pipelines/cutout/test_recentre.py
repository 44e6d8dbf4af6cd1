"""The object in the middle of a square, at a given share of it."""

import numpy as np
import pytest
from discs import RED

from zero123pp.images import to_float, to_uint8
from zero123pp.pipelines.cutout.recentre import limit_size, recentre

pytestmark = pytest.mark.quick


def box_of(alpha: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero((alpha > 127).any(1)), np.flatnonzero((alpha > 127).any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize("ratio", [0.75, 0.85, 0.95])
@pytest.mark.parametrize("shape", [(80, 40), (30, 90), (64, 64)])
def test_object_is_centred_at_the_given_ratio(ratio, shape):
    rgba = np.zeros((200, 300, 4), np.float32)
    rgba[20 : 20 + shape[0], 150 : 150 + shape[1]] = [0.2, 0.4, 0.6, 1]
    square = recentre(rgba, ratio, 512)
    left, top, right, bottom = box_of(square[..., 3] * 255)
    assert max(right - left, bottom - top) == pytest.approx(ratio * 512, abs=2)  # a pixel each side
    assert (left + right) / 2 == pytest.approx(256, abs=1) and (top + bottom) / 2 == pytest.approx(256, abs=1)
    assert (right - left) / (bottom - top) == pytest.approx(shape[1] / shape[0], rel=0.03)
    assert np.allclose(square[256, 256], [0.2, 0.4, 0.6, 1], atol=1e-4)


def test_objects_at_the_border_are_centred_too():
    rgba = np.ones((100, 100, 4), np.float32)
    square = recentre(rgba, 0.8, 200)
    assert box_of(square[..., 3] * 255) == (20, 20, 180, 180)


def test_hidden_colours_do_not_bleed_when_resized():
    rgba = np.zeros((64, 64, 4), np.float32)
    rgba[..., :3] = [0, 1, 0]
    rgba[16:48, 16:48] = [*RED, 1]
    small = to_float(limit_size(to_uint8(rgba), 23))
    assert small.shape == (23, 23, 4)
    seen = small[..., 3] > 0.02
    assert np.abs(small[seen][:, :3] - RED).max() < 0.02


def test_limit_size_keeps_the_aspect_and_small_pictures():
    assert limit_size(np.zeros((100, 50, 3), np.uint8), 200).shape == (100, 50, 3)
    assert limit_size(np.zeros((1000, 500, 3), np.uint8), 200).shape == (200, 100, 3)
    assert limit_size(np.zeros((500, 1000, 4), np.uint8), 200).shape == (100, 200, 4)
