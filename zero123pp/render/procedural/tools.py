"""Hand tools, cutlery, weapons, rackets, keys: swept handles with heads of plates and blocks. They stand along y."""

import numpy as np

from zero123pp.render.procedural.booleans import subtract, unite
from zero123pp.render.procedural.curves import arc, gear, polygon, random_outline, random_profile, smooth, superellipse
from zero123pp.render.procedural.materials import near, plain, random_color, random_material
from zero123pp.render.procedural.solids import Part, about, box, cylinder, ellipsoid, lathe, prism, sweep, torus, tube


def tool(rng: np.random.Generator) -> list[Part]:
    """One tool, often lying or leaning."""
    maker = [
        _hammer,
        _blade,
        _blade,
        _spoon,
        _fork,
        _wrench,
        _scissors,
        _screwdriver,
        _racket,
        _brush,
        _key,
        _magnifier,
    ][rng.integers(12)]
    parts = maker(rng)
    pose = rng.random()
    if pose < 0.35:
        turn = about("z", rng.uniform(-180, 180))
    elif pose < 0.7:  # lies on the ground
        turn = about("y", rng.uniform(0, 360)) @ about("x", 90)
    else:
        turn = np.eye(3)
    return [p.turned(turn) for p in parts]


def _metal(rng: np.random.Generator):
    gray = np.full(3, rng.uniform(0.3, 0.85)) * (1 + rng.normal(0, 0.04, 3))
    return plain(np.clip(gray, 0, 1)) if rng.random() < 0.6 else random_material(rng, 0.5, gray)


def _grip(rng: np.random.Generator, length: float, thick: float, bend: float = 0.0) -> Part:
    """From y = 0 up to ``length``: a turned, flat or bent handle."""
    material = random_material(rng, length)
    y = np.linspace(0, length, 24)
    path = np.stack([bend * np.sin(np.pi * y / length), y, 0 * y], -1)
    waist = random_profile(rng, length, 1.0, 24)[:, 0] * 0.4 + 0.6
    flat = np.array([1.0, rng.uniform(0.5, 1.0)])
    section = random_outline(rng, 18) if rng.random() < 0.1 else superellipse(1, 1, rng.uniform(2, 5), 18)
    return sweep(path, section, material, scale=thick * waist[:, None] * flat, round_ends=rng.random() < 0.6)


def _hammer(rng: np.random.Generator) -> list[Part]:
    """Hammer, mallet, axe or pick."""
    length, metal = rng.uniform(0.8, 1.3), _metal(rng)
    parts = [_grip(rng, length, rng.uniform(0.02, 0.045), rng.choice([0, rng.normal(0, 0.03)]))]
    style, r = rng.integers(4), rng.uniform(0.05, 0.13)
    if style == 0:
        head = cylinder(r, rng.uniform(0.2, 0.5), metal, top=rng.uniform(0.5, 1), bevel=0.01)
    elif style == 1:
        head = box((r * 1.6, rng.uniform(0.25, 0.5), r * 1.6), metal, rounding=0.02).at(0, 0.17, 0)
    elif style == 2:  # an axe: a wedge
        w, h = rng.uniform(0.15, 0.35), rng.uniform(0.2, 0.4)
        edge = smooth(np.array([[w, -h / 2], [w * 1.15, 0], [w, h / 2]]), 9)
        outline = np.concatenate([edge, [[-0.05, h * 0.2], [-0.05, -h * 0.2]]])
        blade = prism(outline, 0.05, metal, bevel=0.012).at(0, -0.025, 0).turned(about("x", 90))
        return [*parts, blade.at(0, length * 0.93, 0)] + (
            [blade.mirrored().at(0, length * 0.93, 0)] if rng.random() < 0.3 else []
        )
    else:  # a pick
        bow = arc(np.array([-0.4, -0.1, 0]), np.array([0.4, -0.1, 0]), np.array([0, 0.12, 0]), 24)
        return [*parts, tube(bow, 0.008 + 0.035 * np.sin(np.linspace(0, np.pi, 24)), metal).at(0, length * 0.95, 0)]
    middle = (head.box[0] + head.box[1])[1] / 2
    parts.append(head.at(0, -middle, 0).turned(about("z", 90)).at(0, length * 0.96, 0))
    return parts


