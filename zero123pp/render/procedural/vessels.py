"""Lathed hollow things: cups, bowls, pots, bottles, vases, jugs, teapots, baskets, with handles, spouts and lids."""

import numpy as np

from zero123pp.render.procedural.booleans import subtract
from zero123pp.render.procedural.curves import arc, random_outline, random_profile
from zero123pp.render.procedural.materials import Material, random_color, random_material
from zero123pp.render.procedural.solids import Part, box, cylinder, ellipsoid, lathe, sweep, tube


def vessel(rng: np.random.Generator) -> list[Part]:
    """One vessel of height about 1."""
    height = 1.0
    widest = float(np.exp(rng.normal(-0.75, 0.45)))
    outer = random_profile(rng, height, widest)
    color = random_color(rng)
    body = random_material(rng, widest, color)
    wall = widest * rng.uniform(0.03, 0.12)
    is_open = rng.random() < 0.75
    parts = [walled(rng, outer, wall, body) if is_open else solid(outer, body)]
    extra = body if rng.random() < 0.6 else random_material(rng, 0.4)
    if is_open and rng.random() < 0.35:
        parts.append(_rim(outer, wall, extra))
    if rng.random() < 0.5:
        parts += _handles(rng, outer, extra)
    if rng.random() < 0.22:
        parts.append(_spout(rng, outer, wall, extra))
    if rng.random() < (0.25 if is_open else 0.7):
        parts += _lid(rng, outer, extra)
    elif is_open and rng.random() < 0.25:
        parts.append(_filling(rng, outer, wall))
    if rng.random() < 0.25:
        parts += _feet(rng, outer, extra)
    if is_open and rng.random() < 0.08:
        parts[0] = _pierced(rng, parts[0], outer)
    return parts


def walled(rng: np.random.Generator, outer: np.ndarray, wall: float, material: Material) -> Part:
    """A profile (M, 2) made hollow and open above, with a rounded rim."""
    floor = max(wall * rng.uniform(0.8, 2.5), 0.02)
    inner = np.stack([np.maximum(outer[:, 0] - wall, 0.01), outer[:, 1]], -1)
    inner = inner[inner[:, 1] > floor][::-1]
    middle = np.array([outer[-1, 0] - wall / 2, outer[-1, 1]])
    angles = np.linspace(0, np.pi, 7)[1:-1, None]
    rim = middle + wall / 2 * np.concatenate([np.cos(angles), np.sin(angles)], 1)
    bottom = np.array([[inner[-1, 0], floor], [0, floor]])
    profile = np.concatenate([[[0, outer[0, 1]]], outer, rim, inner, bottom])
    segments = int(rng.choice([6, 8, 12])) if rng.random() < 0.12 else 48
    return lathe(profile, material, segments)


def solid(outer: np.ndarray, material: Material) -> Part:
    """A profile (M, 2) closed above and below."""
    return lathe(np.concatenate([[[0, outer[0, 1]]], outer, [[0, outer[-1, 1]]]]), material)


def _radius(outer: np.ndarray, height: float) -> float:
    return float(np.interp(height, outer[:, 1], outer[:, 0]))


def _rim(outer: np.ndarray, wall: float, material: Material) -> Part:
    radius, y = outer[-1]
    angles = 2 * np.pi * np.arange(10) / 10
    loop = np.stack([radius - wall / 2 + 0.9 * wall * np.cos(angles), y + 0.7 * wall * np.sin(angles)], -1)
    return lathe(loop, material, closed=True)


def _handles(rng: np.random.Generator, outer: np.ndarray, material: Material) -> list[Part]:
    """One handle at the side, a pair, a bail over the top, or a pan's stick."""
    thick, style = rng.uniform(0.02, 0.055), rng.random()
    side = np.array([1.0, 0, 0])
    if style < 0.62:
        low, high = np.sort(rng.uniform(0.15, 0.92, 2))
        high = max(high, low + 0.25)
        start = side * (_radius(outer, high) - thick * 0.5) + [0, high, 0]
        end = side * (_radius(outer, low) - thick * 0.5) + [0, low, 0]
        path = arc(start, end, side * rng.uniform(0.15, 0.45) + [0, rng.normal(0, 0.08), 0])
        flat = rng.uniform(0.6, 2.2)
        handle = sweep(
            path,
            random_outline(rng, 14) if rng.random() < 0.15 else _circle(),
            material,
            scale=np.tile([thick * flat, thick], (len(path), 1)),
        )
        pair = rng.random() < 0.35
        turn = _yaw(rng.uniform(0, 360))
        return [p.turned(turn) for p in ([handle, handle.mirrored()] if pair else [handle])]
    if style < 0.82:
        y = outer[-1, 1] * rng.uniform(0.8, 0.97)
        r = _radius(outer, y)
        path = arc(
            side * r + [0, y, 0], -side * r + [0, y, 0], np.array([0, rng.uniform(0.3, 0.9) * max(r, 0.3), 0]), 30
        )
        return [tube(path, thick * 0.8, material).turned(_yaw(rng.uniform(0, 180)))]
    y = outer[-1, 1] * rng.uniform(0.55, 0.9)
    r, length = _radius(outer, y), rng.uniform(0.4, 1.2)
    path = arc(side * r * 0.95 + [0, y, 0], side * (r + length) + [0, y + rng.uniform(-0.05, 0.2), 0], np.zeros(3), 16)
    return [tube(path, np.linspace(0.8, 1.3, 16) * thick, material, round_ends=True).turned(_yaw(rng.uniform(0, 360)))]


