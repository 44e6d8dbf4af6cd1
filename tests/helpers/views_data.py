"""Small training samples, and recipes that train on them in a second."""

import numpy as np

from zero123pp.render.shards import ViewSample, write_shard
from zero123pp.train.held_out import is_held_out
from zero123pp.train.multiview.config import ViewsTrainConfig

TINY = {
    "steps": 4, "batch": 2, "learning_rate": 1e-3, "warmup": 2, "ema": 0.9, "precision": "float32", "workers": 0,
    "save_every": 2, "log_every": 1, "validate_every": 4, "validation_batches": 1, "sample_every": 0, "tile_px": 32,
    "query_px": (24, 48), "drop": 0.25,
}  # fmt: skip


def tiny_config(**changes) -> ViewsTrainConfig:
    return ViewsTrainConfig(**(TINY | changes))


def held_out_name() -> str:
    return next(f"held_{i}" for i in range(10_000) if is_held_out(f"held_{i}"))


def write_samples(folder, *, tile=32, meshes=("box_1", "box_2", "box_3", "ball_1"), per_mesh=3):
    """Shards of coloured boxes whose sheets show the query's colour, so that there is something to learn."""
    rng = np.random.default_rng(0)
    names = [*meshes, held_out_name()]
    assert not any(map(is_held_out, meshes))

    def samples():
        for mesh in names:
            for number in range(per_mesh):
                colour = rng.integers(40, 255, 3)
                yield ViewSample(
                    f"{mesh}-{number}", _box(colour, tile, rng), _sheet(colour, tile, rng), _depth(tile),
                    rng.integers(0, 255, (3 * tile, 2 * tile, 3), dtype=np.uint8), {"mesh": mesh},
                )  # fmt: skip

    write_shard(folder / "views-000000.tar", samples())
    return folder


def _box(colour, size, rng):
    picture = np.zeros((size, size, 4), np.uint8)
    low, high = size // 4, size - size // 4
    picture[low:high, low:high, :3] = np.clip(colour + rng.normal(0, 8, (high - low, high - low, 3)), 0, 255)
    picture[low:high, low:high, 3] = 255
    return picture


def _sheet(colour, tile, rng):
    return np.concatenate([np.concatenate([_box(colour, tile, rng) for _ in range(2)], 1) for _ in range(3)], 0)


def _depth(tile):
    mask = _box(np.zeros(3), tile, np.random.default_rng(0))[..., 3] > 0
    one = np.where(mask, 1.5 + np.linspace(0, 0.5, tile)[:, None], 0).astype(np.float32)
    return np.tile(one, (3, 2))
