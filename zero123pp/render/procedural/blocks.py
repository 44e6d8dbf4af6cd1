"""Boxy made things: packages, electronics, toys, vehicles, buildings, stairs, machines."""

import numpy as np

from zero123pp.render.procedural.booleans import subtract
from zero123pp.render.procedural.curves import polygon, random_outline, superellipse
from zero123pp.render.procedural.materials import decal, near, plain, random_color, random_material
from zero123pp.render.procedural.solids import Part, about, box, cylinder, ellipsoid, prism, torus, tube


def block(rng: np.random.Generator) -> list[Part]:
    """One of the below."""
    return [_package, _package, _device, _vehicle, _vehicle, _building, _building, _machined, _blocks][rng.integers(9)](
        rng
    )


def _package(rng: np.random.Generator) -> list[Part]:
    """A box, book, crate or cushion, with or without an opening."""
    size = np.exp(rng.normal(-0.4, 0.5, 3))
    material = random_material(rng, size.mean())
    if rng.random() < 0.5:
        material = decal(rng, material, size.mean())
    rounding = size.min() * rng.choice([0, 0.04, 0.15, 0.48])
    style = rng.random()
    body = box(size, material, rounding=rounding, steps=4)
    if style < 0.6:
        parts = [body]
        if rng.random() < 0.3:
            band, axis = size * 1.02, int(rng.integers(3))
            band[axis] = size[axis] * rng.uniform(0.05, 0.25)
            parts.append(box(band, random_material(rng, 0.3), rounding=rounding))
        return parts
    if style < 0.8:  # open above
        wall = size.min() * rng.uniform(0.04, 0.15)
        hollow = box(size - [2 * wall, 0, 2 * wall], material).at(0, wall, 0)
        parts = [subtract(body, hollow)]
        for s in (-1, 1):
            if rng.random() < 0.4:  # flaps
                flap = box((size[0] * 0.5, wall, size[2]), material).at(s * size[0] * 0.25, 0, 0)
                parts.append(flap.turned(about("z", s * rng.uniform(-70, 60))).at(s * size[0] / 2, size[1] / 2, 0))
        return parts
    outline = random_outline(rng) * [size[0], size[2]]
    return [prism(outline, size[1], material, bevel=size.min() * rng.choice([0, 0.06, 0.2]), steps=3)]


def _device(rng: np.random.Generator) -> list[Part]:
    """Radio, screen, camera, phone, clock, oven: a case with panels, buttons and a screen on its front."""
    w, h, d = np.exp(rng.normal(-0.3, 0.35, 2)).tolist() + [float(np.exp(rng.normal(-1.2, 0.6)))]
    case = random_material(rng, 0.8)
    parts = [box((w, h, d), case, rounding=min(w, h, d) * rng.choice([0.03, 0.2, 0.45]))]
    screen = rng.random() < 0.7
    if screen:
        sw, sh = w * rng.uniform(0.4, 0.9), h * rng.uniform(0.35, 0.85)
        parts.append(
            box((sw, sh, 0.03), decal(rng, plain(random_color(rng) * 0.4), w)).at(
                rng.normal(0, 0.03), rng.normal(0, 0.03), d / 2
            )
        )
    for _ in range(int(rng.integers(0, 9))):
        r = min(w, h) * rng.uniform(0.02, 0.12)
        place = (w * rng.uniform(-0.42, 0.42), h * rng.uniform(-0.42, 0.42), d / 2)
        knob = cylinder(r, r * rng.uniform(0.3, 1.2), random_material(rng, 0.1)).turned(about("x", 90))
        parts.append(
            (knob if rng.random() < 0.6 else box((2 * r, r, r), random_material(rng, 0.1), rounding=r * 0.2)).at(*place)
        )
    if rng.random() < 0.3:  # a lens
        r = min(w, h) * rng.uniform(0.2, 0.4)
        parts.append(
            cylinder(r, r * rng.uniform(0.4, 1.5), plain(random_color(rng) * 0.4), bevel=0.02)
            .turned(about("x", 90))
            .at(0, 0, d / 2)
        )
    if rng.random() < 0.35:  # a foot or an aerial
        parts.append(cylinder(w * 0.08, 0.2, case).at(0, -h / 2 - 0.18, 0))
        parts.append(box((w * 0.6, 0.03, max(d, 0.3)), case, rounding=0.01).at(0, -h / 2 - 0.18, 0))
    if rng.random() < 0.25:
        parts.append(
            tube(np.array([[0, 0, 0], [rng.normal(0, 0.1), 0.5, 0]]), 0.012, plain(np.full(3, 0.6)), 8).at(
                w * 0.35, h / 2, -d * 0.2
            )
        )
    return parts


