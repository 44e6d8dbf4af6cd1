"""Origin, size, axes and units of files, as an independent reader finds them."""

import numpy as np
import pytest
import trimesh
from read_3mf import read_3mf
from read_usdz import read_usdz

from zero123pp.errors import BadInput
from zero123pp.recon.export import EXPORTERS, FileOptions, check_target, save
from zero123pp.recon.export.frame import FRAMES
from zero123pp.types import Mesh

pytestmark = pytest.mark.quick

OBJECTS = {
    "tall": ((0.1, 0.3, 0.2), (0.01, 0.02, 0.03)),
    "flat": ((0.9, 0.05, 0.4), (0, 0, 0)),
    "deep": ((0.2, 0.1, 0.7), (0, 0.4, 0)),
    "small": ((0.01, 0.02, 0.015), (-0.2, 0, 0.1)),
    "cube": ((1, 1, 1), (3, -2, 1)),
}


def box(kind):
    size, middle = OBJECTS[kind]
    solid = trimesh.creation.box(size)
    return Mesh(solid.vertices + np.array(middle), solid.faces, np.full((8, 3), 200, np.uint8))


def read(path):
    if path.suffix == ".3mf":
        vertices, faces, colors = read_3mf(path)
        assert (colors == 200).all()
        return trimesh.Trimesh(vertices, faces, process=False)
    if path.suffix == ".usdz":
        mesh = read_usdz(path)
        return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    return trimesh.load(path, force="mesh", process=False)


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("suffix", EXPORTERS)
def test_every_format_is_upright_and_of_its_size(tmp_path, kind, suffix):
    """In the axes and units that readers of the format take for granted, the object stands on its base."""
    if suffix == ".usdz":
        pytest.importorskip("pxr", reason="the extra usd")
    save(box(kind), tmp_path / f"a{suffix}", options=FileOptions(origin="base", size=0.5))
    found = read(tmp_path / f"a{suffix}")
    x, y, z = np.array(OBJECTS[kind][0]) * 0.5 / max(OBJECTS[kind][0]) * (1000 if FRAMES[suffix].units == "mm" else 1)
    z_up = FRAMES[suffix].axes == "z-up"
    assert found.extents == pytest.approx([x, z, y] if z_up else [x, y, z], rel=1e-5)
    up = 2 if z_up else 1
    level = np.delete(found.bounds.mean(0), up)
    assert found.bounds[0][up] == pytest.approx(0, abs=1e-5 * y) and level == pytest.approx(
        [0, 0], abs=1e-5 * max(x, z)
    )
    assert found.volume == pytest.approx(x * y * z, rel=1e-4)  # not inside out


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".stl"])
@pytest.mark.parametrize("axes", ["y-up", "z-up"])
@pytest.mark.parametrize("units", ["m", "mm"])
def test_axes_and_units_can_be_chosen(tmp_path, suffix, axes, units):
    factor = 1000 if units == "mm" else 1
    for kind, ((x, y, z), _) in OBJECTS.items():
        save(box(kind), tmp_path / f"a{suffix}", options=FileOptions(origin="center", axes=axes, units=units))
        found = read(tmp_path / f"a{suffix}")
        assert found.extents == pytest.approx(np.array([x, z, y] if axes == "z-up" else [x, y, z]) * factor, rel=1e-5)
        assert found.bounds.mean(0) == pytest.approx([0, 0, 0], abs=1e-5 * factor)


@pytest.mark.parametrize(
    ("suffix", "options", "words"),
    [
        (".glb", {"axes": "z-up"}, "--axes z-up does not go with .glb"),
        (".gltf", {"units": "mm"}, "--units mm does not go with .gltf"),
        (".3mf", {"units": "m"}, "--units m does not go with .3mf"),
        (".obj", {"texture_format": "webp"}, "--texture-format webp does not go with .obj"),
        (".stl", {"texture_format": "png"}, "--texture-format png does not go with .stl"),
    ],
)
def test_what_a_format_forbids_is_refused_before_any_work(tmp_path, suffix, options, words):
    with pytest.raises(BadInput, match=words):
        check_target(tmp_path / f"a{suffix}", options=FileOptions(**options))


@pytest.mark.parametrize(
    "options", [{"origin": "top"}, {"axes": "x-up"}, {"units": "inch"}, {"texture_format": "bmp"}, {"size": 0},
                {"size": float("nan")}, {"size": float("inf")}],
)  # fmt: skip
def test_unknown_options_are_refused(options):
    with pytest.raises(BadInput, match="expected"):
        FileOptions(**options)
