"""Animals, birds, fish, insects and human figures of blended bodies, with faces so that the front can be told."""

import numpy as np

from zero123pp.render.procedural.blobs import Limb, blend
from zero123pp.render.procedural.curves import smooth
from zero123pp.render.procedural.materials import (
    Material,
    gradient,
    near,
    plain,
    random_color,
    random_material,
    speckled,
    spots,
    stripes,
)
from zero123pp.render.procedural.solids import Part, about, box, cylinder, ellipsoid, prism, sweep, tube, turned_to


def creature(rng: np.random.Generator) -> list[Part]:
    """One creature, upright, looking at +z more or less."""
    return [_figure, _figure, _beast, _beast, _sitting, _bird, _fish, _insect][rng.integers(8)](rng)


def _hide(rng: np.random.Generator, color: np.ndarray) -> Material:
    """Fur, feathers or scales: a color with a lighter belly, stripes, spots or patches."""
    other = random_color(rng) if rng.random() < 0.4 else near(color, rng, 0.3)
    choice = rng.random()
    if choice < 0.35:
        base = plain(color)
    elif choice < 0.55:
        base = gradient(rng, other, color, 1.0)
    elif choice < 0.7:
        base = stripes(rng, color, other, 1.0)
    elif choice < 0.85:
        base = spots(rng, color, other, 0.7)
    else:
        base = random_material(rng, 1.0, color)
    return speckled(rng, base, rng.uniform(0.1, 0.5)) if rng.random() < 0.4 else base


def _face(rng: np.random.Generator, head: np.ndarray, r: float, color: np.ndarray, snout: float) -> list[Part]:
    """Eyes, and a nose or beak or mouth, on a head of radius r that looks at +z."""
    eye, spread = r * rng.uniform(0.1, 0.28), rng.uniform(20, 40)
    high = rng.uniform(0, 25)
    white, dark = plain(np.full(3, rng.uniform(0.8, 1))), plain(random_color(rng) * 0.3)
    parts = []
    for s in (-1, 1):
        d = about("y", s * spread) @ about("x", -high) @ np.array([0, 0, 1.0])
        parts.append(
            ellipsoid((eye, eye, eye * 0.6), white if rng.random() < 0.6 else dark, segments=12)
            .turned(_facing(d))
            .at(*(head + d * r * 0.93))
        )
        pupil = eye * rng.uniform(0.4, 0.7)
        parts.append(
            ellipsoid((pupil, pupil, pupil * 0.6), dark, segments=10)
            .turned(_facing(d))
            .at(*(head + d * (r * 0.93 + eye * 0.4)))
        )
    nose = plain(random_color(rng) * 0.6)
    style = rng.random()
    if style < 0.5:
        n = r * rng.uniform(0.08, 0.2)
        parts.append(ellipsoid((n * 1.3, n, n), nose, segments=10).at(*(head + [0, -r * 0.1, r * 0.95 + snout])))
    elif style < 0.75:
        mouth = ellipsoid(
            (r * rng.uniform(0.2, 0.45), r * 0.06, r * 0.1), plain(np.array([0.5, 0.1, 0.12])), segments=12
        )
        parts.append(mouth.at(*(head + [0, -r * 0.45, r * 0.86 + snout * 0.7])))
    return parts


def _facing(direction: np.ndarray) -> np.ndarray:
    """A rotation that brings +z to a direction."""
    return turned_to(direction) @ about("x", -90)


def _ears(rng: np.random.Generator, head: np.ndarray, r: float, material: Material) -> list[Part]:
    style, tall, wide = rng.integers(4), r * rng.uniform(0.3, 1.3), r * rng.uniform(0.2, 0.45)
    spread = rng.uniform(15, 60)
    out = []
    for s in (-1, 1):
        d = about("z", -s * spread) @ np.array([0, 1.0, 0])
        if style == 0:
            ear = cylinder(wide, tall, material, top=0.1).scaled(1, 1, 0.5)
        elif style == 1:
            ear = ellipsoid((wide, tall * 0.7, wide * 0.35), material, segments=14).at(0, tall * 0.4, 0)
        elif style == 2:  # horns
            t = np.linspace(0, 1, 10)
            ear = tube(np.stack([0.5 * tall * t**2 * s, tall * t, 0 * t], -1), wide * 0.4 * (1 - 0.9 * t), material, 8)
        else:
            return []
        out.append(ear.turned(turned_to(d)).at(*(head + d * r * 0.85)))
    return out