def _vehicle(rng: np.random.Generator) -> list[Part]:
    """Car, truck, bus, train, boat, plane: front towards +z, turned."""
    color = random_color(rng)
    body, dark, glass = (
        random_material(rng, 1.0, color),
        plain(np.full(3, rng.uniform(0.03, 0.25))),
        plain(near(np.array([0.35, 0.5, 0.6]), rng)),
    )
    kind = rng.random()
    if kind < 0.72:
        length, width, height = rng.uniform(0.8, 1.4), rng.uniform(0.35, 0.55), rng.uniform(0.15, 0.35)
        r = rng.uniform(0.08, 0.18)
        rounding = rng.choice([0.01, 0.04, 0.09])
        parts = [box((width, height, length), body, rounding=rounding).at(0, r * 0.8 + height / 2, 0)]
        top = r * 0.8 + height
        cabin, tall = length * rng.uniform(0.25, 0.95), rng.uniform(0.12, 0.4)
        place = rng.uniform(-0.5, 0.5) * (length - cabin)
        shell = prism(
            superellipse(width * 0.46, cabin / 2, rng.uniform(5, 12), 40),
            tall,
            body if rng.random() < 0.5 else random_material(rng, 0.5),
        )
        parts.append(_tapered(shell, rng.uniform(0.6, 1.0)).at(0, top - 0.01, place))
        pane = box((width * 0.94, tall * 0.45, cabin * 0.7), glass, rounding=0.01).at(0, top + tall * 0.55, place)
        front = box((width * 0.7, tall * 0.5, cabin * 0.96), glass, rounding=0.01).at(0, top + tall * 0.5, place)
        parts += [pane, front]
        axles = int(rng.choice([2, 2, 3]))
        for z in np.linspace(-0.34, 0.34, axles) * length:
            for s in (-1, 1):
                wheel = cylinder(r, 0.09, dark, bevel=0.02).turned(about("z", -s * 90)).at(s * (width / 2 - 0.05), r, z)
                hub = (
                    cylinder(r * 0.5, 0.02, plain(np.full(3, rng.uniform(0.4, 0.9))))
                    .turned(about("z", -s * 90))
                    .at(s * (width / 2 + 0.03), r, z)
                )
                parts += [wheel, hub]
        for s in (-1, 1):
            lamp = ellipsoid((0.05, 0.04, 0.02), plain(np.array([1, 0.95, 0.7])), segments=12)
            parts.append(lamp.at(s * width * 0.33, r * 0.8 + height * 0.6, length / 2))
        if rng.random() < 0.4:
            cargo = box((width * 0.95, rng.uniform(0.2, 0.5), length * 0.5), random_material(rng, 0.6), rounding=0.01)
            parts.append(cargo.at(0, top + cargo.box[1][1], -length * 0.22))
    elif kind < 0.86:  # a boat
        length, width = rng.uniform(0.9, 1.4), rng.uniform(0.3, 0.5)
        deck = superellipse(width / 2, length / 2, rng.uniform(1.3, 2.2), 40)
        hull = _tapered(prism(deck, 0.28, body).turned(about("x", 180)).at(0, 0.28, 0), rng.uniform(0.5, 0.9), up=False)
        hollow = prism(deck * 0.86, 0.2, body).at(0, 0.2, 0)
        parts = [subtract(hull, hollow) if rng.random() < 0.6 else hull]
        if rng.random() < 0.6:
            parts.append(
                box((width * 0.5, 0.2, length * 0.3), random_material(rng, 0.4), rounding=0.02).at(0, 0.32, -0.05)
            )
        if rng.random() < 0.6:
            parts.append(cylinder(0.02, rng.uniform(0.5, 1.0), dark).at(0, 0.1, 0.1))
            sail = prism(
                np.array([[-0.02, -0.35], [0.4, -0.35], [-0.02, 0.45]]), 0.02, random_material(rng, 0.6)
            ).turned(about("x", 90) @ np.eye(3))
            parts.append(sail.turned(about("y", rng.uniform(20, 90))).at(0, 0.72, 0.1))
    else:  # a plane
        length, r = rng.uniform(0.9, 1.3), rng.uniform(0.07, 0.13)
        parts = [ellipsoid((r, r, length / 2), body, 0.8).at(0, 0.3, 0)]
        span, chord = rng.uniform(0.4, 0.7), rng.uniform(0.14, 0.3)
        wing = prism(superellipse(span, chord / 2, rng.uniform(2.2, 6), 40), 0.03, random_material(rng, 0.6)).at(
            0, 0.3 + rng.uniform(-0.05, 0.08), 0.05
        )
        parts += [
            wing,
            wing.scaled(0.4, 1, 0.6).at(0, 0.15, -length * 0.45),
            box((0.02, 0.22, 0.14), body, rounding=0.008).at(0, 0.42, -length * 0.43),
        ]
        parts.append(ellipsoid((r * 0.7, r * 0.7, length * 0.12), glass).at(0, 0.3 + r * 0.6, length * 0.2))
        if rng.random() < 0.6:
            parts.append(box((0.4, 0.03, 0.012), dark).turned(about("z", rng.uniform(0, 180))).at(0, 0.3, length / 2))
    turn = about("y", rng.uniform(-90, 90))
    return [p.turned(turn) for p in parts]


