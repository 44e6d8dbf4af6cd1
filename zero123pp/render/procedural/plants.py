"""Trees, bushes, flowers, cacti, mushrooms, potted plants, fruit and vegetables."""

import numpy as np

from zero123pp.render.procedural.blobs import Limb, blend
from zero123pp.render.procedural.curves import smooth
from zero123pp.render.procedural.materials import (
    Material,
    clouds,
    gradient,
    near,
    plain,
    random_color,
    random_material,
    speckled,
)
from zero123pp.render.procedural.solids import Part, about, ellipsoid, lathe, sweep, tube, turned_to
from zero123pp.render.procedural.vessels import vessel


def plant(rng: np.random.Generator) -> list[Part]:
    """One of the below."""
    return [_tree, _tree, _potted, _flower, _cactus, _mushroom, _fruit, _fruit][rng.integers(8)](rng)


def _green(rng: np.random.Generator) -> np.ndarray:
    """Mostly green; autumn and fantasy at times."""
    if rng.random() < 0.2:
        return random_color(rng)
    return np.clip(np.array([rng.uniform(0.1, 0.5), rng.uniform(0.35, 0.8), rng.uniform(0.05, 0.4)]), 0, 1)


def _leafy(rng: np.random.Generator) -> Material:
    color = _green(rng)
    return speckled(rng, clouds(rng, color, near(color, rng, 0.25), 0.4), 0.5) if rng.random() < 0.6 else plain(color)


def _bark(rng: np.random.Generator) -> Material:
    return speckled(rng, plain(near(np.array([0.42, 0.28, 0.16]), rng, 0.3)), 0.7)


def _tree(rng: np.random.Generator) -> list[Part]:
    """A trunk that forks, with round, conic or no crowns."""
    bark, leaves = _bark(rng), _leafy(rng)
    height, thick = rng.uniform(0.3, 0.8), rng.uniform(0.03, 0.09)
    if rng.random() < 0.35:  # a conifer
        trunk = tube(np.array([[0, 0, 0], [0, height * 0.5, 0], [0, height, 0]]), [thick, thick, thick * 0.6], bark)
        parts, y, wide = [trunk], height * 0.4, rng.uniform(0.25, 0.5)
        for _ in range(int(rng.integers(2, 6))):
            tall = wide * rng.uniform(0.8, 1.5)
            ragged = int(rng.choice([8, 12, 24]))
            parts.append(
                lathe(np.array([[0, 0], [wide, -0.03], [wide * 0.55, tall * 0.4], [0.0, tall]]), leaves, ragged).at(
                    0, y, 0
                )
            )
            y, wide = y + tall * 0.45, wide * 0.78
        return parts
    parts, ends = [], []
    _branch(
        rng,
        np.zeros(3),
        np.array([rng.normal(0, 0.1), 1.0, rng.normal(0, 0.1)]),
        height,
        thick,
        int(rng.integers(1, 4)),
        bark,
        parts,
        ends,
    )
    bare = rng.random() < 0.1
    size = rng.uniform(0.12, 0.35)
    if not bare and rng.random() < 0.5:
        limbs = [
            Limb(tuple(e), tuple(e), size * (s := rng.uniform(0.7, 1.3)), size * s, (1, rng.uniform(0.6, 1), 1))
            for e in ends[:14]
        ]
        parts.append(blend(limbs, size * 0.15, leaves))
    elif not bare:
        for e in ends[:16]:
            r = size * rng.uniform(0.5, 1.2, 3)
            parts.append(ellipsoid(r, leaves, rng.choice([1.0, 0.7]), int(rng.choice([8, 20]))).at(*e))
    return parts


def _branch(rng, start, direction, length, thick, depth, bark, parts, ends) -> None:
    direction = direction / np.linalg.norm(direction)
    end = start + direction * length
    middle = (start + end) / 2 + rng.normal(0, 0.05, 3) * length
    parts.append(
        tube(smooth(np.stack([start, middle, end]), 8), np.linspace(thick, thick * 0.65, 8), bark, 8, round_ends=True)
    )
    if depth == 0:
        ends.append(end)
        return
    for _ in range(int(rng.integers(2, 4))):
        _branch(
            rng,
            end,
            direction + rng.normal(0, 0.55, 3) + [0, 0.15, 0],
            length * rng.uniform(0.5, 0.8),
            thick * 0.62,
            depth - 1,
            bark,
            parts,
            ends,
        )


