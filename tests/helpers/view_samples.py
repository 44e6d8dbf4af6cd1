"""Samples of random pixels, for tests of files and readers."""

import numpy as np

from zero123pp.render.sample import DEPTH_UNIT, ViewSample


def random_sample(key: str, *, tile_px: int = 8, query_px: int = 12, seed: int = 0, mesh: str = "thing") -> ViewSample:
    rng = np.random.default_rng([seed, *key.encode()])
    sheet = rng.integers(0, 256, (3 * tile_px, 2 * tile_px, 4), dtype=np.uint8)
    depth = (rng.integers(0, 40_000, sheet.shape[:2]) * DEPTH_UNIT).astype(np.float32)
    query = rng.integers(0, 256, (query_px, query_px, 4), dtype=np.uint8)
    return ViewSample(key, query, sheet, depth, sheet[..., :3].copy(), {"mesh": mesh, "depth_unit": DEPTH_UNIT})


def assert_same(a: ViewSample, b: ViewSample) -> None:
    assert (a.key, a.meta) == (b.key, b.meta)
    for name in ("query", "sheet", "depth", "normals"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