def _tapered(part: Part, share: float, up: bool = True) -> Part:
    """Narrower towards the top, or the bottom."""
    low, high = part.box
    f = (part.vertices[:, 1:2] - low[1]) / (high[1] - low[1])
    f = f if up else 1 - f
    factor = 1 - (1 - share) * f
    return Part(
        part.vertices * np.concatenate([factor, np.ones_like(f), factor], 1), part.faces, part.rest, part.material
    )


def _building(rng: np.random.Generator) -> list[Part]:
    """House, tower, barn, hut, with roofs, doors, windows, chimneys."""
    wall, roof, frame = random_material(rng, 1.0), random_material(rng, 0.6), plain(random_color(rng))
    glass = plain(near(np.array([0.3, 0.4, 0.5]), rng, 0.3))
    w, d, h = rng.uniform(0.4, 1.0), rng.uniform(0.4, 0.9), rng.uniform(0.3, 1.0)
    sides = int(rng.choice([4, 4, 4, 4, 6, 24]))
    if sides == 4:
        parts = [box((w, h, d), wall).at(0, h / 2, 0)]
    else:
        parts = [prism(polygon(sides, w * 0.55), h, wall)]
        d = w
    style, eave, rise = rng.random(), rng.uniform(1.02, 1.25), rng.uniform(0.1, 0.6)
    if sides > 4 or style < 0.25:
        count = sides if sides > 4 else 4
        shape = (
            polygon(count, w * 0.62 * eave) if sides > 4 else np.array([[w, -d], [w, d], [-w, d], [-w, -d]]) * eave / 2
        )
        parts.append(_tapered(prism(shape, rise + 0.15, roof), 0.03).at(0, h - 0.005, 0))
    elif style < 0.75:
        outline = np.array([[w / 2 * eave, -rise / 3], [0, rise * 2 / 3], [-w / 2 * eave, -rise / 3]])
        gable = prism(outline, d * eave, roof).at(0, -d * eave / 2, 0).turned(about("x", -90))
        parts.append(gable.turned(about("z", 0)).at(0, h + rise / 3, 0))
    else:
        parts.append(box((w * eave, 0.05, d * eave), roof).at(0, h, 0))
    door = box((w * 0.2, min(h * 0.55, 0.35), 0.04), random_material(rng, 0.3)).at(
        w * rng.uniform(-0.25, 0.25), min(h * 0.55, 0.35) / 2, d / 2
    )
    parts.append(door)
    rows, columns = max(1, int(h / 0.3)), int(rng.integers(1, 4))
    for i in range(rows):
        for j in range(columns):
            x, y = w * ((j + 0.5) / columns - 0.5), h * (i + 0.62) / rows
            if i == 0 and abs(x - (door.box[0] + door.box[1])[0] / 2) < w * 0.2:
                continue
            for z in (d / 2, -d / 2):
                parts.append(box((w / columns * 0.4, h / rows * 0.4, 0.03), glass).at(x, y, z))
                parts.append(box((w / columns * 0.5, 0.025, 0.05), frame).at(x, y - h / rows * 0.22, z))
    if rng.random() < 0.5:
        parts.append(box((0.09, rise + 0.2, 0.09), random_material(rng, 0.2)).at(w * 0.25, h + rise * 0.4, -d * 0.2))
    if rng.random() < 0.35:
        wing = rng.uniform(0.4, 0.7)
        parts += [p.scaled(wing).at(w * 0.6, 0, rng.normal(0, 0.1)) for p in parts[:2]]
    if rng.random() < 0.3:
        parts.append(box((w * 1.5, 0.05, d * 1.5), random_material(rng, 0.6)).at(0, -0.02, 0))
    return parts


