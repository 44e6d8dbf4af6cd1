"""The generator of objects: closed, outward, repeatable."""

import numpy as np
import pytest

from zero123pp.render.procedural import KINDS, object_of, random_object
from zero123pp.render.procedural.blobs import Limb, blend
from zero123pp.render.procedural.booleans import NoSolid, refined, subtract
from zero123pp.render.procedural.curves import circle, polygon
from zero123pp.render.procedural.materials import plain, random_material
from zero123pp.render.procedural.solids import (
    Part,
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

WHITE = plain(np.ones(3))


def volume(part: Part) -> float:
    k = part.vertices[part.faces]
    return float(np.einsum("ij,ij->", k[:, 0], np.cross(k[:, 1], k[:, 2])) / 6)


def is_closed(part: Part) -> bool:
    """Every edge is run through once in each direction."""
    edges = np.concatenate([part.faces[:, [0, 1]], part.faces[:, [1, 2]], part.faces[:, [2, 0]]])
    there = {tuple(e) for e in edges}
    return len(there) == len(edges) and all((b, a) in there for a, b in there)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (box((1, 2, 3), WHITE), 6.0),
        (box((1, 2, 3), WHITE, rounding=0.2), 5.8),
        (ellipsoid((1, 1, 1), WHITE, segments=48), 4 / 3 * np.pi),
        (cylinder(1, 1, WHITE), np.pi),
        (cylinder(1, 1, WHITE, top=0), np.pi / 3),
        (torus(1, 0.2, WHITE), 2 * np.pi**2 * 0.04),
        (prism(polygon(6), 1, WHITE), 1.5 * 3**0.5),
        (tube([[0, 0, 0], [0, 1, 0], [0, 2, 0]], 0.1, WHITE, 32), 2 * np.pi * 0.01),
        (tube(np.column_stack([circle(40), np.zeros(40)]), 0.1, WHITE, closed=True), 2 * np.pi**2 * 0.01),
        (lathe(np.array([[0, 0], [1, 0], [1, 1], [0, 1]]), WHITE), np.pi),
        (blend([Limb((0, 0, 0), (0, 0, 0), 0.5, 0.5)], 0.02, WHITE), 4 / 3 * np.pi * 0.125),
    ],
)
def test_solids_are_closed_and_have_the_volume_of_their_formula(part, expected):
    assert is_closed(part)
    assert volume(part) == pytest.approx(expected, rel=0.06)
    assert volume(part.mirrored()) == pytest.approx(volume(part))


def test_a_hole_takes_its_volume_away_and_keeps_the_texture_in_place():
    cube = box((2, 2, 2), WHITE)
    cut = subtract(cube, box((1, 1, 4), WHITE))
    assert volume(cut) == pytest.approx(8 - 2, rel=1e-4)
    outer = np.abs(cut.vertices).max(1) > 0.99
    assert np.allclose(cut.rest[outer], cut.vertices[outer], atol=1e-5)
    assert volume(refined(cut, 0.3)) == pytest.approx(6, rel=1e-3)


def test_a_sweep_twists_without_turning_inside_out():
    t = np.linspace(0, 1, 40)
    path = np.stack([np.sin(3 * t), 2 * t, np.cos(3 * t)], -1)
    part = sweep(path, np.array([[0.1, 0], [0, 0.05], [-0.1, 0], [0, -0.05]]), WHITE, twist_deg=300, round_ends=True)
    assert is_closed(part) and volume(part) > 0


def test_turned_to_brings_up_to_a_direction():
    for direction in np.random.default_rng(0).normal(size=(20, 3)):
        assert np.allclose(turned_to(direction) @ [0, 1, 0], direction / np.linalg.norm(direction))
    assert np.allclose(turned_to([0, -1, 0]) @ [0, 1, 0], [0, -1, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_objects_of_every_kind_are_whole_and_painted(kind):
    for seed in range(6):
        made = object_of(kind, np.random.default_rng(seed))
        assert np.isfinite(made.vertices).all() and made.faces.max() < len(made.vertices)
        face = np.arange(0, len(made.faces), 7)
        rgb = made.paint(face, np.full((len(face), 3), 1 / 3, np.float32), made.vertices[made.faces[face]].mean(1))
        assert rgb.shape == (len(face), 3) and rgb.min() >= 0 and rgb.max() <= 255


def test_what_cuts_itself_away_is_drawn_again(monkeypatch):
    drawn = []

    def swallowed_twice(rng):
        drawn.append(rng.random())
        hole = 3.0 if len(drawn) < 3 else 0.2
        return [subtract(box((1, 1, 1), plain((0.5, 0.5, 0.5))), box((hole, hole, hole), plain((0, 0, 0))))]

    monkeypatch.setitem(KINDS, "block", (swallowed_twice, 0.1))
    assert len(object_of("block", np.random.default_rng(3)).faces) and len(set(drawn)) == 3


def test_a_generator_that_never_leaves_a_solid_is_told(monkeypatch):
    def swallowed(rng):
        return [subtract(box((1, 1, 1), plain((0.5, 0.5, 0.5))), box((3, 3, 3), plain((0, 0, 0))))]

    monkeypatch.setitem(KINDS, "block", (swallowed, 0.1))
    with pytest.raises(NoSolid, match="nothing is left"):
        object_of("block", np.random.default_rng(3))


def test_the_same_seed_gives_the_same_object():
    a, b = (random_object(np.random.default_rng(4)) for _ in range(2))
    assert a.kind == b.kind and np.array_equal(a.vertices, b.vertices) and np.array_equal(a.faces, b.faces)


def test_materials_stay_in_range():
    points = np.random.default_rng(1).normal(size=(500, 3))
    for seed in range(60):
        rgb = random_material(np.random.default_rng(seed))(points)
        assert rgb.shape == (500, 3) and np.isfinite(rgb).all()
