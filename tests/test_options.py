"""Tables of options: what a value may be, what goes together, in whose words it is said."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from zero123pp.errors import BadInput
from zero123pp.options import (
    MESH,
    SWITCH,
    TEXT,
    check_together,
    check_values,
    choice,
    flag,
    given_of,
    number,
    option,
    options_of,
    record_from,
    whole,
)
from zero123pp.types import Mesh


@dataclass(frozen=True)
class Cake:
    """Given to the baker, early."""

    layers: int = option(1, "how many", whole(1, 9))
    icing: str = option("none", "what is on it", choice("none", "sugar", "cream"))
    pipe_size: float | None = option(None, "of the nozzle", number(0.5, 3), needs=("icing",))
    plate: str | None = option(None, "below", TEXT, instead="the support")
    bare_table: bool = option(False, "below", SWITCH, instead="the support")


@dataclass(frozen=True)
class Guest:
    """Given at the door, late."""

    hungry: bool = option(False, "or not", SWITCH)


TABLE = options_of(Cake)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layers": 0}, "--layers is 0; expected a whole number from 1 to 9"),
        ({"layers": True}, "--layers is True"),
        ({"layers": 2.0}, "--layers is 2.0"),
        ({"layers": None}, "--layers is None"),
        ({"pipe_size": float("nan")}, "--pipe-size is nan; expected a number from 0.5 to 3"),
        ({"pipe_size": [1]}, "--pipe-size is a list"),
        ({"icing": "jam"}, "--icing is 'jam'; expected one of none, sugar, cream"),
        ({"plate": " "}, "--plate is empty; expected a text"),
        ({"bare_table": 1}, "--bare-table is 1; expected True or False"),
    ],
)
def test_wrong_values_are_named_in_the_users_words(values, message):
    with pytest.raises(BadInput, match=f"^{message}"):
        check_values(values, TABLE, flag)


def test_right_values_pass():
    check_values({"layers": np.int64(3), "icing": "cream", "pipe_size": np.float32(2), "plate": "china"}, TABLE)
    check_values(Cake(), TABLE)


def test_what_an_option_needs_and_excludes():
    with pytest.raises(BadInput, match=r"^pipe_size belongs to icing, which is missing$"):
        check_together({"pipe_size"}, TABLE)
    check_together({"pipe_size", "icing"}, TABLE)
    check_together({"pipe_size"}, [each for each in TABLE if each.name != "icing"])  # for others to see
    with pytest.raises(BadInput, match=r"^--plate and --bare-table given together; the support can come from one"):
        check_together({"plate", "bare_table"}, TABLE, flag)


def test_given_is_what_is_not_the_default():
    assert given_of({"layers": 1, "icing": "cream", "plate": None, "bare_table": True}, Cake) == {
        "icing": "cream",
        "bare_table": True,
    }


def test_unknown_names_are_told_from_near_ones_and_from_those_of_elsewhere():
    assert record_from(Cake, {"layers": 3}).layers == 3
    with pytest.raises(BadInput, match=r"unknown option 'layer'; did you mean layers\?"):
        record_from(Cake, {"layer": 3})
    with pytest.raises(BadInput, match="unknown option 'zzz'; known are bare_table, icing"):
        record_from(Cake, {"zzz": 3})
    with pytest.raises(BadInput, match="hungry is given at the door, not here"):
        record_from(Cake, {"hungry": True}, Guest)


def test_meshes():
    mesh = Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]]))
    assert all(MESH.fits(value) for value in ("a.obj", Path("a.obj"), mesh, [mesh, mesh]))
    assert not any(MESH.fits(value) for value in (5, np.zeros(3), ["a.obj"], [], " "))