def _machined(rng: np.random.Generator) -> list[Part]:
    """A block or disc with holes, pockets and notches cut out of it."""
    material = random_material(rng, 1.0)
    size = rng.uniform(0.35, 1.0, 3)
    body = (
        box(size, material, rounding=size.min() * rng.choice([0, 0.1]))
        if rng.random() < 0.5
        else prism(random_outline(rng) * size[0], size[1], material, bevel=0.03).at(0, -size[1] / 2, 0)
    )
    tools = []
    for _ in range(int(rng.integers(1, 5))):
        r = size.min() * rng.uniform(0.12, 0.4)
        tool = cylinder(r, 3, material) if rng.random() < 0.6 else prism(random_outline(rng) * r, 3, material)
        axis = [np.eye(3), about("x", 90), about("z", 90)][rng.integers(3)]
        deep = rng.choice([-1.5, 0.0, size.min() * 0.2])
        tools.append(tool.at(size[0] * rng.uniform(-0.3, 0.3), deep, size[2] * rng.uniform(-0.3, 0.3)).turned(axis))
    parts = [subtract(body, *tools)]
    if rng.random() < 0.4:
        parts.append(torus(size[0] * 0.4, size[1] * 0.12, random_material(rng, 0.3)).at(0, size[1] / 2, 0))
    return parts


def _blocks(rng: np.random.Generator) -> list[Part]:
    """A stack: stairs, towers of blocks, steps of a podium."""
    parts, y = [], 0.0
    style = rng.integers(3)
    if style == 0:  # stairs
        count, material, width = int(rng.integers(3, 9)), random_material(rng, 0.8), rng.uniform(0.4, 1.0)
        return [
            box((width, (i + 1) / count, 1.2 / count), material).at(
                0, (i + 1) / count / 2, 0.6 - 1.2 * (i + 0.5) / count
            )
            for i in range(count)
        ]
    for _ in range(int(rng.integers(2, 7))):
        size = rng.uniform(0.2, 0.6, 3)
        piece = (
            box(size, random_material(rng, 0.4), rounding=rng.choice([0, 0.02]))
            if rng.random() < 0.6
            else cylinder(size[0] / 2, size[1], random_material(rng, 0.4), top=rng.uniform(0.3, 1)).at(
                0, -size[1] / 2, 0
            )
        )
        place = (rng.normal(0, 0.08), y + size[1] / 2, rng.normal(0, 0.08))
        parts.append(piece.turned(about("y", rng.uniform(0, 90) if style == 1 else 0)).at(*place))
        y += size[1]
    return parts
