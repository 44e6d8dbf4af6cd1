"""Random smooth lines, profiles and outlines."""

import numpy as np


def smooth(points: np.ndarray, count: int, closed: bool = False) -> np.ndarray:
    """A Catmull-Rom curve (count, D) through points (N, D), N at least 2; the ends are met."""
    points = np.asarray(points, float)
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
        t = np.arange(count) / count * len(points)
    else:
        padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
        t = np.linspace(0, len(points) - 1, count)
    i = np.minimum(t.astype(int), len(padded) - 4)
    f = (t - i)[:, None]
    a, b, c, d = (padded[i + k] for k in range(4))
    return 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)


def circle(sides: int, radius: float = 1.0) -> np.ndarray:
    """(sides, 2), counter-clockwise from +x."""
    angles = 2 * np.pi * np.arange(sides) / sides
    return radius * np.stack([np.cos(angles), np.sin(angles)], -1)


def superellipse(a: float, b: float, power: float, count: int = 32) -> np.ndarray:
    """(count, 2): power 2 is an ellipse, above it a rounded rectangle, below a diamond."""
    c, s = circle(count).T
    return np.stack([a * np.sign(c) * np.abs(c) ** (2 / power), b * np.sign(s) * np.abs(s) ** (2 / power)], -1)


def polygon(sides: int, radius: float = 1.0, rounding: float = 0.0) -> np.ndarray:
    """A regular polygon, its corners cut back by a share of the edges and rounded."""
    corners = circle(sides, radius)
    if rounding <= 0:
        return corners
    before = corners + (np.roll(corners, 1, 0) - corners) * rounding / 2
    after = corners + (np.roll(corners, -1, 0) - corners) * rounding / 2
    t = np.linspace(0, 1, 4)[:, None, None]
    arcs = (1 - t) ** 2 * before + 2 * t * (1 - t) * corners + t**2 * after
    return arcs.transpose(1, 0, 2).reshape(-1, 2)


def star(points: int, inner: float, radius: float = 1.0) -> np.ndarray:
    """A star; ``inner`` is the ratio of its radii."""
    return circle(2 * points, radius) * np.where(np.arange(2 * points) % 2, inner, 1.0)[:, None]


def gear(teeth: int, depth: float, radius: float = 1.0) -> np.ndarray:
    """A toothed wheel's outline."""
    reach = np.where(np.array([0, 1, 1, 0] * teeth) > 0, 1.0, 1 - depth)
    return circle(4 * teeth, radius) * reach[:, None]


def random_outline(rng: np.random.Generator, count: int = 40) -> np.ndarray:
    """Some star-shaped outline (K, 2) of about unit radius, counter-clockwise."""
    choice = rng.random()
    if choice < 0.25:
        return polygon(int(rng.integers(3, 9)), 1.0, rng.choice([0, rng.uniform(0.1, 0.6)]))
    if choice < 0.5:
        return superellipse(1.0, rng.uniform(0.35, 1), rng.uniform(1.5, 6), count)
    if choice < 0.62:
        return star(int(rng.integers(4, 10)), rng.uniform(0.4, 0.85))
    if choice < 0.7:
        return gear(int(rng.integers(6, 16)), rng.uniform(0.1, 0.3))
    knots = int(rng.integers(4, 9))
    radii = rng.uniform(0.5, 1.0, knots)
    return smooth(circle(knots) * radii[:, None], count, closed=True)


def random_profile(rng: np.random.Generator, height: float, widest: float, count: int = 28) -> np.ndarray:
    """Radii over heights (count, 2) of a pot, bottle or turned leg: smooth, stepped or straight."""
    knots = int(rng.integers(2, 7))
    radii = rng.uniform(0.25, 1.0, knots)
    heights = np.linspace(0, height, knots)
    if rng.random() < 0.75 and knots > 2:
        curve = smooth(np.stack([radii, heights], -1), count)
    else:
        y = np.linspace(0, height, count)
        curve = np.stack([np.interp(y, heights, radii), y], -1)
    curve[:, 0] = np.maximum(curve[:, 0], 0.12)
    curve[:, 0] *= widest / curve[:, 0].max()
    curve[:, 1] = np.linspace(0, height, count) if rng.random() < 0.5 else np.maximum.accumulate(curve[:, 1])
    return curve


def arc(start: np.ndarray, end: np.ndarray, bulge: np.ndarray, count: int = 20) -> np.ndarray:
    """A smooth line (count, 3) from start to end that leaves and comes back along ``bulge``, as handles do."""
    t = np.linspace(0, 1, count)[:, None]
    return (
        (1 - t) ** 3 * start
        + 3 * t * (1 - t) ** 2 * (start + bulge * 4 / 3)
        + 3 * t**2 * (1 - t) * (end + bulge * 4 / 3)
        + t**3 * end
    )
