"""Solid textures: colours as functions of the place in a part's own coordinates."""

import colorsys
from collections.abc import Callable

import numpy as np

from zero123pp.render.procedural.noise import cells, value_noise

Material = Callable[[np.ndarray], np.ndarray]
"""(n, 3) places to (n, 3) sRGB in [0, 1]."""

_AXES = np.eye(3)


def random_color(rng: np.random.Generator) -> np.ndarray:
    """(3,) sRGB: a third grays and browns, the rest anything, seldom black."""
    choice = rng.random()
    if choice < 0.2:
        return np.clip(rng.uniform(0.08, 0.97) + rng.normal(0, 0.02, 3), 0, 1)
    if choice < 0.4:  # wood, leather, clay, skin
        return np.array(colorsys.hsv_to_rgb(rng.uniform(0.02, 0.13), rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.9)))
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.beta(1.5, 1.5), rng.uniform(0.25, 1.0)))


def near(color: np.ndarray, rng: np.random.Generator, spread: float = 0.12) -> np.ndarray:
    """A color like another: lighter or darker above all."""
    return np.clip(color * rng.uniform(1 - 2 * spread, 1 + 2 * spread) + rng.normal(0, spread / 3, 3), 0, 1)


def plain(color: np.ndarray) -> Material:
    """One color."""
    return lambda p: np.broadcast_to(color, (len(p), 3))


