"""The pool renews itself, by the shares it was told."""

import numpy as np
import pytest
from balls_and_boxes import stored

pytest.importorskip("trimesh")
pytestmark = pytest.mark.quick


def pool_of(tmp_path, **changes):
    from zero123pp.train.one_view.pool import Collected, Pool

    collected = Collected.part(stored(tmp_path), held_out=False)
    known = {"generated_share": 0.0, "side": 32, "size": 6, "reuse": 3, "rng": np.random.default_rng(0)}
    return Pool(collected, **known | changes)


def test_views_are_used_some_times_and_then_others_come(tmp_path):
    pool = pool_of(tmp_path)
    views = [pool.draw() for _ in range(60)]
    distinct = len({id(view) for view in views})
    assert 12 < distinct < 40  # 60 draws at three for each new one, and six to begin with


def test_held_out_objects_are_never_trained_on(tmp_path):
    from zero123pp.train.held_out import is_held_out
    from zero123pp.train.one_view.pool import Collected

    store = stored(tmp_path)
    kept, held = (Collected.part(store, held_out=part).classes["kit"] for part in (False, True))
    assert len(kept) == 3 and len(held) == 1 and is_held_out(held[0]) and not set(kept) & set(held)


def test_generated_objects_need_no_store():
    pytest.importorskip("manifold3d")
    from zero123pp.train.one_view.pool import Pool

    pool = Pool(None, 1.0, 32, 4, 2, np.random.default_rng(0))
    assert pool.draw().rgba.shape == (32, 32, 4)
