"""The records refuse what does not fit and cannot be changed."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from zero123pp.cameras import orbit_camera
from zero123pp.errors import BadInput
from zero123pp.recon.field import Field
from zero123pp.types import Camera, Cutout, Mesh, MultiView, TexturedMesh, View

pytestmark = pytest.mark.quick

CAMERA = orbit_camera(0, 0, 2, 30, 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Camera(np.eye(3), 1, 1, 1, 1, 2, 2), r"\(3, 3\)"),
        (lambda: Camera(2 * np.eye(4), 1, 1, 1, 1, 2, 2), "rigid"),
        (lambda: Camera(np.eye(4), 0, 1, 1, 1, 2, 2), "positive"),
        (lambda: Cutout(np.zeros((4, 5, 4), np.uint8)), "5x4"),
        (lambda: View(np.zeros((4, 5, 3)), np.zeros((4, 4)), CAMERA), r"\(4, 5, 3\)"),
        (lambda: MultiView((), "none"), "at least one"),
        (lambda: Mesh(np.zeros((2, 3)), np.array([[0, 1, 2]])), r"0\.\.2"),
        (lambda: Mesh(np.zeros((3, 3)), np.array([[0, 1, 2.0]])), "float64"),
    ],
)
def test_records_name_what_is_wrong(make, message):
    with pytest.raises(BadInput, match=message):
        make()


def test_records_are_read_only_and_pickle():
    view = View(np.zeros((4, 4, 3)), np.ones((4, 4)), CAMERA)
    with pytest.raises(ValueError):
        view.alpha[0, 0] = 0.5
    again = pickle.loads(pickle.dumps(view))
    np.testing.assert_array_equal(again.camera.world_from_cam, CAMERA.world_from_cam)
    assert again.rgb.dtype == np.float32


def _records():
    """One of each, with everything in it."""
    camera = Camera(np.eye(4), 10.0, 10.0, 2.0, 2.0, 4, 4)
    picture, plane = np.full((4, 4, 3), 0.5, np.float32), np.full((4, 4), 0.25, np.float32)
    view = View(picture, plane, camera, depth=plane, normal=picture)
    mesh = Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32), np.full((3, 3), 7, np.uint8))
    texels = np.full((2, 2, 3), 9, np.uint8)
    textured = TexturedMesh(mesh, np.zeros((3, 2), np.float32), texels, mesh.vertices, texels[..., 0])
    sheet = np.full((6, 4, 3), 3, np.uint8)
    return [
        camera, Cutout(np.full((4, 4, 4), 5, np.uint8)), view, MultiView([view], "test", sheet=sheet), mesh, textured,
        Field(np.zeros((2, 2, 2), np.float32), np.zeros((2, 2, 2, 3), np.float32), 0.5),
    ]  # fmt: skip


def _arrays(record):
    """Name and array of all that a record holds."""
    return [(each.name, value) for each in dataclasses.fields(record)
            if isinstance(value := getattr(record, each.name), np.ndarray)]  # fmt: skip


@pytest.mark.parametrize("kind", range(len(_records())))
def test_records_are_equal_by_content(kind):
    one, other = _records()[kind], _records()[kind]
    assert (one == other) is True and (one != other) is False and one in [other]
    assert (one == "something else") is False
    for name, array in _arrays(one):
        changed = array.copy()
        changed.flat[-1] -= 1
        if not (isinstance(one, Camera) or name == "faces"):  # those would be refused
            assert (one == dataclasses.replace(one, **{name: changed})) is False
    with pytest.raises(TypeError, match=f"unhashable type: '{type(one).__name__}'"):
        hash(one)


def test_records_differ_by_type_shape_and_numbers():
    mesh = _records()[4]
    assert mesh != dataclasses.replace(mesh, colors=None) and dataclasses.replace(mesh, colors=None) != mesh
    assert mesh != dataclasses.replace(mesh, faces=np.zeros((0, 3), int))
    nowhere = dataclasses.replace(mesh, vertices=np.full((3, 3), np.nan))
    assert nowhere == dataclasses.replace(mesh, vertices=np.full((3, 3), np.nan)) and nowhere != mesh
    view = _records()[2]
    assert view != dataclasses.replace(view, confidence=0.5)
    assert view != dataclasses.replace(view, camera=dataclasses.replace(view.camera, fx=11.0))
    assert MultiView([view], "a") != MultiView([view, view], "a") and MultiView([view], "a") == MultiView((view,), "a")


@pytest.mark.parametrize("given", ["array", "read-only view", "part of a larger array", "tensor"])
def test_what_a_caller_changes_later_does_not_reach_a_record(given):
    mine = np.zeros((6, 3), np.float32)
    value = mine
    if given == "read-only view":
        value = mine.view()
        value.flags.writeable = False
    elif given == "part of a larger array":
        value = mine[1:]
    elif given == "tensor":
        value = pytest.importorskip("torch").from_numpy(mine)
    mesh = Mesh(value, [[0, 1, 2]])
    mine[:] = 1
    assert not mesh.vertices.any()
    mine[:] = 2  # the caller's own array stays writeable


def test_every_array_of_a_record_is_its_own_and_read_only():
    for record in _records():
        for name, array in _arrays(record):
            mine = array.copy()
            again = dataclasses.replace(record, **{name: mine})
            mine[...] = 1
            assert np.array_equal(getattr(again, name), array), f"{type(record).__name__}.{name}"
            assert not getattr(again, name).flags.writeable


def test_records_share_what_cannot_change():
    mesh = _records()[4]
    assert np.shares_memory(mesh.with_vertices(mesh.vertices + 1).faces, mesh.faces)
    from_bytes = np.frombuffer(bytes(36), np.float32).reshape(3, 3)
    assert np.shares_memory(Mesh(from_bytes, mesh.faces).vertices, from_bytes)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda record: pickle.loads(pickle.dumps(record))])
def test_copies_are_equal_and_read_only_too(again):
    for record in _records():
        copied = again(record)
        assert copied == record
        assert not any(array.flags.writeable for _, array in _arrays(copied))
