"""The bundled network's cutouts."""

import numpy as np
import pytest
from discs import RED, disc_picture

from zero123pp.images import to_uint8, without_small_holes
from zero123pp.pipelines.cutout import cut_out
from zero123pp.pipelines.cutout.bundled import PINHOLE, main_parts


@pytest.mark.parametrize("background", [(1, 1, 1), (0.5, 0.5, 0.5), (0.2, 0.3, 0.8)])
def test_bundled_cuts_a_plain_disc(background):
    cutout = cut_out(disc_picture(background=background, soft=1))
    assert cutout.method == "bundled"
    y, x = np.mgrid[:768, :768] + 0.5
    disc = np.hypot(x - 384, y - 384) < 0.85 * 384
    mask = cutout.rgba[..., 3] > 127
    assert (disc & mask).sum() / (disc | mask).sum() > 0.93
    inside = np.hypot(x - 384, y - 384) < 0.7 * 384
    assert np.abs(cutout.rgba[inside][:, :3].astype(int) - to_uint8(RED)).mean() < 6


def test_specks_and_pinholes_go_but_parts_and_handles_stay():
    alpha = np.zeros((200, 200), np.float32)
    alpha[40:140, 40:140] = 1
    alpha[160:185, 50:100] = 0.9  # a part of its own
    alpha[10:14, 180:184] = 1  # a speck
    alpha[60:62, 60:62] = 0.2  # a pinhole
    alpha[100:120, 100:120] = 0  # the hole of a handle
    cleaned = without_small_holes(main_parts(alpha), PINHOLE)
    assert cleaned[12, 182] == 0 and cleaned[61, 61] == 1
    assert cleaned[110, 110] == 0 and cleaned[170, 70] == np.float32(0.9)
