"""Tables, chairs, stools, benches, shelves, cabinets, beds, lamps: a small grammar of boards and legs."""

import numpy as np

from zero123pp.render.procedural.curves import random_outline, random_profile, superellipse
from zero123pp.render.procedural.materials import Material, near, random_color, random_material
from zero123pp.render.procedural.solids import Part, about, box, cylinder, ellipsoid, lathe, prism, torus, tube


def furniture(rng: np.random.Generator) -> list[Part]:
    """One piece, about 1 high."""
    color = random_color(rng)
    frame, second = random_material(rng, 1.0, color), random_material(rng, 0.8)
    if rng.random() < 0.5:
        second = random_material(rng, 1.0, near(color, rng))
    maker = [_table, _chair, _chair, _shelf, _cabinet, _bed, _sofa, _lamp][rng.integers(8)]
    return maker(rng, frame, second)


def _leg(rng: np.random.Generator, height: float, thick: float, style: int, material: Material) -> Part:
    """From y = 0 up; square, round, tapered or turned."""
    if style == 0:
        return box((thick, height, thick), material, rounding=thick * 0.15).at(0, height / 2, 0)
    if style == 1:
        return cylinder(thick / 2, height, material, top=rng.uniform(0.8, 1.6))
    if style == 2:
        return prism(superellipse(1, 1, 6, 16) * thick / 2, height, material)
    profile = random_profile(np.random.default_rng(style), height, thick * 0.7)
    return lathe(np.concatenate([[[0, 0]], profile, [[0, height]]]), material, 20)


def _legs(rng: np.random.Generator, width: float, depth: float, height: float, material: Material) -> list[Part]:
    """Four legs, three, a pedestal, trestles or a frame of tubes; splayed at times."""
    thick = rng.uniform(0.03, 0.09)
    style = int(rng.choice([0, 1, 2, 3 + rng.integers(1000)]))
    layout = rng.random()
    if layout < 0.72:
        splay = rng.choice([0, 0, rng.uniform(2, 12)])
        x, z = width / 2 - thick * 0.7, depth / 2 - thick * 0.7
        out = []
        for sx in (-1, 1):
            for sz in (-1, 1):
                leg = _leg(rng, height, thick, style, material).at(0, -height, 0)
                leg = leg.turned(about("x", -sz * splay) @ about("z", sx * splay))
                out.append(leg.at(sx * x, height, sz * z))
        if rng.random() < 0.4:  # stretchers
            y, r = height * rng.uniform(0.15, 0.5), thick * 0.35
            for sz in (-1, 1):
                out.append(box((2 * x, 2 * r, 2 * r), material).at(0, y, sz * z))
            if rng.random() < 0.6:
                for sx in (-1, 1):
                    out.append(box((2 * r, 2 * r, 2 * z), material).at(sx * x, y, 0))
        return out
    if layout < 0.86:
        column = _leg(rng, height, thick * 1.5, style, material)
        spread = min(width, depth) * rng.uniform(0.25, 0.42)
        if rng.random() < 0.5:
            return [column, cylinder(spread, 0.04, material, top=rng.uniform(0.6, 1))]
        count = int(rng.integers(3, 6))
        feet = [
            box((spread, thick * 0.6, thick * 0.8), material)
            .at(spread / 2, thick * 0.3, 0)
            .turned(about("y", 360 * i / count))
            for i in range(count)
        ]
        return [column, *feet]
    return [box((thick, height, depth * 0.9), material).at(s * (width / 2 - thick), height / 2, 0) for s in (-1, 1)]


def _top(rng: np.random.Generator, width: float, depth: float, thick: float, material: Material) -> Part:
    """A board from y = 0 up."""
    choice = rng.random()
    if choice < 0.55:
        return box((width, thick, depth), material, rounding=rng.choice([0, 0.2, 0.45]) * thick).at(0, thick / 2, 0)
    outline = (
        superellipse(width / 2, depth / 2, rng.choice([2, 2, 4, 8]))
        if choice < 0.9
        else random_outline(rng) * [width / 2, depth / 2]
    )
    return prism(outline, thick, material, bevel=thick * rng.choice([0, 0.3]), steps=2)


def _table(rng: np.random.Generator, frame: Material, second: Material) -> list[Part]:
    width, depth, height = rng.uniform(0.7, 1.9), rng.uniform(0.5, 1.1), rng.uniform(0.35, 1.0)
    thick = rng.uniform(0.025, 0.1)
    parts = [
        _top(rng, width, depth, thick, second).at(0, height, 0),
        *_legs(rng, width * 0.92, depth * 0.92, height + thick / 2, frame),
    ]
    if rng.random() < 0.3:
        parts.append(box((width * 0.85, rng.uniform(0.05, 0.2), depth * 0.85), frame).at(0, height - 0.06, 0))
    if rng.random() < 0.2:
        parts.append(_top(rng, width * 0.8, depth * 0.8, thick * 0.7, second).at(0, height * rng.uniform(0.2, 0.5), 0))
    return parts