def _circle() -> np.ndarray:
    angles = 2 * np.pi * np.arange(12) / 12
    return np.stack([np.cos(angles), np.sin(angles)], -1)


def _spout(rng: np.random.Generator, outer: np.ndarray, wall: float, material: Material) -> Part:
    low = rng.uniform(0.2, 0.5)
    r = _radius(outer, low)
    reach, top = rng.uniform(0.2, 0.5), rng.uniform(0.7, 1.05)
    start, end = np.array([-r * 0.85, low, 0]), np.array([-r - reach, top, 0])
    middle = np.array([-r - reach * rng.uniform(0.3, 0.7), low + (top - low) * rng.uniform(0.15, 0.5), 0])
    t = np.linspace(0, 1, 18)[:, None]
    path = (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * end
    thick = rng.uniform(0.06, 0.11)
    return tube(path, np.linspace(thick, thick * rng.uniform(0.4, 0.8), 18), material)


def _lid(rng: np.random.Generator, outer: np.ndarray, material: Material) -> list[Part]:
    """A lid with a knob, a cork, or a screw cap."""
    r, y = outer[-1]
    if r < 0.2:
        return [
            cylinder(
                r * rng.uniform(0.8, 1.15), rng.uniform(0.08, 0.2), material, top=rng.uniform(0.8, 1.1), bevel=0.02
            ).at(0, y - 0.03, 0)
        ]
    rise = rng.uniform(0.02, 0.25)
    t = np.linspace(0, np.pi / 2, 10)
    dome = np.stack([r * 1.02 * np.cos(t), y + rise * np.sin(t)], -1)
    dome[-1, 0] = 0
    lid = lathe(np.concatenate([[[0, y - 0.02]], [[r * 1.02, y - 0.02]], dome]), material)
    knob = r * rng.uniform(0.1, 0.25)
    return [lid, ellipsoid((knob, knob * rng.uniform(0.6, 1.3), knob), material).at(0, y + rise + knob * 0.5, 0)]


def _filling(rng: np.random.Generator, outer: np.ndarray, wall: float) -> Part:
    """Something to drink, or earth."""
    level = rng.uniform(0.6, 0.95)
    r = max(_radius(outer, level) - wall * 0.6, 0.02)
    return cylinder(r, 0.03, random_material(rng, 0.3)).at(0, level - 0.03, 0)


def _feet(rng: np.random.Generator, outer: np.ndarray, material: Material) -> list[Part]:
    r = outer[0, 0]
    if rng.random() < 0.5:  # a stem and a base, as goblets have
        stem = rng.uniform(0.1, 0.6)
        thin = r * rng.uniform(0.15, 0.5)
        base = max(r * rng.uniform(0.7, 1.2), 0.15)
        profile = np.array(
            [
                [0, -stem - 0.03],
                [base, -stem - 0.03],
                [base, -stem],
                [thin, -stem + 0.12],
                [thin, -0.05],
                [r * 0.7, 0.01],
                [0, 0.02],
            ]
        )
        return [lathe(profile, material)]
    count, size = int(rng.integers(3, 5)), r * rng.uniform(0.12, 0.22)
    angles = 2 * np.pi * np.arange(count) / count
    return [
        ellipsoid((size, size, size), material).at(r * 0.75 * np.cos(a), -size * 0.5, r * 0.75 * np.sin(a))
        for a in angles
    ]


def _pierced(rng: np.random.Generator, body: Part, outer: np.ndarray) -> Part:
    """Holes all round, as in a basket or a lantern."""
    count, rows = int(rng.integers(5, 11)), int(rng.integers(1, 3))
    reach = outer[:, 0].max() * 2
    width = 2 * np.pi * outer[:, 0].mean() / count * rng.uniform(0.3, 0.6)
    tools = []
    for row in range(rows):
        y = 0.25 + 0.5 * (row + 0.5) / rows
        for i in range(count):
            tool = box((width, 0.4 / rows, reach), body.material, rounding=width * 0.2).at(0, y, reach / 2)
            tools.append(tool.turned(_yaw(360 * i / count)))
    return subtract(body, *tools)


def _yaw(angle_deg: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
