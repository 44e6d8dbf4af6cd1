"""Which picture shows which side."""

import pytest

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs.turnaround.sides import ordered

pytestmark = pytest.mark.quick


def test_names_tell_the_side_in_any_order():
    files = ["front.png", "right.png", "back.png", "a/left.png"]
    assert ordered(files, "turnaround4") == (files, ["front", "right", "back", "left"])
    assert ordered(["hero_rear.png", "hero-front.png", "hero side.png"], "turnaround3")[1] == ["back", "front", "left"]


def test_names_that_do_not_tell_are_in_the_order_of_the_rig():
    assert ordered(["1.png", "2.png"], "frontback")[1] == ["front", "back"]
    assert ordered(["front.png", "2.png"], "frontback")[1] == ["front", "back"]


@pytest.mark.parametrize(
    ("files", "rig", "said"),
    [
        (["a", "b", "c"], "turnaround4", "3 pictures given for turnaround4; expected 4: front, left, back, right"),
        (["front_a.png", "front_b.png"], "frontback", "two of the pictures are called front"),
        (["left.png", "right.png"], "frontback", "called left, right; frontback takes front, back"),
    ],
)
def test_other_sets_are_refused(files, rig, said):
    with pytest.raises(BadInput, match=said):
        ordered(files, rig)