def _figure(rng: np.random.Generator) -> list[Part]:
    """A person, doll, robot or toy on two legs."""
    skin, shirt, trousers, shoes = (random_color(rng) for _ in range(4))
    head = rng.uniform(0.1, 0.24)
    leg, trunk, arm = rng.uniform(0.2, 0.5), rng.uniform(0.25, 0.42), rng.uniform(0.25, 0.5)
    thick, broad = rng.uniform(0.035, 0.08), rng.uniform(0.08, 0.2)
    stance, swing, lift = (
        rng.uniform(0.03, 0.12),
        rng.normal(0, 0.08),
        np.deg2rad(rng.choice([rng.uniform(8, 35), rng.uniform(30, 110)])),
    )
    neck = leg + trunk
    middle = np.array([0, neck + head * 1.05, 0])
    body = [Limb((0, leg, 0), (0, neck - broad * 0.3, 0), broad * rng.uniform(0.7, 1.2), broad * rng.uniform(0.6, 1))]
    soft = rng.uniform(0.008, 0.03)
    parts = [
        blend(
            body + [Limb((-broad * 0.8, neck - 0.05, 0), (broad * 0.8, neck - 0.05, 0), thick, thick)],
            soft,
            random_material(rng, 0.4, shirt),
        )
    ]
    sleeve = plain(shirt) if rng.random() < 0.6 else plain(skin)
    for s in (-1, 1):
        foot = np.array([s * (stance + 0.03), 0.03, s * swing])
        parts.append(
            blend(
                [
                    Limb(
                        (s * stance, leg, 0),
                        tuple((foot + [s * stance, leg, 0]) / 2 + [0, 0, 0.02]),
                        thick * 1.2,
                        thick,
                    ),
                    Limb(tuple((foot + [s * stance, leg, 0]) / 2 + [0, 0, 0.02]), tuple(foot), thick, thick * 0.8),
                ],
                soft,
                plain(trousers),
                30,
            )
        )
        parts.append(
            ellipsoid((thick, thick * 0.7, thick * 1.7), plain(shoes), 0.8, 16).at(*(foot + [0, 0, thick * 0.7]))
        )
        angle = lift * rng.uniform(0.6, 1.3)
        shoulder = np.array([s * broad, neck - 0.06, 0])
        elbow = shoulder + arm * 0.5 * np.array([s * np.sin(angle), -np.cos(angle), 0.1])
        hand = elbow + arm * 0.5 * np.array([s * np.sin(angle * 0.8), -np.cos(angle * 0.8), rng.uniform(0, 0.9)])
        parts.append(
            blend(
                [
                    Limb(tuple(shoulder), tuple(elbow), thick * 0.9, thick * 0.75),
                    Limb(tuple(elbow), tuple(hand), thick * 0.75, thick * 0.6),
                ],
                soft,
                sleeve,
                30,
            )
        )
        parts.append(ellipsoid((thick * 0.8,) * 3, plain(skin), segments=14).at(*hand))
    square = rng.random() < 0.2
    parts.append(
        box((head * 1.7, head * 1.8, head * 1.6), plain(skin), rounding=head * 0.3).at(*middle)
        if square
        else ellipsoid((head, head * rng.uniform(0.95, 1.2), head), plain(skin)).at(*middle)
    )
    parts += _face(rng, middle, head * (0.87 if square else 1.0), skin, 0)
    if rng.random() < 0.75:
        parts += _hair_or_hat(rng, middle, head)
    if rng.random() < 0.25:  # a skirt or coat
        parts.append(
            cylinder(broad * rng.uniform(1.4, 2.2), trunk * 0.6, random_material(rng, 0.4, shirt), top=0.5).at(
                0, leg * 0.55, 0
            )
        )
    return parts


def _hair_or_hat(rng: np.random.Generator, middle: np.ndarray, head: float) -> list[Part]:
    material, style = random_material(rng, 0.3), rng.random()
    if style < 0.6:
        cap = ellipsoid((head * 1.08, head * rng.uniform(0.8, 1.2), head * 1.08), material).at(
            *(middle + [0, head * 0.3, -head * 0.2])
        )
        return [cap] + (
            [ellipsoid((head * 0.8, head * 1.3, head * 0.4), material).at(*(middle + [0, -head * 0.4, -head * 0.75]))]
            if rng.random() < 0.4
            else []
        )
    brim = cylinder(head * rng.uniform(1.1, 1.9), 0.02, material).at(*(middle + [0, head * 0.5, 0]))
    return [
        brim,
        cylinder(head * 0.95, head * rng.uniform(0.5, 1.6), material, top=rng.uniform(0.05, 1.1)).at(
            *(middle + [0, head * 0.5, 0])
        ),
    ]


