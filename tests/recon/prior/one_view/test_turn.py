"""More of a turn to the side: the slope from left to right alone, of all layers alike."""

import numpy as np
import pytest

from zero123pp.recon.prior.one_view.turn import turned_more

pytestmark = pytest.mark.quick
SIZE = 32
AT = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
DOWN, ACROSS = np.meshgrid(AT, AT, indexing="ij")
INSIDE = (ACROSS - 0.2) ** 2 + DOWN**2 < 0.5


def slab(across, down):
    middle = 0.1 + across * ACROSS + down * DOWN
    return np.stack([middle - 0.4, middle - 0.1, middle + 0.1, middle + 0.4]).astype(np.float32)


def test_a_slab_slopes_more_to_the_side_and_as_before_upwards():
    more = turned_more(slab(0.3, 0.5), INSIDE, 1.4)
    np.testing.assert_allclose(np.diff(more, axis=2), np.diff(slab(0.42, 0.5), axis=2), atol=1e-5)
    np.testing.assert_allclose(np.diff(more, axis=1), np.diff(slab(0.3, 0.5), axis=1), atol=1e-6)


def test_the_object_stays_where_it_was_and_as_thick():
    before, more = slab(0.3, 0.5), turned_more(slab(0.3, 0.5), INSIDE, 2.0)
    np.testing.assert_allclose(more[:, INSIDE].mean(1), before[:, INSIDE].mean(1), atol=1e-5)
    np.testing.assert_allclose(more[3] - more[0], before[3] - before[0], atol=1e-6)


def test_what_the_object_does_not_show_has_no_say():
    beside = slab(0.3, 0.5)
    beside[:, ~INSIDE] = 7
    np.testing.assert_allclose(
        turned_more(beside, INSIDE, 1.4)[:, INSIDE], turned_more(slab(0.3, 0.5), INSIDE, 1.4)[:, INSIDE], atol=1e-6
    )


@pytest.mark.parametrize("inside", [INSIDE, np.zeros_like(INSIDE)])
def test_a_factor_of_one_or_an_empty_crop_changes_nothing(inside):
    given = slab(0.3, 0.5)
    factor = 1.0 if inside.any() else 1.4
    np.testing.assert_array_equal(turned_more(given, inside, factor), given)
