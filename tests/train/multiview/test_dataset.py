"""Items are functions of their number, shared out once an epoch."""

from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
from paths import ROOT  # noqa: E402
from views_data import held_out_name, tiny_config, write_samples  # noqa: E402

from zero123pp import Zero123PlusPipeline  # noqa: E402
from zero123pp.train.multiview.dataset import Pool, ViewItems, numbers_of  # noqa: E402
from zero123pp.train.multiview.state import geometry_of  # noqa: E402

TINY = ROOT / "tests" / "golden" / "models" / "tiny-zero123plus"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("views"))


@pytest.fixture(scope="module")
def pipe():
    return Zero123PlusPipeline.from_pretrained(TINY)


def test_items_are_functions_of_their_number(data, pipe):
    config = tiny_config(recolour=0.5, timesteps="even")
    pool = Pool(data, held_out=False)
    items = ViewItems(pool, geometry_of(pipe, config), config, group=4)
    again = ViewItems(Pool(data, held_out=False), geometry_of(pipe, config), config, group=4)
    order = [7, 3, 100, 3]
    one, other = [items[i] for i in order], [again[i] for i in sorted(order)]
    for name in one[0]:
        assert torch.equal(one[1][name], other[0][name])
        assert torch.equal(one[2][name], other[3][name])
    steps = sorted(int(items[number]["timestep"]) for number in range(8, 12))
    assert all(200 < b - a < 300 for a, b in pairwise(steps))
    kept = [bool(items[number]["keep"]) for number in range(200)]
    assert 0.6 < np.mean(kept) < 0.9
    other_stream = ViewItems(pool, geometry_of(pipe, config), config, group=4, stream=1)
    assert not torch.equal(other_stream[3]["noise"], items[3]["noise"])


def test_every_sample_comes_once_an_epoch_and_no_held_out_one(data):
    pool, unseen = Pool(data, held_out=False), Pool(data, held_out=True)
    count = len(pool)
    for epoch in range(2):
        drawn = [pool.at(number, seed=5) for number in range(epoch * count, (epoch + 1) * count)]
        assert sorted(drawn) == pool.numbers
    assert {pool.samples.meshes[number] for number in unseen.numbers} == {held_out_name()}
    assert not set(pool.numbers) & set(unseen.numbers)
    even = Pool(data, held_out=False, balance=0.0)
    groups = [even.samples.meshes[even.at(number, seed=0)].split("_")[0] for number in range(600)]
    assert 0.4 < np.mean([group == "ball" for group in groups]) < 0.6


def test_processes_and_parts_share_the_samples_of_a_step():
    one = list(numbers_of(3, 5, accumulate=1, processes=1, rank=0, batch=8))
    assert one == list(range(24, 40))
    ranks = [list(numbers_of(3, 5, accumulate=2, processes=2, rank=rank, batch=2)) for rank in range(2)]
    assert sorted(ranks[0] + ranks[1]) == one
    assert ranks[0][:4] == [24, 25, 28, 29]
