"""Stored objects come back as they were; damage is told in one line."""

import numpy as np
import pytest
from balls_and_boxes import stored

from zero123pp.errors import BadInput

pytest.importorskip("trimesh")
pytestmark = pytest.mark.quick


def test_an_object_comes_back(tmp_path):
    store = stored(tmp_path)
    (kind, names), *_ = store.classes().items()
    solid = store.load(kind, names[0])
    assert kind == "kit" and len(names) == 4 and solid.vertices.shape == (8, 3) and solid.faces.shape == (12, 3)
    face, weights = np.arange(12), np.full((12, 3), 1 / 3)
    colours = solid.paint(face, weights)
    np.testing.assert_allclose(colours[4:], solid.paint.rgb[4:].mean(1), atol=0.1)
    assert len(list((tmp_path / "textures").glob("*.npy"))) == 4


def test_equal_textures_are_kept_once(tmp_path):
    store = stored(tmp_path)
    before = len(list((tmp_path / "textures").iterdir()))
    solid = store.load("kit", store.classes()["kit"][0])
    store.save("kit", "again", solid)
    assert len(list((tmp_path / "textures").iterdir())) == before


def test_two_writers_of_one_texture_do_not_hinder_each_other(tmp_path, monkeypatch):
    """As two shards do: the second begins and ends while the first one writes."""
    from zero123pp.train.one_view import SolidStore, store

    one, other = stored(tmp_path / "one"), SolidStore(tmp_path / "other")
    solid = one.load("kit", one.classes()["kit"][0])
    np_save, begun = np.save, []

    def save(file, texture):
        if not begun:
            begun.append(True)
            other.save("kit", "second", solid)
        np_save(file, texture)

    monkeypatch.setattr(store.np, "save", save)
    other.save("kit", "first", solid)
    for name in ("first", "second"):
        np.testing.assert_array_equal(other.load("kit", name).paint.textures[0], solid.paint.textures[0])


def test_damage_and_emptiness_are_told(tmp_path):
    from zero123pp.train.one_view import SolidStore

    with pytest.raises(BadInput, match="render solids"):
        SolidStore(tmp_path).classes()
    store = stored(tmp_path)
    name = store.classes()["kit"][0]
    store.path("kit", name).write_bytes(b"PK\x03\x04 not a store")
    with pytest.raises(BadInput, match=f"{name}.npz is damaged"):
        store.load("kit", name)