def _blade(rng: np.random.Generator) -> list[Part]:
    """Knife, dagger, sword, spatula, saw."""
    metal, width = _metal(rng), rng.uniform(0.03, 0.14)
    length, grip = rng.uniform(0.35, 1.3), rng.uniform(0.15, 0.35)
    y = np.linspace(0, 1, 24)
    curve = rng.choice([0, rng.normal(0, 0.12)]) * length
    tip = rng.choice([0.02, rng.uniform(0.3, 1.2)])
    shape = np.minimum(1, (1 - y) * rng.uniform(2, 9) + tip) * (1 + rng.uniform(-0.2, 0.5) * y)
    path = np.stack([curve * y**2, grip + length * y, 0 * y], -1)
    thin = rng.uniform(0.06, 0.25)
    # `sweep` starts its section with z.
    section = (
        np.array([[thin, 0.0], [0, 1], [-thin, 0], [0, -1]]) if rng.random() < 0.6 else superellipse(thin, 1, 6, 16)
    )
    blade = sweep(path, section, metal, scale=width * shape)
    parts = [blade, _grip(rng, grip, rng.uniform(0.018, 0.035))]
    if rng.random() < 0.5:
        guard = rng.uniform(0.06, 0.2)
        parts.append(box((2 * guard, 0.03, 0.05), metal, rounding=0.012).at(0, grip, 0))
    if rng.random() < 0.3:
        parts.append(ellipsoid((0.04, 0.04, 0.04), metal).at(0, 0, 0))
    return parts


def _spoon(rng: np.random.Generator) -> list[Part]:
    """Spoon, ladle, shovel: a bowl at the end of a bent stick."""
    metal = _metal(rng) if rng.random() < 0.6 else random_material(rng, 1.0)
    length, a, b, c = rng.uniform(0.6, 1.1), rng.uniform(0.1, 0.22), rng.uniform(0.12, 0.3), rng.uniform(0.04, 0.12)
    outer = ellipsoid((a, b, c), metal, 1.0, 32)
    hollow = ellipsoid((a * 0.93, b * 0.95, c * 0.88), metal, 1.0, 32).at(0, 0, c * 0.08)
    cut = box((1, 1, 1), metal).at(0, 0, 0.5)
    bowl = subtract(outer, hollow, cut)
    y = np.linspace(0, length, 20)
    path = np.stack([0 * y, -b * 0.9 - y, 0.01 + rng.uniform(-0.1, 0.15) * np.sin(np.pi * y / length)], -1)
    stick = sweep(
        path,
        superellipse(1, 1, 3, 12),
        metal,
        scale=np.stack([0.012 + 0 * y, np.linspace(0.018, 0.05, 20) * rng.uniform(0.5, 1)], -1),
        round_ends=True,
    )
    return [bowl, stick]


def _fork(rng: np.random.Generator) -> list[Part]:
    """Fork, rake, trident, comb."""
    metal, count = _metal(rng), int(rng.integers(2, 6))
    width, tines, length = rng.uniform(0.12, 0.4), rng.uniform(0.2, 0.4), rng.uniform(0.5, 1.1)
    bend = rng.uniform(0, 0.12)
    parts = []
    for i in range(count):
        x = width * (i / (count - 1) - 0.5)
        t = np.linspace(0, 1, 12)
        path = np.stack([x + 0 * t, tines * t, bend * np.sin(np.pi * t)], -1)
        parts.append(tube(path, np.linspace(0.02, 0.007, 12), metal, 8))
    parts.append(box((width + 0.04, 0.05, 0.03), metal, rounding=0.012))
    return [*parts, _grip(rng, length, rng.uniform(0.016, 0.035)).at(0, -length, 0)]


