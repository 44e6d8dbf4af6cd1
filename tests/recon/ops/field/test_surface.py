"""Where rays meet the surface of a field."""

import numpy as np

from zero123pp.recon.ops.field import rays as ray
from zero123pp.recon.ops.field import surface


def test_rays_meet_a_ball_where_they_do_and_pass_beside_it():
    n, radius = 40, 12.0
    middle = (n - 1) / 2
    sdf = np.linalg.norm(np.stack(np.meshgrid(*3 * [np.arange(n) - middle], indexing="ij")), axis=0) - radius
    rng = np.random.default_rng(0)
    offset = rng.uniform(-16, 16, (400, 2))
    table = np.zeros((400, ray.RAY_SIZE), np.float32)
    table[:, ray.ORIGIN : ray.ORIGIN + 3] = np.column_stack([offset + middle, np.full(400, -30)])
    table[:, ray.DIRECTION + 2], table[:, ray.NEAR], table[:, ray.FAR] = 1, 30, 30 + n - 1
    found = surface.first_crossings(sdf.astype(np.float32), table)
    across = np.linalg.norm(offset, axis=1)
    hits, misses = across < radius - 0.5, across > radius + 0.2
    expected = 30 + middle - np.sqrt(radius**2 - across[hits] ** 2)
    assert hits.sum() > 100 < misses.sum()
    np.testing.assert_allclose(found[hits], expected, atol=0.1)
    assert (found[misses] == -1).all()
    short = table.copy()
    short[:, ray.FAR] = 31
    assert (surface.first_crossings(sdf.astype(np.float32), short) == -1).all()