def _chair(rng: np.random.Generator, frame: Material, second: Material) -> list[Part]:
    width, depth, height = rng.uniform(0.38, 0.6), rng.uniform(0.38, 0.55), rng.uniform(0.35, 0.75)
    thick = rng.uniform(0.025, 0.12)
    parts = [
        _top(rng, width, depth, thick, second).at(0, height, 0),
        *_legs(rng, width, depth, height + thick / 2, frame),
    ]
    if rng.random() < 0.88:
        back = rng.uniform(0.35, 0.75)
        board = _back(rng, width, back, frame, second)
        lean = about("x", -rng.uniform(0, 15))
        parts += [p.turned(lean).at(0, height + thick * 0.5, -depth / 2 + 0.03) for p in board]
    if rng.random() < 0.35:
        y, x = height + rng.uniform(0.15, 0.3), width / 2
        for s in (-1, 1):
            parts.append(box((0.05, 0.03, depth), frame, rounding=0.01).at(s * x, y, 0))
            parts.append(box((0.035, y - height, 0.035), frame).at(s * x, (y + height) / 2, depth * 0.35))
    return parts


def _back(rng: np.random.Generator, width: float, height: float, frame: Material, second: Material) -> list[Part]:
    """From y = 0 up, in the plane z = 0."""
    style = rng.integers(4)
    post = rng.uniform(0.025, 0.05)
    posts = [
        box((post, height, post), frame, rounding=post * 0.3).at(s * (width / 2 - post / 2), height / 2, 0)
        for s in (-1, 1)
    ]
    if style == 0:
        curve = rng.uniform(0, 0.12)
        outline = superellipse(width / 2, height / 2, rng.uniform(2.5, 8))
        board = (
            prism(outline, rng.uniform(0.02, 0.08), second, bevel=0.01)
            .turned(about("x", 90))
            .at(0, height / 2, -curve / 2)
        )
        return [board]
    if style == 1:  # rungs
        count = int(rng.integers(2, 6))
        rungs = [
            box((width - post, height / count * rng.uniform(0.3, 0.6), post * 0.6), second, rounding=0.005).at(
                0, height * (i + 0.7) / count, 0
            )
            for i in range(count)
        ]
        return [*posts, *rungs]
    if style == 2:  # spindles
        count = int(rng.integers(3, 8))
        rail = box((width, post * 1.6, post), frame, rounding=0.01).at(0, height, 0)
        bars = [
            cylinder(post * 0.3, height, second).at(width * ((i + 1) / (count + 1) - 0.5), 0, 0) for i in range(count)
        ]
        return [*posts, rail, *bars]
    t = np.linspace(0, np.pi, 24)  # a bow
    path = np.stack([width / 2 * np.cos(t), height * np.sin(t) ** 0.6, 0 * t], -1)
    bow = tube(path, post * 0.5, frame)
    panel = box((width * 0.35, height * 0.9, post * 0.5), second).at(0, height * 0.48, 0)
    return [bow, panel]


def _shelf(rng: np.random.Generator, frame: Material, second: Material) -> list[Part]:
    width, height, depth, thick = (
        rng.uniform(0.4, 1.2),
        rng.uniform(0.6, 1.6),
        rng.uniform(0.2, 0.45),
        rng.uniform(0.02, 0.05),
    )
    count = int(rng.integers(2, 6))
    parts = [box((thick, height, depth), frame).at(s * (width - thick) / 2, height / 2, 0) for s in (-1, 1)]
    parts += [
        box((width, thick, depth * 0.98), second).at(0, thick / 2 + (height - thick) * i / count, 0)
        for i in range(count + 1)
    ]
    if rng.random() < 0.6:
        parts.append(box((width, height, thick * 0.6), frame).at(0, height / 2, -depth / 2 + thick * 0.3))
    if rng.random() < 0.7:
        parts += _books(rng, width - 2 * thick, height / count - thick, depth, thick, count)
    return parts


def _books(rng: np.random.Generator, width: float, high: float, depth: float, thick: float, count: int) -> list[Part]:
    out = []
    for row in range(count):
        x, base = -width / 2, thick + row * (high + thick)
        while x < width / 2 - 0.05 and len(out) < 30:
            w, h = rng.uniform(0.03, 0.1), high * rng.uniform(0.5, 0.92)
            if x + w < width / 2 and rng.random() < 0.7:
                out.append(
                    box((w, h, depth * rng.uniform(0.5, 0.8)), random_material(rng, 0.3)).at(x + w / 2, base + h / 2, 0)
                )
            x += w
    return out


