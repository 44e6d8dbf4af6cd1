"""Symmetry is found where it is, refused where it is not, and completes what the picture hides."""

import numpy as np
import pytest
from seen_by_network import Answers, ball, disc

from zero123pp.recon.prior.one_view.guess import Wishes, one_view_solid
from zero123pp.recon.prior.one_view.solid import SolidConfig

SMALL = SolidConfig(rays=64)


def flat_behind(u, v):
    """A ball whose back the network has not seen: it is cut off in the middle."""
    front, out, into, back = ball(u, v)
    return front, out, into, 0 * back + 0.1


def lopsided(u, v):
    """Left and right are at different depths, whichever way it is turned."""
    front, out, into, back = ball(u, v)
    wave = 0.35 * np.sin(5 * u + 1 + 2 * v)
    return front + wave, out, into, back + wave + 0.8


def _depth(solid) -> float:
    size = np.ptp(solid.mesh.vertices, axis=0)
    return float(size[2] / size[0])


def test_a_lathed_thing_gets_its_hidden_half():
    halved = one_view_solid(disc(), Answers(flat_behind, elevation=0), SMALL, Wishes(symmetry="off"))
    whole = one_view_solid(disc(), Answers(flat_behind, elevation=0), SMALL, Wishes(symmetry="auto"))
    assert whole.symmetry == "lathe" and halved.symmetry == "none"
    assert _depth(halved) < 0.65 and _depth(whole) == pytest.approx(1, abs=0.12)


def test_what_is_not_symmetric_stays_so():
    assert one_view_solid(disc(), Answers(lopsided, elevation=0), SMALL, Wishes(symmetry="auto")).symmetry == "none"


def test_a_mirror_makes_both_sides_alike():
    """The right half of the back is missing; the left one is not."""

    def half_seen(u, v):
        front, out, into, back = ball(u, v)
        return front, out, into, np.where(u > 0, 0.05, back)

    def unlike(solid) -> float:
        from scipy.spatial import cKDTree

        points = solid.mesh.vertices
        return float(cKDTree(points).query(points * [-1, 1, 1])[0].mean())

    off, mirror = (
        one_view_solid(disc(), Answers(half_seen, elevation=0), SMALL, Wishes(symmetry=wish))
        for wish in ("off", "mirror")
    )
    assert mirror.symmetry == "mirror"
    assert unlike(mirror) < 0.5 * unlike(off)
