"""Thin things: chains, springs, hangers, frames of bars, headsets, bicycles' kin, knots, glasses."""

import numpy as np

from zero123pp.render.procedural.curves import arc, smooth, superellipse
from zero123pp.render.procedural.materials import plain, random_color, random_material
from zero123pp.render.procedural.solids import (
    Part,
    about,
    box,
    cylinder,
    ellipsoid,
    lathe,
    prism,
    sweep,
    torus,
    tube,
    turned_to,
)


def wire(rng: np.random.Generator) -> list[Part]:
    """One of the below."""
    return [_chain, _spring, _loops, _frame, _headset, _glasses, _wheel, _stand, _basket][rng.integers(9)](rng)


def _chain(rng: np.random.Generator) -> list[Part]:
    """Links, beads or blocks along a line."""
    count, style = int(rng.integers(4, 14)), rng.integers(3)
    knots = np.cumsum(rng.normal(0, 0.35, (int(rng.integers(2, 6)), 3)) + [0.3, 0, 0], 0)
    line = smooth(knots, count + 2)
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1).mean()
    materials = [random_material(rng, steps) for _ in range(int(rng.integers(1, 4)))]
    parts = []
    for i in range(count + 1):
        middle, along = (line[i] + line[i + 1]) / 2, line[i + 1] - line[i]
        length, material = np.linalg.norm(along), materials[i % len(materials)]
        if style == 0:
            link = (
                torus(0.42, 0.12, material, 24)
                .scaled(1, 1, 1.5)
                .turned(about("x", 90))
                .turned(about("y", 90 * (i % 2)))
            )
            part = link.scaled(length * 0.85)
        elif style == 1:
            part = ellipsoid((0.5, 0.52, 0.5), material).scaled(length)
        else:
            part = box((0.5, 0.9, 0.6), material, rounding=0.1).scaled(length)
        parts.append(part.turned(turned_to(along)).at(*middle))
    if style == 1:
        parts.append(tube(line, steps * 0.07, plain(random_color(rng)), 8))
    return parts


def _spring(rng: np.random.Generator) -> list[Part]:
    turns, r, thick = rng.uniform(2, 8), rng.uniform(0.15, 0.4), rng.uniform(0.02, 0.06)
    t = np.linspace(0, 1, int(turns * 22))
    radius = r * (1 + rng.uniform(-0.8, 0.5) * t)
    angle = 2 * np.pi * turns * t
    path = np.stack([radius * np.cos(angle), t * rng.uniform(0.5, 1.1), radius * np.sin(angle)], -1)
    parts = [tube(path, thick, random_material(rng, 0.4), 10, round_ends=True)]
    if rng.random() < 0.4:
        parts += [cylinder(r * 1.1, 0.06, random_material(rng, 0.4)).at(0, y, 0) for y in (-0.06, path[-1, 1])]
    return parts


