"""Kernels over the nodes of the grid against the torch reference."""

import numpy as np
import pytest
from bumpy_ball import N, bumpy_ball

torch = pytest.importorskip("torch")
from zero123pp.recon.ops.field import nodes, reference  # noqa: E402


def _active(seed=3):
    from zero123pp.recon.fitting.solver import active_range

    return active_range(bumpy_ball(seed=seed)[0] < 1.5)


def _range_mask(begin, end):
    k = np.arange(N)
    return (k >= begin[..., None]) & (k < end[..., None])


def test_regulariser_gradients_match_autograd():
    sdf, _ = bumpy_ball()
    begin, end = _active()
    active = _range_mask(begin, end)
    assert 100 < active.sum() < N**3 / 2
    laplacian, flux = np.zeros_like(sdf), np.zeros((3, *sdf.shape))
    sums, gradient = np.zeros((N, nodes.NODE_LOSSES)), np.zeros_like(sdf)
    for planes in ((1, 5), (5, N - 1)):
        nodes.measure(*planes, begin, end, 2.0, sdf, laplacian, flux, sums)
    for planes in ((1, 5), (5, N - 1)):
        nodes.regularise(*planes, begin, end, laplacian, flux, 0.7, 0.3, gradient)
    variable = torch.tensor(sdf, requires_grad=True)
    smooth, slope = reference.node_losses(variable, torch.tensor(active & (np.abs(sdf) < 2)))
    (0.7 * smooth + 0.3 * slope).backward()
    expected = np.where(active, variable.grad.numpy(), 0)  # only active nodes move
    np.testing.assert_allclose(sums.sum(0)[:2], [smooth.item(), slope.item()], rtol=1e-9)
    assert sums.sum(0)[nodes.NEAR_SURFACE] == (np.abs(sdf[active]) < 1).sum()
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_gradient_blur_is_a_binomial_filter():
    from scipy.ndimage import correlate1d

    begin, end = _active()
    active = _range_mask(begin, end)
    gradient = np.where(active, np.random.default_rng(0).normal(size=(N, N, N)), 0)
    expected = gradient
    for axis in (2, 1, 0):
        expected = np.where(active, correlate1d(expected, np.array([1, 4, 6, 4, 1]) / 16, axis, mode="constant"), 0)
    scratch, moments = np.zeros_like(gradient), [np.zeros_like(gradient) for _ in range(2)]
    adam = np.zeros(nodes.ADAM_SIZE)
    nodes.blur_plane(1, N - 1, begin, end, gradient, scratch)
    nodes.step_sdf(1, N - 1, begin, end, gradient, scratch, adam, *moments, gradient, gradient.copy())
    np.testing.assert_allclose(moments[0], expected, atol=1e-12)  # beta1 = 0: the mean is the gradient itself


def test_adam_steps_match_torch_and_respect_the_floor():
    rng = np.random.default_rng(0)
    color = rng.random((N, N, N, 3))
    begin, end = _active()
    active = _range_mask(begin, end)
    variable = torch.tensor(color, requires_grad=True)
    optimiser = torch.optim.Adam([variable], lr=0.05, betas=(0.9, 0.95), eps=1e-15)
    mean, square, ours = np.zeros_like(color), np.zeros_like(color), color.copy()
    for step in range(1, 4):
        gradient = rng.normal(size=color.shape)
        variable.grad = torch.tensor(gradient)
        optimiser.step()
        with torch.no_grad():
            variable.clamp_(0, 1)
        adam = np.zeros(nodes.ADAM_SIZE)
        adam[[nodes.RATE, nodes.BETA1, nodes.BETA2]] = 0.05, 0.9, 0.95
        adam[[nodes.CORRECTION1, nodes.CORRECTION2]] = 1 / (1 - 0.9**step), 1 / (1 - 0.95**step)
        nodes.step_color(1, N - 1, begin, end, gradient, adam, mean, square, ours)
    np.testing.assert_allclose(ours[active], variable.detach().numpy()[active], atol=1e-12)
    np.testing.assert_array_equal(ours[~active], color[~active])
    sdf, floor = rng.normal(size=(N, N, N)), np.full((N, N, N), -0.1)
    flat, scratch, moments = np.zeros((N, N, N)), np.zeros((N, N, N)), [np.zeros((N, N, N)) for _ in range(2)]
    moved = sdf.copy()
    nodes.step_sdf(1, N - 1, begin, end, flat, scratch, adam, *moments, floor, moved)
    np.testing.assert_array_equal(moved, np.where(active, np.maximum(sdf, floor), sdf))
