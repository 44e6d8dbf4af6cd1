"""Objects out of a random generator, to train on: shapes of many kinds, closed, painted with solid textures.

That such shapes train reconstruction networks about as well as collected ones was shown by LRM-Zero (Xie et al.,
NeurIPS 2024), with primitives put together at random; here most of them mean something, so that up, front and the
habits of made things can be learned too.
"""

from contextlib import suppress

import numpy as np

from zero123pp.render.procedural.abstract import abstract
from zero123pp.render.procedural.blocks import block
from zero123pp.render.procedural.booleans import NoSolid
from zero123pp.render.procedural.creatures import creature
from zero123pp.render.procedural.deform import deformed
from zero123pp.render.procedural.furniture import furniture
from zero123pp.render.procedural.made import Made
from zero123pp.render.procedural.plants import plant
from zero123pp.render.procedural.solids import Part, about
from zero123pp.render.procedural.tools import tool
from zero123pp.render.procedural.vessels import vessel
from zero123pp.render.procedural.wires import wire

KINDS = {
    "vessel": (vessel, 0.15),
    "block": (block, 0.17),
    "furniture": (furniture, 0.14),
    "tool": (tool, 0.11),
    "plant": (plant, 0.11),
    "creature": (creature, 0.17),
    "wire": (wire, 0.07),
    "abstract": (abstract, 0.08),
}
"""Generators of each kind and how often they are asked."""
DEFORMED = 0.15
"""Share of the objects that are bent, twisted, tapered or made bumpy."""
STRETCHED = 0.5
"""Share that is stretched along the axes."""


_TRIES = 20
"""Draws until an object is given up: one in some ten thousand cuts all of itself away."""


def random_object(rng: np.random.Generator) -> Made:
    """An object of a random kind, the same for the same state of the generator. y is up; it mostly faces +z."""
    names = list(KINDS)
    shares = np.array([KINDS[n][1] for n in names])
    kind = names[rng.choice(len(names), p=shares / shares.sum())]
    return object_of(kind, rng)


def object_of(kind: str, rng: np.random.Generator) -> Made:
    """An object of a kind of `KINDS`; what cuts itself away is drawn again. Raises NoSolid if all draws do."""
    for _ in range(_TRIES - 1):
        with suppress(NoSolid):
            return _drawn(kind, rng)
    return _drawn(kind, rng)


def _drawn(kind: str, rng: np.random.Generator) -> Made:
    parts = KINDS[kind][0](rng)
    if rng.random() < DEFORMED:
        parts = deformed(rng, parts)
    if rng.random() < STRETCHED:
        factors = np.exp(rng.normal(0, 0.15, 3))
        parts = [p.scaled(*factors) for p in parts]
    if rng.random() < 0.06:
        parts = _beside(rng, parts)
    return Made.of(kind, parts)


def _beside(rng: np.random.Generator, parts: list[Part]) -> list[Part]:
    """With a second object at its side."""
    other = KINDS[list(KINDS)[rng.integers(len(KINDS))]][0](rng)
    low, high = np.min([p.box[0] for p in parts], 0), np.max([p.box[1] for p in parts], 0)
    floor = np.min([p.box[0] for p in other], 0)
    size = rng.uniform(0.5, 1)
    place = ((high[0] - low[0]) * rng.choice([-0.6, 0.6]), low[1] - size * floor[1], rng.normal(0, 0.2))
    return parts + [p.turned(about("y", rng.uniform(0, 360))).scaled(size).at(*place) for p in other]