def _beast(rng: np.random.Generator) -> list[Part]:
    """Four legs along z or turned to the side."""
    color = random_color(rng)
    length, leg, fat = rng.uniform(0.4, 0.9), rng.uniform(0.12, 0.55), rng.uniform(0.1, 0.24)
    thick, r = fat * rng.uniform(0.22, 0.45), fat * rng.uniform(0.6, 1.1)
    chest, rump = np.array([0, leg + fat * 0.7, length / 2]), np.array([0, leg + fat * 0.7, -length / 2])
    head = chest + [0, rng.uniform(-0.05, 0.5) + fat * 0.4, fat * 0.6 + r * rng.uniform(0.4, 1)]
    snout = r * rng.uniform(0.1, 0.9)
    limbs = [
        Limb(tuple(rump), tuple(chest), fat * rng.uniform(0.8, 1.1), fat),
        Limb(tuple(chest), tuple(head), fat * 0.7, r * 0.6),
        Limb(tuple(head), tuple(head), r, r),
        Limb(tuple(head), tuple(head + [0, -r * 0.25, r * 0.5 + snout]), r * 0.6, r * rng.uniform(0.25, 0.45)),
    ]
    stride = rng.normal(0, 0.06, 4)
    for n, (s, end) in enumerate(((-1, chest), (1, chest), (-1, rump), (1, rump))):
        top = end + [s * fat * 0.55, 0, 0]
        knee = np.array([top[0] + s * 0.01, leg * 0.5, top[2] + 0.04 * (1 if n < 2 else -1)])
        foot = np.array([top[0], thick * 0.6, top[2] + stride[n]])
        limbs += [
            Limb(tuple(top), tuple(knee), thick * 1.5, thick),
            Limb(tuple(knee), tuple(foot), thick, thick * 0.85),
            Limb(tuple(foot), tuple(foot + [0, 0, thick]), thick * 0.8, thick * 0.7),
        ]
    tail = smooth(
        rump
        + np.array(
            [
                [0, 0.02, -fat * 0.8],
                [rng.normal(0, 0.1), rng.uniform(-0.15, 0.2), -fat - 0.12],
                [rng.normal(0, 0.2), rng.uniform(-0.3, 0.4), -fat - rng.uniform(0.1, 0.4)],
            ]
        ),
        7,
    )
    thin = rng.uniform(0.012, 0.07)
    limbs += [Limb(tuple(a), tuple(b), thin, thin * 0.9) for a, b in zip(tail[:-1], tail[1:])]
    hide = _hide(rng, color)
    parts = [blend(limbs, fat * rng.uniform(0.08, 0.25), hide)]
    parts += _face(rng, head, r, color, snout)
    parts += _ears(rng, head, r, hide if rng.random() < 0.7 else plain(near(color, rng, 0.3)))
    if rng.random() < 0.12:  # a shell
        parts.append(
            ellipsoid((fat * 1.4, fat * rng.uniform(0.8, 1.2), length * 0.75), random_material(rng, 0.5)).at(
                0, leg + fat * 0.9, 0
            )
        )
    turn = about("y", rng.choice([0, rng.uniform(-110, 110)]))
    return [p.turned(turn) for p in parts]