def _mixed(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    return a + (b - a) * share[:, None]


def _between(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """A smooth step from 0 to 1."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def stripes(rng: np.random.Generator, a: np.ndarray, b: np.ndarray, size: float) -> Material:
    """Bands along a direction, often an axis; of even or uneven width, straight or wavy."""
    direction = _AXES[rng.integers(3)] if rng.random() < 0.7 else _unit(rng)
    period, share, wave = size * rng.uniform(0.08, 0.4), rng.uniform(0.15, 0.6), rng.choice([0, 0, 0.3]) * size
    seed = int(rng.integers(1 << 20))

    def color(p: np.ndarray) -> np.ndarray:
        t = p @ direction + (wave * (value_noise(p / (2 * period), 1, seed) - 0.5) if wave else 0)
        return _mixed(a, b, ((t / period) % 1 < share).astype(np.float32))

    return color


def spokes(rng: np.random.Generator, a: np.ndarray, b: np.ndarray) -> Material:
    """Sectors round y, twisted at times."""
    count, share, twist = rng.integers(3, 17), rng.uniform(0.2, 0.6), rng.choice([0, rng.normal(0, 2)])
    return lambda p: _mixed(
        a, b, (((np.arctan2(p[:, 0], p[:, 2]) / (2 * np.pi) + twist * p[:, 1]) * count % 1) < share).astype(np.float32)
    )


def checks(rng: np.random.Generator, a: np.ndarray, b: np.ndarray, size: float) -> Material:
    """Cubes of two colors."""
    period, shift = size * rng.uniform(0.08, 0.3), rng.random(3)
    return lambda p: _mixed(a, b, (np.floor(p / period + shift).sum(1) % 2).astype(np.float32))


def gradient(rng: np.random.Generator, a: np.ndarray, b: np.ndarray, size: float) -> Material:
    """A soft step from one color to the other, mostly upwards."""
    direction = np.array([0, 1.0, 0]) if rng.random() < 0.6 else _unit(rng)
    width = size * rng.uniform(0.1, 0.9)
    return lambda p: _mixed(a, b, _between(-width / 2, width / 2, p @ direction))


def clouds(rng: np.random.Generator, a: np.ndarray, b: np.ndarray, size: float) -> Material:
    """Soft or hard patches of two colours."""
    cell, edge = size * rng.uniform(0.06, 0.5), rng.choice([0.03, 0.2, 0.5])
    seed, octaves = int(rng.integers(1 << 20)), int(rng.integers(1, 4))
    return lambda p: _mixed(a, b, _between(0.5 - edge, 0.5 + edge, value_noise(p / cell, octaves, seed)))


def spots(rng: np.random.Generator, a: np.ndarray, b: np.ndarray, size: float) -> Material:
    """Balls of one color in the other."""
    cell, radius, seed = size * rng.uniform(0.08, 0.3), rng.uniform(0.2, 0.45), int(rng.integers(1 << 20))
    return lambda p: _mixed(a, b, 1 - _between(radius - 0.04, radius + 0.04, cells(p / cell, seed)[0][:, 0]))


def wood(rng: np.random.Generator, a: np.ndarray, b: np.ndarray, size: float) -> Material:
    """Year rings about an axis that the noise bends, with fibres along it."""
    axis = int(rng.choice(3))
    period, seed, offset = size * rng.uniform(0.03, 0.12), int(rng.integers(1 << 20)), rng.normal(0, 0.4, 3) * size
    stretch = np.ones(3)
    stretch[axis] = 0.12

    def color(p: np.ndarray) -> np.ndarray:
        q = (p + offset) * stretch
        bent = value_noise(q / (size * 0.25), 2, seed) * 4
        radius = np.linalg.norm(np.delete(p + offset, axis, 1), axis=1)
        rings = np.abs((radius / period + bent) % 1 * 2 - 1)
        fibres = value_noise(q / (size * 0.015), 1, seed + 9)
        return _mixed(a, b, np.clip(0.75 * rings**1.5 + 0.4 * (fibres - 0.3), 0, 1))

    return color


def stone(rng: np.random.Generator, a: np.ndarray, b: np.ndarray, size: float) -> Material:
    """Cells of many shades with joints, or veins."""
    cell, joint, seed = size * rng.uniform(0.1, 0.4), rng.choice([0, 0.05, 0.09]), int(rng.integers(1 << 20))

    def color(p: np.ndarray) -> np.ndarray:
        warped = p / cell + 0.5 * value_noise(p / cell * 2, 1, seed + 5)[:, None]
        distance, who = cells(warped, seed)
        out = _mixed(a, b, who) * (0.8 + 0.4 * value_noise(p / cell * 6, 2, seed + 7))[:, None]
        return (
            out * _between(joint * 0.5, joint + 0.01, distance[:, 1] - distance[:, 0])[:, None] ** 0.5 if joint else out
        )

    return color


def bricks(rng: np.random.Generator, a: np.ndarray, b: np.ndarray, size: float) -> Material:
    """Courses along y, round any upright face; or boards without joints along them."""
    height = size * rng.uniform(0.05, 0.16)
    length, seed, joint = height * rng.uniform(1.5, 6), int(rng.integers(1 << 20)), rng.uniform(0.04, 0.12)

    def color(p: np.ndarray) -> np.ndarray:
        row = np.floor(p[:, 1] / height)
        along = (p[:, 0] + p[:, 2]) / length + 0.5 * (row % 2)
        u, v = along % 1, p[:, 1] / height % 1
        shade = value_noise(np.stack([np.floor(along) + 0.5, row + 0.5, 0 * row], -1) * 7.3, 1, seed)
        inner = (np.minimum(u, 1 - u) * length > joint * height / 2) & (np.minimum(v, 1 - v) > joint / 2)
        return np.where(inner[:, None], a * (0.7 + 0.6 * shade)[:, None], b)

    return color


def speckled(rng: np.random.Generator, base: Material, strength: float) -> Material:
    """Fine grain over another material."""
    seed, cell = int(rng.integers(1 << 20)), 10 ** rng.uniform(-2.2, -1.2)
    return lambda p: base(p) * (1 + strength * (value_noise(p / cell, 2, seed) - 0.5))[:, None]


def decal(rng: np.random.Generator, base: Material, size: float) -> Material:
    """A label on the side that faces one way: disc, panel, bars like writing, star."""
    axis, sign = (2, 1) if rng.random() < 0.6 else (int(rng.integers(3)), rng.choice([-1, 1]))
    u_axis, v_axis = [i for i in (0, 1, 2) if i != axis]
    center = rng.normal(0, 0.15, 2) * size
    half = size * rng.uniform(0.08, 0.4, 2)
    ink, paper, look = random_color(rng), random_color(rng), rng.integers(4)
    lines, seed = rng.integers(2, 7), int(rng.integers(1 << 20))

    def color(p: np.ndarray) -> np.ndarray:
        u, v = (p[:, u_axis] - center[0]) / half[0], (p[:, v_axis] - center[1]) / half[1]
        facing = p[:, axis] * sign > 0
        if look == 0:
            inside, mark = u * u + v * v < 1, u * u + v * v < 0.5
        elif look == 1:
            inside, mark = np.maximum(abs(u), abs(v)) < 1, np.maximum(abs(u), abs(v)) > 0.85
        elif look == 2:
            inside = np.maximum(abs(u), abs(v)) < 1
            letters = value_noise(np.stack([u * 9, np.floor((v + 1) / 2 * lines) * 3.7, 0 * u], -1), 1, seed) > 0.45
            mark = letters & (((v + 1) / 2 * lines) % 1 > 0.4) & (abs(u) < 0.85)
        else:
            reach = 0.65 + 0.3 * np.cos(5 * np.arctan2(u, v))
            inside = mark = np.hypot(u, v) < reach
        rgb = np.array(base(p))
        rgb[facing & inside] = paper
        rgb[facing & inside & mark] = ink
        return rgb

    return color


def random_material(rng: np.random.Generator, size: float = 1.0, color: np.ndarray | None = None) -> Material:
    """Any of the above, of a main colour. ``size`` is about that of the part."""
    a = random_color(rng) if color is None else color
    b = random_color(rng) if rng.random() < 0.5 else near(a, rng, 0.25)
    makers = [
        (0.34, lambda: plain(a)), (0.07, lambda: stripes(rng, a, b, size)), (0.03, lambda: spokes(rng, a, b)),
        (0.04, lambda: checks(rng, a, b, size)), (0.08, lambda: gradient(rng, a, b, size)),
        (0.12, lambda: clouds(rng, a, b, size)), (0.05, lambda: spots(rng, a, b, size)),
        (0.13, lambda: wood(rng, a, near(a, rng, 0.3), size)), (0.09, lambda: stone(rng, a, b, size)),
        (0.05, lambda: bricks(rng, a, b, size)),
    ]  # fmt: skip
    weights = np.array([w for w, _ in makers])
    material = makers[rng.choice(len(makers), p=weights / weights.sum())][1]()
    if rng.random() < 0.18:
        material = decal(rng, material, size)
    return speckled(rng, material, rng.uniform(0.1, 0.7)) if rng.random() < 0.35 else material


def _unit(rng: np.random.Generator) -> np.ndarray:
    v = rng.normal(size=3)
    return v / np.linalg.norm(v)