def leaf(length: float, width: float, droop: float, material: Material) -> Part:
    """A blade along +z from the origin that rises and droops."""
    t = np.linspace(0, 1, 14)
    path = np.stack([0 * t, length * (0.5 * t - droop * t**2), length * t], -1)
    shape = np.sin(np.pi * np.clip(0.04 + 0.94 * t, 0, 1)) ** 0.8 + 0.03
    # The path starts near +z: the section's axes are x (or z) first; a flat ellipse lies across.
    section = np.array([[1.0, 0.0], [0, 0.08], [-1, 0], [0, -0.08]])
    return sweep(path, section, material, scale=width * shape)


def _potted(rng: np.random.Generator) -> list[Part]:
    pot = vessel(rng)
    top = max(p.box[1][1] for p in pot[:1])
    radius = float(np.abs(pot[0].vertices[:, 0]).max())
    leaves, count = _leafy(rng), int(rng.integers(5, 16))
    length, width, droop = rng.uniform(0.4, 1.2), rng.uniform(0.05, 0.2), rng.uniform(0, 0.6)
    parts = list(pot)
    for i in range(count):
        blade = leaf(length * rng.uniform(0.6, 1.1), width, droop, leaves).turned(about("x", -rng.uniform(10, 80)))
        parts.append(blade.turned(about("y", 360 * i * 0.381966)).at(0, top - 0.05, 0))
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 6))):
            tip = np.array([rng.normal(0, radius), top + length * rng.uniform(0.6, 1.1), rng.normal(0, radius)])
            parts.append(tube(smooth(np.stack([[0, top - 0.05, 0], tip * [0.4, 0.8, 0.4], tip]), 8), 0.018, leaves, 8))
            parts += [p.at(*tip) for p in _blossom(rng, rng.uniform(0.1, 0.25), tip - [0, top, 0])]
    return parts


def _blossom(rng: np.random.Generator, size: float, direction: np.ndarray) -> list[Part]:
    petal, heart = plain(random_color(rng)), plain(random_color(rng))
    count, open_deg = int(rng.integers(4, 11)), rng.uniform(15, 95)
    turn = turned_to(direction + rng.normal(0, 0.3, 3))
    out = [ellipsoid((size * 0.3, size * 0.2, size * 0.3), heart, segments=14).turned(turn)]
    for i in range(count):
        blade = ellipsoid((size * 0.3, size * 0.55, size * 0.06), petal, segments=14).at(0, size * 0.5, 0)
        out.append(blade.turned(turn @ about("y", 360 * i / count) @ about("x", open_deg)))
    return out


def _flower(rng: np.random.Generator) -> list[Part]:
    """One or some flowers on stems with leaves."""
    green, parts = plain(_green(rng)), []
    for _ in range(int(rng.integers(1, 6))):
        tip = np.array([rng.normal(0, 0.15), rng.uniform(0.6, 1.1), rng.normal(0, 0.15)])
        stem = smooth(np.stack([[0, 0, 0], tip * [0.2, 0.6, 0.2], tip]), 10)
        parts.append(tube(stem, rng.uniform(0.012, 0.03), green, 8))
        parts += [p.at(*tip) for p in _blossom(rng, rng.uniform(0.15, 0.4), tip)]
        for _ in range(int(rng.integers(0, 4))):
            blade = leaf(rng.uniform(0.2, 0.5), rng.uniform(0.04, 0.1), 0.3, green).turned(
                about("y", rng.uniform(0, 360))
            )
            parts.append(blade.at(*stem[int(rng.integers(1, 7))]))
    return parts


def _cactus(rng: np.random.Generator) -> list[Part]:
    green, r = _leafy(rng), rng.uniform(0.07, 0.18)
    ribs = 0.12 * np.cos(2 * np.pi * np.arange(48) / 48 * rng.integers(6, 12)) + 1
    ring = ribs[:, None] * np.stack(
        [np.cos(2 * np.pi * np.arange(48) / 48), np.sin(2 * np.pi * np.arange(48) / 48)], -1
    )
    parts = [sweep(np.array([[0, 0, 0], [0, 0.4, 0], [0, 0.9, 0]]), ring, green, scale=r, round_ends=True)]
    for _ in range(int(rng.integers(0, 4))):
        y, out, turn = rng.uniform(0.25, 0.55), rng.uniform(0.15, 0.3), about("y", rng.uniform(0, 360))
        path = smooth(
            np.array([[0, y, 0], [out * 0.7, y + 0.02, 0], [out, y + 0.12, 0], [out, y + rng.uniform(0.2, 0.4), 0]]), 14
        )
        parts.append(sweep(path, ring, green, scale=r * 0.6, round_ends=True).turned(turn))
    return parts


