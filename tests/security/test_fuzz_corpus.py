"""The fuzz targets over their corpus, and over random changes of it: the part of fuzzing that every test run can do."""

import random

import pytest
from fuzz_inputs import CORPUS, TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SEEDS = {name: sorted((CORPUS / name).iterdir()) for name in TARGETS}


@pytest.mark.parametrize("path", [path for paths in SEEDS.values() for path in paths], ids=lambda path: path.name)
def test_corpus(path):
    said = TARGETS[path.parent.name](path.read_bytes())
    refused = ("cut", "text", "empty", "bomb", "text_bomb", "unknown")
    if path.parent.name == "pictures" or path.stem == "unknown":
        assert (said != "read") == (path.stem in refused), said


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_changed_corpus(target, seed):
    chance = random.Random(seed)
    data = bytearray(chance.choice(SEEDS[target]).read_bytes())
    for _ in range(chance.randint(1, 6)):
        if not data:
            break
        at = chance.randrange(len(data))
        change = chance.choice(("byte", "cut", "repeat", "insert"))
        if change == "byte":
            data[at] = chance.randrange(256)
        elif change == "cut":
            del data[at : at + chance.randint(1, 40)]
        elif change == "repeat":
            data[at:at] = data[at : at + chance.randint(1, 200)]
        else:
            data[at:at] = chance.choice((b"\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b'"', b",", b"../", b"\r\n"))
    TARGETS[target](bytes(data))


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_no_picture(data):
    assert TARGETS["pictures"](data) != "read"


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes_as_a_list(data):
    TARGETS["lists"](data)
