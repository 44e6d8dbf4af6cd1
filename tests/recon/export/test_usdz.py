"""USDZ: Pixar's validators find nothing, and the scene says what readers go by."""

import zipfile

import numpy as np
import pytest
from shapes import icosphere

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.recon.export import FileOptions, check_target, save
from zero123pp.recon.texturing import with_normal_map
from zero123pp.types import Mesh, TexturedMesh

pytestmark = pytest.mark.quick


def ball() -> TexturedMesh:
    mesh = icosphere(2)
    return TexturedMesh(mesh, mesh.vertices[:, :2] + 0.5, np.full((32, 32, 3), 90, np.uint8))


def colored() -> Mesh:
    mesh = icosphere(2)
    return Mesh(mesh.vertices, mesh.faces, np.full(mesh.vertices.shape, 200, np.uint8))


ASSETS = {"textured": ball, "colored": colored, "bare": lambda: icosphere(1), "mapped": lambda: with_normal_map(
    ball(), icosphere(3), 32)}  # fmt: skip


@pytest.mark.parametrize("kind", ASSETS)
@pytest.mark.parametrize("texture_format", ["jpeg", "png"])
def test_the_validators_of_usd_find_nothing(tmp_path, kind, texture_format):
    Usd = pytest.importorskip("pxr.Usd", reason="the extra usd")
    from pxr import UsdGeom, UsdValidation

    options = FileOptions(texture_format=None if kind in ("colored", "bare") else texture_format, name="a ball, 2")
    save(ASSETS[kind](), tmp_path / "a.usdz", extras={"licence": "CC0", "seed": 3}, options=options)
    stage = Usd.Stage.Open(str(tmp_path / "a.usdz"))
    registry = UsdValidation.ValidationRegistry()
    validators = registry.GetOrLoadAllValidators()
    assert len(validators) > 10
    found = UsdValidation.ValidationContext(validators).Validate(stage)
    assert [(each.GetName(), each.GetMessage()) for each in found] == []
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert stage.GetDefaultPrim().GetDisplayName() == "a ball, 2"
    assert stage.GetRootLayer().customLayerData == {"licence": "CC0", "seed": "3"}
    materials = [prim for prim in stage.Traverse() if prim.GetTypeName() == "Shader"]
    assert len(materials) == {"textured": 3, "mapped": 4}.get(kind, 0)


def test_files_in_the_package_are_stored_at_multiples_of_64_bytes_and_equal_input_gives_equal_bytes(tmp_path):
    pytest.importorskip("pxr", reason="the extra usd")
    for name in ("a.usdz", "b.usdz"):
        save(ASSETS["mapped"](), tmp_path / name)
    content = (tmp_path / "a.usdz").read_bytes()
    assert content == (tmp_path / "b.usdz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.usdz") as archive:
        entries = archive.infolist()
        assert [entry.filename for entry in entries] == ["scene.usdc", "textures/color.jpg", "textures/normal.jpg"]
        for entry in entries:
            begin = content.find(archive.read(entry))
            assert entry.compress_type == zipfile.ZIP_STORED and begin % 64 == 0


def test_what_cannot_be_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("pxr", reason="the extra usd")
    with pytest.raises(BadInput, match=r"--texture-format webp does not go with \.usdz"):
        check_target(tmp_path / "a.usdz", options=FileOptions(texture_format="webp"))
    with pytest.raises(BadInput, match=r"--axes z-up does not go with \.usdz"):
        check_target(tmp_path / "a.usdz", options=FileOptions(axes="z-up"))
    monkeypatch.setitem(__import__("sys").modules, "pxr", None)
    with pytest.raises(MissingBackend, match=r"zero123pp\[usd\]"):
        save(ball(), tmp_path / "a.usdz")
    assert not list(tmp_path.iterdir())