def _wrench(rng: np.random.Generator) -> list[Part]:
    """An open or ring spanner."""
    metal, length = _metal(rng), rng.uniform(0.8, 1.2)
    thick, r = rng.uniform(0.04, 0.09), rng.uniform(0.1, 0.17)
    shaft = box((r * rng.uniform(0.5, 1), length, thick * 0.7), metal, rounding=0.015)
    head = cylinder(r, thick, metal, bevel=0.01).turned(about("x", 90)).at(0, 0, -thick / 2)
    jaw = box((r * 1.1, r * 1.6, 1), metal).at(0, r * 0.8, 0).turned(about("z", rng.uniform(-30, 30)))
    hole = prism(polygon(6, r * 0.65), 1, metal).at(0, -0.5, 0).turned(about("x", 90))
    up, down = head.at(0, length / 2, 0), head.scaled(0.85, 0.85, 1).at(0, -length / 2, 0)
    first = subtract(unite(shaft, up, down), jaw.at(0, length / 2, 0), hole.at(0, -length / 2, 0))
    return [first]


def _scissors(rng: np.random.Generator) -> list[Part]:
    """Scissors, pliers, tongs: two arms about a pin."""
    metal, grip = _metal(rng), random_material(rng, 0.4)
    opening, length, loop = rng.uniform(3, 28), rng.uniform(0.4, 0.8), rng.uniform(0.08, 0.15)
    t = np.linspace(0, 1, 14)
    blade = sweep(
        np.stack([0.02 + 0 * t, length * t, 0 * t], -1),
        np.array([[0.2, 0.0], [0, 1], [-0.2, 0], [0, -1]]),
        metal,
        scale=0.05 * np.minimum(1, (1 - t) * 3 + 0.05),
    )
    back = arc(np.array([0.02, 0, 0]), np.array([-0.12, -0.35, 0]), np.array([0.02, 0, 0]), 12)
    handle = tube(back, 0.025, grip)
    if rng.random() < 0.7:
        end = (
            torus(loop, 0.022, grip)
            .scaled(1, 1, rng.uniform(1, 1.6))
            .turned(about("x", 90))
            .at(-0.12 - loop * 0.5, -0.35 - loop, 0)
        )
    else:
        low = np.array([-0.2, -0.9, 0])
        end = tube(arc(back[-1], low, np.array([-0.05, 0, 0]), 14), 0.03, grip, round_ends=True)
    side = [p.turned(about("z", -opening / 2)) for p in (blade, handle, end)]
    other = [p.mirrored().at(0, 0, 0.02) for p in side]
    return [*side, *other, cylinder(0.03, 0.06, metal).turned(about("x", 90)).at(0, 0, -0.02)]


def _screwdriver(rng: np.random.Generator) -> list[Part]:
    """Screwdriver, awl, candle, pen, bottle brush: turned along one axis."""
    grip, shaft = rng.uniform(0.25, 0.5), rng.uniform(0.3, 0.8)
    profile = random_profile(rng, grip, rng.uniform(0.05, 0.12))
    handle = lathe(
        np.concatenate([[[0, 0]], profile, [[0, grip]]]), random_material(rng, 0.3), int(rng.choice([6, 8, 32]))
    )
    r = rng.uniform(0.012, 0.04)
    rod = cylinder(r, shaft, _metal(rng), top=rng.choice([1, 0.1, 0.6])).at(0, grip - 0.01, 0)
    return [handle, rod]


