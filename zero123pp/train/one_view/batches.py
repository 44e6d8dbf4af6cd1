"""Batches of samples for training, and the fixed ones that it is judged on."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from zero123pp.train.one_view.pool import Collected, Pool
from zero123pp.train.one_view.samples import Sample, make_sample
from zero123pp.train.one_view.view import draw_pose, render_view

_SEED_OF_VALIDATION = 11


class Batches(IterableDataset):
    """Endless batches of pictures of one size; every worker draws its own."""

    def __init__(
        self, collected: Collected | None, lights: Sequence[np.ndarray], *, side: int, batch: int,
        generated: float, pool: int, reuse: int, seed: Sequence[int],
    ) -> None:  # fmt: skip
        """What is drawn, see `zero123pp.train.one_view.train.OneViewTrainConfig`.

        Args:
            collected: objects; None for generated ones only.
            lights: (9, 3) each, of `zero123pp.train.one_view.irradiance`.
            side: of the pictures, px.
            batch: samples each.
            generated: share of samples of generated objects.
            pool: views that a worker keeps.
            reuse: samples for each rendered view.
            seed: fixes every draw, for the same number of workers.
        """
        self._collected, self._lights, self._batch, self._seed = collected, lights, batch, tuple(seed)
        self._pool = {"generated_share": generated, "side": side, "size": pool, "reuse": reuse}

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        info = get_worker_info()
        rng = np.random.default_rng([*self._seed, info.id if info else 0])
        pool = Pool(self._collected, rng=rng, **self._pool)
        while True:
            yield as_batch([make_sample(pool.draw(), self._lights, rng) for _ in range(self._batch)])


def as_batch(samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
    """The fields of samples, stacked."""
    return {name: torch.from_numpy(np.stack([getattr(s, name) for s in samples])) for name in Sample._fields}


def held_out_samples(held: Collected, lights: Sequence[np.ndarray], side: int, count: int) -> list[Sample]:
    """The same views always, standing as usual, of as many objects as there are."""
    rng = np.random.default_rng(_SEED_OF_VALIDATION)
    objects = sorted((name, kind) for kind, names in held.classes.items() for name in names)
    samples: list[Sample] = []
    for number in range(100 * count):
        name, kind = objects[number % len(objects)]
        pose = replace(draw_pose(rng), usual=True, turn=np.eye(3))
        view = render_view(held.store.load(kind, name), pose, side, rng)
        if view is not None:
            samples.append(make_sample(view, lights, rng))
        if len(samples) == count:
            break
    return samples