def _mushroom(rng: np.random.Generator) -> list[Part]:
    parts = []
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        tall, r, cap = rng.uniform(0.3, 0.7), rng.uniform(0.05, 0.12), rng.uniform(0.2, 0.45)
        rise, under = cap * rng.uniform(0.4, 1.2), rng.uniform(0, 0.1)
        t = np.linspace(0, np.pi / 2, 12)
        hat = np.concatenate([[[0, under]], np.stack([cap * np.cos(t), rise * np.sin(t)], -1)])
        hat[-1, 0] = 0
        place = rng.normal(0, 0.2, 3) * [1, 0, 1]
        parts.append(lathe(hat, random_material(rng, 0.5)).at(0, tall, 0).at(*place))
        parts.append(
            tube(
                np.array([[0, 0, 0], [0, tall / 2, 0], [0, tall + under, 0]]),
                np.array([1.4, 0.9, 1]) * r,
                random_material(rng, 0.2),
            ).at(*place)
        )
    return parts


def _fruit(rng: np.random.Generator) -> list[Part]:
    """Apple to pumpkin, carrot, banana, mostly one, with a stalk."""
    color = random_color(rng)
    skin = speckled(rng, gradient(rng, color, near(color, rng, 0.3), 1.0) if rng.random() < 0.6 else plain(color), 0.3)
    stalk = plain(near(np.array([0.35, 0.3, 0.12]), rng))
    style = rng.random()
    if style < 0.5:  # round with dimples and ribs
        t = np.linspace(-np.pi / 2, np.pi / 2, 26)
        dimple, tall, pear = rng.uniform(0, 0.3), rng.uniform(0.7, 1.3), rng.uniform(-0.35, 0.35)
        r = np.cos(t) * (1 - pear * np.sin(t))
        y = tall * np.sin(t) - dimple * np.sign(t) * np.exp(-((np.abs(t) - np.pi / 2) ** 2) / 0.08)
        r[[0, -1]] = 0
        body = lathe(np.stack([r, y], -1) * 0.45, skin)
        if rng.random() < 0.3:
            ribs = rng.integers(5, 12)
            angle = np.arctan2(body.vertices[:, 0], body.vertices[:, 2])
            body = type(body)(
                body.vertices * (1 - 0.12 * np.abs(np.cos(angle * ribs / 2)) ** 2)[:, None] ** [1, 0, 1],
                body.faces,
                body.rest,
                skin,
            )
        top = body.box[1][1] - dimple * 0.4
        return [
            body,
            tube(np.array([[0, top - 0.03, 0], [0.01, top + 0.08, 0], [0.05, top + 0.15, 0.02]]), 0.022, stalk, 8),
        ]
    length, thick = rng.uniform(0.7, 1.1), rng.uniform(0.08, 0.2)
    bend = rng.choice([0, rng.uniform(0.1, 0.7)])
    t = np.linspace(0, 1, 24)
    path = np.stack([bend * np.sin(np.pi * t) * length * 0.6, length * (t - 0.5), 0 * t], -1)
    shape = np.sin(np.pi * np.clip(0.06 + t * 0.9, 0, 1)) ** rng.uniform(0.3, 1) * (
        1 - rng.uniform(-0.5, 0.5) * (t - 0.5)
    )
    ring = np.stack([np.cos(2 * np.pi * np.arange(16) / 16), np.sin(2 * np.pi * np.arange(16) / 16)], -1)
    parts = [sweep(path, ring, skin, scale=thick * shape, round_ends=True)]
    for _ in range(int(rng.integers(0, 7))):
        parts.append(
            leaf(rng.uniform(0.2, 0.5), 0.06, 0.2, plain(_green(rng)))
            .turned(about("y", rng.uniform(0, 360)) @ about("x", -60))
            .at(path[-1, 0], length / 2, 0)
        )
    turn = about("y", rng.uniform(0, 360)) @ about("z", rng.uniform(-100, 100))
    return [p.turned(turn) for p in parts]
