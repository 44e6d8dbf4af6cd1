"""The objective against automatic differentiation."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from shapes import icosphere
from waves import dented, rig_views

from zero123pp.recon.ops.resample import shrunk
from zero123pp.recon.refine import RefineConfig
from zero123pp.recon.refine.objective import make_objective
from zero123pp.recon.refine.target import make_target

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("normals", [False, True])
def test_the_objective_is_that_of_automatic_differentiation(normals):
    pytest.importorskip("torch")
    from zero123pp.recon.ops.raster import antialias
    from zero123pp.recon.refine.torch_objective import TorchObjective

    views, ball, config = rig_views(dented(), 64, normals)[:2], icosphere(3), RefineConfig(pixels=48)
    vertices, colors = ball.vertices.astype(float), RNG.uniform(0.2, 0.8, ball.vertices.shape)
    with ThreadPoolExecutor(2) as pool:
        name, objective = make_objective(ball.faces, views, config, pool)
        found = objective(vertices, colors)
    assert name == "numba"
    targets = [make_target(shrunk(view, 64 / 48), config) for view in views]
    reference = TorchObjective(targets, ball.faces, antialias.DifferentiableRasterizer, "cpu", "float64")(
        vertices, colors
    )
    assert found[0] == pytest.approx(reference[0], rel=1e-4)
    for one, other in zip(found[1:], reference[1:]):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(other).max())