def _sitting(rng: np.random.Generator) -> list[Part]:
    """A plush animal that sits up."""
    color = random_color(rng)
    fat, tall, r = rng.uniform(0.2, 0.32), rng.uniform(0.2, 0.4), rng.uniform(0.18, 0.36)
    head = np.array([0, fat + tall + r * 0.7, 0.03])
    snout = r * rng.uniform(0.05, 0.5)
    limbs = [
        Limb((0, fat * 0.95, 0), (0, fat + tall * 0.7, 0), fat, fat * rng.uniform(0.6, 0.9)),
        Limb(tuple(head), tuple(head), r, r, (rng.uniform(1, 1.2), 1, 1)),
        Limb(tuple(head), tuple(head + [0, -r * 0.3, r * 0.5 + snout]), r * 0.5, r * 0.4),
    ]
    thick = fat * rng.uniform(0.25, 0.45)
    for s in (-1, 1):
        limbs.append(
            Limb(
                (s * fat * 0.6, thick, 0.05),
                (s * fat * rng.uniform(0.8, 1.2), thick, fat + rng.uniform(0, 0.25)),
                thick * 1.2,
                thick,
            )
        )
        limbs.append(
            Limb(
                (s * fat * 0.8, fat + tall * 0.6, 0.03),
                (s * fat * rng.uniform(0.6, 1.4), fat * rng.uniform(0.8, 1.6), fat * rng.uniform(0.5, 1.2)),
                thick * 0.9,
                thick * 0.8,
            )
        )
    if rng.random() < 0.6:
        side = rng.choice([-1, 1])
        tail = smooth(
            np.array(
                [[0, 0.08, -fat], [side * fat, 0.1, -fat * 1.2], [side * fat * 1.6, rng.uniform(0.1, 0.5), -fat * 0.6]]
            ),
            7,
        )
        limbs += [Limb(tuple(a), tuple(b), 0.06, 0.06) for a, b in zip(tail[:-1], tail[1:])]
    hide = _hide(rng, color)
    parts = [
        blend(limbs, fat * rng.uniform(0.06, 0.2), hide),
        *_face(rng, head, r, color, snout),
        *_ears(rng, head, r, hide),
    ]
    if rng.random() < 0.5:
        parts.append(ellipsoid((fat * 0.7, fat * 0.9, fat * 0.4), plain(near(color, rng, 0.35))).at(0, fat, fat * 0.68))
    return parts


def _bird(rng: np.random.Generator) -> list[Part]:
    color = random_color(rng)
    fat, lean = rng.uniform(0.16, 0.28), rng.uniform(0, 0.4)
    body = np.array([0, 0.45, 0])
    head = body + [0, fat * rng.uniform(1.1, 2.4), fat * rng.uniform(0.5, 1.2)]
    r = fat * rng.uniform(0.5, 0.8)
    hide = _hide(rng, color)
    limbs = [
        Limb(tuple(body + [0, -lean * 0.2, -lean * fat]), tuple(body + [0, lean * 0.3, lean * fat]), fat * 0.9, fat),
        Limb(tuple(head), tuple(head), r, r),
        Limb(tuple(body + [0, fat * 0.5, fat * 0.4]), tuple(head), fat * 0.6, r * 0.7),
    ]
    parts = [blend(limbs, fat * 0.2, hide), *_face(rng, head, r, color, 0)]
    beak = cylinder(
        r * rng.uniform(0.15, 0.35), r * rng.uniform(0.5, 1.6), plain(near(np.array([0.9, 0.6, 0.1]), rng)), top=0.05
    )
    parts.append(beak.turned(about("x", 90 + rng.uniform(-5, 20))).at(*(head + [0, -r * 0.1, r * 0.8])))
    wing = plain(near(color, rng, 0.3)) if rng.random() < 0.6 else hide
    spread, size = rng.choice([8, rng.uniform(40, 85)]), fat * rng.uniform(1.2, 2.2)
    for s in (-1, 1):
        feather = ellipsoid((0.035, size, fat * 0.65), wing, segments=20).at(0, -size * 0.7, 0).turned(about("x", 35))
        parts.append(feather.turned(about("z", s * spread)).at(*(body + [s * fat * 0.85, fat * 0.4, 0])))
        foot = body + [s * fat * 0.4, -0.43, 0.05]
        parts.append(
            tube(np.stack([body + [s * fat * 0.4, -fat * 0.7, 0], foot]), 0.018, plain(np.array([0.8, 0.5, 0.15])), 8)
        )
        parts.append(
            box((0.1, 0.03, 0.14), plain(np.array([0.8, 0.5, 0.15])), rounding=0.012).at(*(foot + [0, 0, 0.03]))
        )
    tail = box((fat * 0.9, 0.03, fat * 1.8), wing, rounding=0.012).turned(about("x", rng.uniform(-40, 30)))
    parts.append(tail.at(*(body + [0, -lean * 0.2, -fat * 1.5])))
    if rng.random() < 0.35:
        parts.append(cylinder(fat * rng.uniform(1.0, 1.5), 0.08, random_material(rng, 0.4), bevel=0.02).at(0, -0.05, 0))
    return parts


