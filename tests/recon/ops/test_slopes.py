"""Heights from slopes: what is wanted comes out, what is held stays, and it is the least of the sum."""

import numpy as np
import pytest

from zero123pp.recon.ops import integrate_slopes

pytestmark = pytest.mark.quick


def differences(heights):
    return np.diff(heights, axis=1, append=heights[:, -1:]), np.diff(heights, axis=0, append=heights[-1:])


def test_a_surface_comes_back_from_its_slopes_and_one_height():
    y, x = np.mgrid[:24, :31]
    wanted = np.sin(x / 5) + 0.1 * y
    right, below = differences(wanted)
    held = np.zeros(wanted.shape)
    held[3, 4] = 1
    start = np.where(held > 0, wanted, 0)
    ones = np.ones(wanted.shape)
    found = integrate_slopes(start, right, ones, below, ones, held, 400)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_neighbours_without_weight_are_apart_and_pixels_without_any_keep_their_height():
    start = np.zeros((6, 10))
    start[:, 5:] = 7
    start[2, 8] = 3
    weight_right, weight_below = np.ones(start.shape), np.ones(start.shape)
    weight_right[:, 4] = 0
    weight_right[2, 7:9] = weight_below[1:3, 8] = 0
    held = np.zeros(start.shape)
    held[0, 0] = held[0, 9] = 1
    flat = np.zeros(start.shape)
    found = integrate_slopes(start, flat, weight_right, flat, weight_below, held, 100)
    np.testing.assert_allclose(found, start, atol=1e-9)


def test_it_is_the_least_of_the_sum():
    """The matrix of the same sum, solved by scipy."""
    from scipy.sparse import csr_matrix, diags
    from scipy.sparse.linalg import spsolve

    rng = np.random.default_rng(0)
    shape, number = (9, 12), np.arange(108).reshape(9, 12)
    start, right, below = rng.normal(size=(3, *shape))
    weights = rng.uniform(0, 2, (2, *shape)) * (rng.random((2, *shape)) > 0.2)
    held = 10 ** rng.uniform(-3, 0, shape)
    rows, wanted, weight = [], [], []
    for first, second, slope, trust in (
        (number[:, :-1], number[:, 1:], right[:, :-1], weights[0][:, :-1]),
        (number[:-1], number[1:], below[:-1], weights[1][:-1]),
    ):
        rows += list(zip(first.ravel(), second.ravel(), strict=True))
        wanted += list(slope.ravel())
        weight += list(trust.ravel())
    count = len(rows)
    at = np.array(rows)
    every = csr_matrix(
        (np.tile([-1.0, 1.0], count), (np.arange(count).repeat(2), at.ravel())), shape=(count, start.size)
    )
    matrix = every.T @ diags(weight) @ every + diags(held.ravel())
    true = spsolve(matrix.tocsc(), every.T @ (np.array(weight) * wanted) + held.ravel() * start.ravel())
    found = integrate_slopes(start, right, weights[0], below, weights[1], held, 500)
    np.testing.assert_allclose(found.ravel(), true, atol=1e-5)


def test_a_height_travels_a_pixel_a_round():
    start, weights, held = np.zeros((1, 30)), np.ones((1, 30)), np.full((1, 30), 1e-3)
    start[0, 0], held[0, 0] = 1, 1
    slopes = np.zeros((1, 30))
    found = integrate_slopes(start, slopes, weights, slopes, weights, held, 10)
    assert (found[0, 11:] == 0).all() and (found[0, :10] > 0).all()
    np.testing.assert_array_equal(integrate_slopes(start, slopes, weights, slopes, weights, held, 0), start)
