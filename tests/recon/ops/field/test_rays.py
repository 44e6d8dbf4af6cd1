"""The kernel over rays against the torch reference: losses and all gradients."""

import numpy as np
import pytest
from bumpy_ball import N, bumpy_ball

torch = pytest.importorskip("torch")

from zero123pp.recon.ops.field import rays, reference  # noqa: E402


def _rays(count=60, seed=1):
    """Rays from outside towards random points of the grid, with random pixels."""
    rng = np.random.default_rng(seed)
    table = np.zeros((count, rays.RAY_SIZE))
    origin = rng.normal(size=(count, 3))
    origin *= 14 / np.linalg.norm(origin, axis=1, keepdims=True)
    direction = rng.normal(0, 2.0, (count, 3)) - origin
    table[:, :3] = origin + (N - 1) / 2
    table[:, 3:6] = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    table[:, rays.NEAR], table[:, rays.FAR] = 3, 24
    table[:, rays.COLOR : rays.COLOR + 3] = rng.random((count, 3))
    table[:, rays.ALPHA] = rng.choice([0.0, 0.3, 1.0], count)
    table[:, rays.WEIGHT] = rng.choice([0.5, 1.0], count)
    normal = rng.normal(size=(count, 3)) - table[:, 3:6]
    table[:, rays.NORMAL : rays.NORMAL + 3] = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    table[:, rays.NORMAL_WEIGHT] = rng.random(count)
    return table


def _settings(rgb=2.0, mask=0.4, normal=0.7, sharpness=2.5):
    settings = np.zeros(rays.SETTINGS_SIZE)
    settings[[rays.SHARPNESS, rays.STEP, rays.SKIP_SHARE, rays.SKIP_MAX]] = sharpness, 0.7, 0.6, 4.0
    settings[[rays.W_RGB, rays.RGB_SCALE, rays.W_MASK, rays.W_NORMAL]] = rgb, 0.3, mask, normal
    return settings


def _kernel(sdf, color, table, settings, workers=1):
    gradient_sdf, gradient_color = np.zeros(sdf.size, sdf.dtype), np.zeros(color.size, sdf.dtype)
    losses = np.zeros(rays.LOSSES, sdf.dtype)
    chosen = np.arange(len(table), dtype=np.int32)
    for worker in range(workers):
        rays.ray_losses(
            sdf.reshape(-1), color.reshape(-1), len(sdf), table, chosen, worker, workers, settings, gradient_sdf,
            gradient_color, losses, rays.sample_limit(len(sdf), settings[rays.STEP]),
        )  # fmt: skip
    return losses, gradient_sdf.reshape(sdf.shape), gradient_color.reshape(color.shape)


def _oracle(sdf, color, table, settings):
    sdf, color = (torch.tensor(values, requires_grad=True) for values in (sdf, color))
    losses = reference.ray_losses(sdf, color, torch.tensor(table), torch.tensor(settings))
    losses.sum().backward()
    color_gradient = torch.zeros_like(color) if color.grad is None else color.grad
    return losses.detach().numpy(), sdf.grad.numpy(), color_gradient.numpy()


@pytest.mark.parametrize("term", ["rgb", "mask", "normal", "all"])
@pytest.mark.parametrize("bumps", [0.0, 0.5])
def test_ray_gradients_match_autograd(term, bumps):
    sdf, color = bumpy_ball(bumps=bumps)
    only = {name: 0.0 for name in ("rgb", "mask", "normal") if term not in (name, "all")}
    settings, table = _settings(**only), _rays()
    found, expected = _kernel(sdf, color, table, settings), _oracle(sdf, color, table, settings)
    assert expected[0].sum() > 0.1
    for name, ours, theirs in zip(("losses", "sdf", "color"), found, expected):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9 * np.abs(theirs).max() + 1e-15, err_msg=name)


def test_single_precision_is_close():
    sdf, color = bumpy_ball()
    table, settings = _rays(), _settings()
    exact = _kernel(sdf, color, table, settings)
    single = _kernel(*(values.astype(np.float32) for values in (sdf, color, table, settings)))
    for ours, theirs in zip(single, exact):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4 * np.abs(theirs).max())


def test_division_among_workers_only_reorders_sums():
    sdf, color = bumpy_ball()
    one, three = (_kernel(sdf, color, _rays(), _settings(), workers) for workers in (1, 3))
    for ours, theirs in zip(three, one):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_gradient_matches_finite_differences():
    """Independent of the reference: the loss itself, moved along a random direction."""
    sdf, color = bumpy_ball(bumps=0.1)
    table, settings = _rays(), _settings(normal=0.0)
    settings[rays.SKIP_SHARE] = 0  # samples then stay where they are
    _, gradient_sdf, gradient_color = _kernel(sdf, color, table, settings)
    rng = np.random.default_rng(5)
    step = 1e-6
    for along_sdf, along_color in ((rng.normal(size=sdf.shape), 0), (0, rng.normal(size=color.shape))):
        up, down = (
            _kernel(sdf + s * step * along_sdf, color + s * step * along_color, table, settings)[0].sum()
            for s in (1, -1)
        )
        expected = (gradient_sdf * along_sdf).sum() + (gradient_color * along_color).sum()
        assert (up - down) / (2 * step) == pytest.approx(expected, rel=1e-5)
