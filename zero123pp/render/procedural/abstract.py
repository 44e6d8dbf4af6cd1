"""Compositions without a meaning, after LRM-Zero (Xie et al. 2024): primitives placed at random, cut, bent, bumpy."""

import numpy as np

from zero123pp.render.procedural.blobs import Limb, blend
from zero123pp.render.procedural.booleans import subtract
from zero123pp.render.procedural.curves import random_outline, random_profile, smooth
from zero123pp.render.procedural.materials import random_material
from zero123pp.render.procedural.solids import Part, about, box, cylinder, ellipsoid, prism, sweep, torus
from zero123pp.render.procedural.vessels import solid, walled


def abstract(rng: np.random.Generator) -> list[Part]:
    """Two to seven primitives that touch."""
    parts = [_primitive(rng)]
    for _ in range(int(rng.integers(1, 7))):
        host = parts[rng.integers(len(parts))]
        place = host.vertices[rng.integers(len(host.vertices))]
        parts.append(_primitive(rng).scaled(rng.uniform(0.4, 1.0)).at(*place))
    if rng.random() < 0.3:
        parts[0] = subtract(parts[0], ellipsoid(rng.uniform(0.1, 0.3, 3), parts[0].material).at(*rng.normal(0, 0.2, 3)))
    return parts


def _primitive(rng: np.random.Generator) -> Part:
    """About half a unit large, turned anyhow or upright."""
    material, choice, size = random_material(rng, 0.5), rng.random(), rng.uniform(0.12, 0.55, 3)
    if choice < 0.2:
        part = box(size, material, rounding=size.min() * rng.choice([0, 0.1, 0.4]))
    elif choice < 0.4:
        part = ellipsoid(size / 2, material, rng.choice([1.0, 0.6, 1.5]))
    elif choice < 0.52:
        part = cylinder(size[0] / 2, size[1], material, top=rng.choice([1, 0, 0.5])).at(0, -size[1] / 2, 0)
    elif choice < 0.6:
        part = torus(size[0] / 2, size.min() * 0.2, material)
    elif choice < 0.75:
        part = prism(random_outline(rng) * size[0] / 2, size[1], material, bevel=0.02).at(0, -size[1] / 2, 0)
    elif choice < 0.88:
        profile = random_profile(rng, size[1], size[0] / 2)
        part = (walled(rng, profile, size[0] * 0.06, material) if rng.random() < 0.5 else solid(profile, material)).at(
            0, -size[1] / 2, 0
        )
    elif choice < 0.94:
        line = smooth(rng.normal(0, 0.2, (4, 3)), 30)
        part = sweep(
            line, random_outline(rng, 16), material, scale=rng.uniform(0.03, 0.09), twist_deg=rng.choice([0, 180, 500])
        )
    else:
        ends = rng.normal(0, 0.15, (int(rng.integers(3, 7)), 2, 3))
        limbs = [Limb(tuple(a), tuple(b), *rng.uniform(0.04, 0.14, 2)) for a, b in ends]
        part = blend(limbs, rng.uniform(0.01, 0.05), material)
    if rng.random() < 0.5:
        return part
    axis = rng.normal(size=3)
    return part.turned(about(axis, rng.uniform(0, 360)))