def _racket(rng: np.random.Generator) -> list[Part]:
    """A racket, net, sieve or pan: a ring or plate on a stick."""
    frame = random_material(rng, 0.5)
    a, b, thick = rng.uniform(0.18, 0.35), rng.uniform(0.2, 0.45), rng.uniform(0.014, 0.03)
    t = 2 * np.pi * np.arange(48) / 48
    ring = tube(np.stack([a * np.cos(t), b * np.sin(t), 0 * t], -1), thick, frame, 10, closed=True)
    parts, string = [ring], plain(random_color(rng))
    if rng.random() < 0.6:
        count = int(rng.integers(4, 10))
        for i in range(1, count):
            x = a * (2 * i / count - 1)
            parts.append(box((0.008, 2 * b * np.sqrt(1 - (x / a) ** 2), 0.008), string).at(x, 0, 0))
            y = b * (2 * i / count - 1)
            parts.append(box((2 * a * np.sqrt(1 - (y / b) ** 2), 0.008, 0.008), string).at(0, y, 0))
    else:
        parts.append(
            prism(superellipse(a, b, 2, 40), thick, random_material(rng, 0.5))
            .at(0, -thick / 2, 0)
            .turned(about("x", 90))
        )
    length = rng.uniform(0.3, 0.8)
    return [*parts, _grip(rng, length, rng.uniform(0.018, 0.04)).at(0, -b - length + 0.02, 0)]


def _brush(rng: np.random.Generator) -> list[Part]:
    """A broom, brush or mop: a block with bristles."""
    length, width, depth = rng.uniform(0.3, 1.1), rng.uniform(0.08, 0.4), rng.uniform(0.04, 0.12)
    high = rng.uniform(0.1, 0.3)
    block = box((width, 0.06, depth), random_material(rng, 0.3), rounding=0.015)
    flare = rng.uniform(0.9, 1.4)
    t = np.linspace(0, 1, 6)
    hair = sweep(
        np.stack([0 * t, -high * t, 0 * t], -1),
        superellipse(depth * 0.45, width * 0.48, 6, 24),
        random_material(rng, 0.1),
        scale=1 + (flare - 1) * t,
    )
    return [block, hair, _grip(rng, length, rng.uniform(0.015, 0.035))]


def _key(rng: np.random.Generator) -> list[Part]:
    """A key, cog or medal: flat metal with holes."""
    metal, thick = _metal(rng), rng.uniform(0.02, 0.08)
    outline = (
        gear(int(rng.integers(8, 20)), rng.uniform(0.12, 0.3), 0.3)
        if rng.random() < 0.5
        else random_outline(rng) * 0.28
    )
    hole = prism(random_outline(rng) * rng.uniform(0.08, 0.17), 1, metal).at(0, -0.5, 0)
    plate = subtract(prism(outline, thick, metal, bevel=thick * 0.2), hole).at(0, -thick / 2, 0).turned(about("x", 90))
    if rng.random() < 0.5:
        return [plate]
    length = rng.uniform(0.4, 0.8)
    shaft = cylinder(0.035, length, metal).at(0, -0.25 - length, 0)
    bits = [
        box((rng.uniform(0.05, 0.16), 0.05, thick * 0.7), metal).at(0.06, -0.22 - length + 0.09 * i, 0)
        for i in range(int(rng.integers(1, 4)))
    ]
    return [plate, shaft, *bits]


def _magnifier(rng: np.random.Generator) -> list[Part]:
    """A magnifying glass or hand mirror."""
    r, rim = rng.uniform(0.2, 0.35), rng.uniform(0.02, 0.05)
    frame = near(random_color(rng), rng)
    ring = torus(r, rim, random_material(rng, 0.3, frame)).turned(about("x", 90))
    glass = ellipsoid(
        (r, r, rng.uniform(0.01, 0.05)), plain(np.clip(rng.uniform(0.6, 0.95) + rng.normal(0, 0.05, 3), 0, 1))
    )
    length = rng.uniform(0.35, 0.7)
    return [ring, glass, _grip(rng, length, rng.uniform(0.025, 0.05)).at(0, -r - length, 0)]