def _fish(rng: np.random.Generator) -> list[Part]:
    """Fish, whale, submarine: a spindle along x or z with fins."""
    color = random_color(rng)
    length, tall, wide = 1.0, rng.uniform(0.14, 0.35), rng.uniform(0.06, 0.25)
    t = np.linspace(0, 1, 26)
    shape = np.sin(np.pi * np.clip(t, 0, 1) ** rng.uniform(0.5, 0.9)) ** 0.8 * (1 - 0.75 * t**3) + 0.02
    sway = rng.normal(0, 0.06)
    path = np.stack([sway * np.sin(2 * np.pi * t), 0 * t, length * (0.5 - t)], -1)
    hide = _hide(rng, color)
    ring = np.stack([np.cos(2 * np.pi * np.arange(20) / 20), np.sin(2 * np.pi * np.arange(20) / 20)], -1)
    # The path starts along -z, so the section's first axis is x.
    body = sweep(path, ring, hide, scale=np.stack([wide * shape, tall * shape], -1))
    parts, fin = [body], plain(near(color, rng, 0.35))
    tail = np.array([[0.02, 0], [0.22, 0.24], [0.15, 0], [0.2, -0.24]]) * rng.uniform(0.6, 1.2)
    parts.append(
        prism(tail - [0.1, 0], 0.02, fin).at(0, -0.01, 0).turned(about("y", 90) @ about("x", 90)).at(0, 0, -0.58)
    )
    for high in (0.8, -0.8):
        if rng.random() < 0.7:
            parts.append(
                ellipsoid((0.015, tall * 0.6, rng.uniform(0.1, 0.25)), fin, segments=16).at(
                    0, tall * high, rng.uniform(-0.1, 0.1)
                )
            )
    for s in (-1, 1):
        parts.append(
            ellipsoid((0.012, 0.05, 0.14), fin, segments=14)
            .turned(about("y", s * 40))
            .at(s * wide * 0.95, -tall * 0.3, 0.12)
        )
        eye = rng.uniform(0.02, 0.05)
        parts.append(ellipsoid((eye,) * 3, plain(np.full(3, 0.95)), segments=12).at(s * wide * 0.62, tall * 0.2, 0.36))
        parts.append(
            ellipsoid((eye * 0.6,) * 3, plain(np.full(3, 0.05)), segments=12).at(
                s * (wide * 0.62 + eye * 0.6), tall * 0.2, 0.37
            )
        )
    turn = about("y", rng.choice([0, 1, -1]) * rng.uniform(40, 140))
    return [p.turned(turn) for p in parts]


def _insect(rng: np.random.Generator) -> list[Part]:
    """Beetle, ant, spider, crab."""
    color = random_color(rng)
    shell, dark = _hide(rng, color), plain(near(color * 0.5, rng))
    count, r = int(rng.integers(2, 4)), rng.uniform(0.12, 0.25)
    parts, z = [], 0.0
    for i in range(count):
        size = r * rng.uniform(0.6, 1.2)
        parts.append(ellipsoid((size, size * rng.uniform(0.6, 1), size * rng.uniform(0.9, 1.5)), shell).at(0, 0.25, z))
        if i == 0:
            parts += _face(rng, np.array([0, 0.25, z]), size, color, 0)
        z -= size * 1.4
    pairs = int(rng.choice([3, 4]))
    for i in range(pairs):
        for s in (-1, 1):
            fan = (i - (pairs - 1) / 2) * 0.45
            out = np.array([s * np.cos(fan), 0, -np.sin(fan)])
            hip = np.array([0, 0.22, z / 2 + 0.1 - 0.1 * i])
            knee, foot = (
                hip + out * (r + 0.15) + [0, rng.uniform(0.05, 0.25), 0],
                hip + out * (r + rng.uniform(0.25, 0.5)) + [0, -0.22, 0],
            )
            parts.append(tube(smooth(np.stack([hip, knee, foot]), 9), np.linspace(0.03, 0.012, 9), dark, 8))
    if rng.random() < 0.4:
        for s in (-1, 1):
            parts.append(
                ellipsoid((0.28, 0.01, 0.12), random_material(rng, 0.4), segments=18)
                .turned(about("z", s * 25))
                .at(s * 0.26, 0.42, -0.1)
            )
    return parts