def _loops(rng: np.random.Generator) -> list[Part]:
    """A closed or open smooth line through random points: knots, rings, cables."""
    count, closed = int(rng.integers(4, 9)), rng.random() < 0.5
    points = rng.normal(0, 0.4, (count, 3))
    line = smooth(points, 30 * count // 2, closed=closed)
    section = superellipse(1, rng.uniform(0.3, 1), rng.choice([2, 5]), 12)
    return [
        sweep(
            line,
            section,
            random_material(rng, 0.6),
            scale=rng.uniform(0.025, 0.08),
            closed=closed,
            twist_deg=rng.choice([0, 360 * rng.integers(1, 4)]),
        )
    ]


def _frame(rng: np.random.Generator) -> list[Part]:
    """Bars along the edges of a box: racks, cages, crates."""
    size, r = rng.uniform(0.4, 1.2, 3), rng.uniform(0.012, 0.05)
    bar, square = random_material(rng, 1.0), rng.random() < 0.5
    counts = rng.integers(1, 6, 3)
    parts = []

    def between(a: np.ndarray, b: np.ndarray) -> Part:
        if square:
            return box(np.abs(b - a) + 2 * r, bar).at(*((a + b) / 2))
        return tube(np.stack([a, b]), r, bar, 10)

    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for i in range(counts[u] + 1):
            for j in range(counts[v] + 1):
                if 0 < i < counts[u] and 0 < j < counts[v]:
                    continue  # only on the outside
                a = np.zeros(3)
                a[axis], a[u], a[v] = -size[axis] / 2, size[u] * (i / counts[u] - 0.5), size[v] * (j / counts[v] - 0.5)
                b = a.copy()
                b[axis] = size[axis] / 2
                parts.append(between(a, b))
    for level in range(int(rng.integers(0, 4))):
        parts.append(box((size[0], 0.03, size[2]), random_material(rng, 0.6)).at(0, size[1] * (level / 3 - 0.5), 0))
    return parts


def _headset(rng: np.random.Generator) -> list[Part]:
    """A band with a cushion at both ends; or a crown or collar."""
    r, material, pad = rng.uniform(0.3, 0.45), random_material(rng, 0.6), random_material(rng, 0.2)
    t = np.linspace(-0.1, np.pi + 0.1, 30)
    path = np.stack([r * np.cos(t), 1.15 * r * np.sin(t), 0 * t], -1)
    parts = [
        sweep(
            path,
            superellipse(1, rng.uniform(0.15, 0.6), 4, 14),
            material,
            scale=rng.uniform(0.03, 0.08),
            round_ends=True,
        )
    ]
    size, thick = rng.uniform(0.12, 0.22), rng.uniform(0.06, 0.16)
    for s in (-1, 1):
        cup = ellipsoid((thick, size * rng.uniform(1, 1.3), size), material).at(s * (r + 0.02), -0.05, 0)
        parts += [cup, torus(size * 0.75, thick * 0.6, pad).turned(about("z", 90)).at(s * (r - thick * 0.6), -0.05, 0)]
    if rng.random() < 0.4:
        line = arc(np.array([r, -0.1, 0]), np.array([r * 0.3, -0.45, 0.35]), np.array([0.05, -0.1, 0.2]))
        parts += [tube(line, 0.014, material, 8), ellipsoid((0.04, 0.03, 0.03), pad, segments=12).at(*line[-1])]
    return parts


def _glasses(rng: np.random.Generator) -> list[Part]:
    material, lens = random_material(rng, 0.4), plain(random_color(rng) * 0.4)
    a, b, power, thick = rng.uniform(0.18, 0.26), rng.uniform(0.13, 0.22), rng.uniform(2, 5), rng.uniform(0.014, 0.04)
    outline = superellipse(a, b, power, 32)
    ring = np.stack([outline[:, 0], outline[:, 1], 0 * outline[:, 0]], -1)
    parts = []
    for s in (-1, 1):
        x = s * (a + 0.05)
        parts.append(tube(ring, thick, material, 8, closed=True).at(x, 0, 0))
        if rng.random() < 0.8:
            parts.append(prism(outline, 0.012, lens).turned(about("x", 90)).at(x, 0, 0.0))
        temple = np.array(
            [
                [x + s * a, 0.04, 0],
                [x + s * a, 0.04, -0.3],
                [x + s * (a - 0.02), 0.02, -0.55],
                [x + s * (a - 0.03), -0.12, -0.68],
            ]
        )
        parts.append(tube(smooth(temple, 16), thick * 0.8, material, 8))
    parts.append(
        tube(arc(np.array([-0.06, 0.03, 0]), np.array([0.06, 0.03, 0]), np.array([0, 0.05, 0])), thick, material, 8)
    )
    return parts


def _wheel(rng: np.random.Generator) -> list[Part]:
    """A wheel with spokes, ferris or cart, often on a stand."""
    r, tire = rng.uniform(0.35, 0.5), rng.uniform(0.025, 0.1)
    rim, spoke, count = random_material(rng, 0.3), random_material(rng, 0.3), int(rng.integers(4, 15))
    parts = [torus(r, tire, rim), cylinder(r * 0.15, tire * 3, spoke).at(0, -tire * 1.5, 0)]
    for i in range(count):
        bar = cylinder(tire * 0.3, r, spoke).turned(about("z", -90)).turned(about("y", 360 * i / count))
        parts.append(bar)
    parts = [p.turned(about("x", 90)) for p in parts]
    if rng.random() < 0.4:
        for s in (-1, 1):
            parts.append(tube(np.array([[0, 0, s * tire * 2.5], [s * 0.05, -r - 0.1, s * 0.25]]), 0.03, spoke, 10))
        parts.append(box((0.4, 0.04, 0.6), spoke).at(0, -r - 0.12, 0))
    return parts


def _stand(rng: np.random.Generator) -> list[Part]:
    """A pole with feet and arms: coat racks, signs, tripods, easels."""
    metal, r, height = random_material(rng, 0.6), rng.uniform(0.012, 0.04), rng.uniform(0.7, 1.2)
    parts, feet = [cylinder(r, height, metal)], int(rng.integers(3, 6))
    hub, reach = rng.uniform(0.02, 0.7) * height, rng.uniform(0.2, 0.45)
    for i in range(feet):
        a = 2 * np.pi * i / feet
        parts.append(
            tube(np.array([[0, hub, 0], [reach * np.cos(a), 0, reach * np.sin(a)]]), r * 0.8, metal, 8, round_ends=True)
        )
    choice = rng.random()
    if choice < 0.4:
        for _ in range(int(rng.integers(2, 7))):
            a, y = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.0) * height
            out = np.array([np.cos(a), 0, np.sin(a)])
            parts.append(
                tube(
                    arc(np.array([0, y, 0]), np.array([0, y + 0.1, 0]) + out * 0.2, out * 0.05),
                    r * 0.7,
                    metal,
                    8,
                    round_ends=True,
                )
            )
    elif choice < 0.75:
        w, h = rng.uniform(0.3, 0.8), rng.uniform(0.2, 0.6)
        parts.append(box((w, h, 0.03), random_material(rng, 0.6)).at(0, height, r + 0.01))
    else:
        parts.append(ellipsoid(rng.uniform(0.1, 0.25, 3), random_material(rng, 0.3)).at(0, height, 0))
    return parts


def _basket(rng: np.random.Generator) -> list[Part]:
    """An open basket of rings and staves."""
    low, high, tall = rng.uniform(0.2, 0.4), rng.uniform(0.3, 0.5), rng.uniform(0.25, 0.7)
    r, count, rings = rng.uniform(0.012, 0.025), int(rng.integers(8, 25)), int(rng.integers(2, 8))
    material, squash = random_material(rng, 0.4), rng.uniform(0.5, 1)
    parts = []
    for i in range(rings):
        f = i / max(rings - 1, 1)
        parts.append(torus(low + (high - low) * f, r, material).at(0, tall * f, 0))
    for i in range(count):
        a = 2 * np.pi * i / count
        d = np.array([np.cos(a), 0, np.sin(a)])
        parts.append(tube(np.stack([d * low, d * high + [0, tall, 0]]), r * 0.9, material, 6))
    parts.append(lathe(np.array([[0, -0.01], [low, -0.01], [low, 0.01], [0, 0.01]]), material))
    if rng.random() < 0.5:
        parts.append(
            tube(
                arc(np.array([high, tall, 0]), np.array([-high, tall, 0]), np.array([0, rng.uniform(0.3, 0.7), 0]), 30),
                r * 1.4,
                material,
            )
        )
    return [p.scaled(1, 1, squash) for p in parts]