def _cabinet(rng: np.random.Generator, frame: Material, second: Material) -> list[Part]:
    width, height, depth = rng.uniform(0.4, 1.3), rng.uniform(0.4, 1.4), rng.uniform(0.3, 0.6)
    lift = rng.choice([0, rng.uniform(0.05, 0.25)])
    parts = [box((width, height, depth), frame, rounding=rng.choice([0, 0.02])).at(0, lift + height / 2, 0)]
    if lift:
        parts += _legs(rng, width, depth, lift + 0.01, second)
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    knob = random_material(rng, 0.1)
    gap, bar = 0.015, rng.random() < 0.5
    for i in range(columns):
        for j in range(rows):
            w, h = width / columns - gap, height / rows - gap
            x, y = width * ((i + 0.5) / columns - 0.5), lift + height * (j + 0.5) / rows
            parts.append(box((w, h, 0.04), second, rounding=0.008).at(x, y, depth / 2 + 0.012))
            handle = (
                box((min(0.15, w * 0.4), 0.015, 0.03), knob)
                if bar
                else ellipsoid((0.02, 0.02, 0.02), knob, segments=12)
            )
            parts.append(handle.at(x, y + h * 0.25, depth / 2 + 0.045))
    if rng.random() < 0.4:
        parts.append(box((width * 1.06, 0.035, depth * 1.08), second).at(0, lift + height, 0))
    return parts


def _bed(rng: np.random.Generator, frame: Material, second: Material) -> list[Part]:
    width, length, height = rng.uniform(0.5, 1.0), rng.uniform(1.0, 1.3), rng.uniform(0.15, 0.35)
    cover, white = random_material(rng, 1.0), random_material(rng, 0.5)
    parts = [box((width, 0.1, length), frame).at(0, height, 0), *_legs(rng, width, length, height, frame)]
    parts.append(box((width * 0.97, 0.14, length * 0.97), second, rounding=0.05).at(0, height + 0.11, 0))
    parts.append(box((width * 1.0, 0.06, length * 0.6), cover, rounding=0.028).at(0, height + 0.17, length * 0.18))
    for x in [0] if width < 0.7 else [-width / 4, width / 4]:
        parts.append(ellipsoid((width * 0.2, 0.06, 0.13), white, 0.6).at(x, height + 0.2, -length * 0.36))
    parts.append(box((width, rng.uniform(0.3, 0.6), 0.05), frame, rounding=0.015).at(0, height + 0.15, -length / 2))
    if rng.random() < 0.5:
        parts.append(box((width, 0.25, 0.05), frame, rounding=0.015).at(0, height + 0.05, length / 2))
    return parts


def _sofa(rng: np.random.Generator, frame: Material, second: Material) -> list[Part]:
    width, depth, seat = rng.uniform(0.6, 1.8), rng.uniform(0.55, 0.8), rng.uniform(0.22, 0.4)
    back, arm, soft = rng.uniform(0.4, 0.75), rng.uniform(0.1, 0.22), rng.uniform(0.03, 0.09)
    parts = [box((width, seat, depth), frame, rounding=0.03).at(0, seat / 2 + 0.06, 0)]
    parts.append(
        box((width, back + 0.2, 0.2), frame, rounding=soft)
        .turned(about("x", -rng.uniform(0, 12)))
        .at(0, seat + back / 2, -depth / 2 + 0.08)
    )
    for s in (-1, 1):
        parts.append(box((arm, seat + 0.2, depth), frame, rounding=soft).at(s * width / 2, (seat + 0.2) / 2 + 0.06, 0))
    count = max(1, round(width / 0.6))
    for i in range(count):
        w = (width - arm) / count
        parts.append(
            box((w * 0.98, 0.14, depth * 0.8), second, rounding=0.06).at((i - (count - 1) / 2) * w, seat + 0.1, 0.05)
        )
    return parts + _legs(rng, width, depth * 0.9, 0.08, second)


def _lamp(rng: np.random.Generator, frame: Material, second: Material) -> list[Part]:
    """A table or floor lamp."""
    height, shade = rng.uniform(0.4, 1.5), rng.uniform(0.15, 0.35)
    base = cylinder(rng.uniform(0.1, 0.25), rng.uniform(0.02, 0.08), frame, top=rng.uniform(0.3, 1), bevel=0.01)
    column = random_profile(rng, height, rng.uniform(0.015, 0.12))
    post = lathe(np.concatenate([[[0, 0]], column, [[0, height]]]), frame, 24)
    tall, upper, wall = rng.uniform(0.15, 0.4), shade * rng.uniform(0.3, 1.0), 0.012
    profile = np.array([[shade, 0], [upper, tall], [upper - wall, tall], [shade - wall, 0]])
    cover = lathe(profile, second, closed=True).at(0, height - tall * 0.4, 0)
    spokes = box((2 * upper, 0.012, 0.012), frame).at(0, height + tall * 0.5, 0)
    bulb = ellipsoid((0.05, 0.07, 0.05), random_material(rng)).at(0, height + 0.03, 0)
    ring = torus(shade * 0.99, 0.008, frame).at(0, height - tall * 0.4, 0)
    stem = cylinder(0.01, tall * 0.5, frame).at(0, height, 0)
    return [base, post, cover, spokes, bulb, ring, stem]
