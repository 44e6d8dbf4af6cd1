"""The network that comes with the package, as `preview` uses it."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from zero123pp.cameras import orbit_camera
from zero123pp.images import to_float, to_uint8
from zero123pp.pipelines.cutout import CutoutConfig, cut_out
from zero123pp.pipelines.evaluation.protocol import PROTOCOLS, TrueObject
from zero123pp.pipelines.evaluation.truth import turned
from zero123pp.pipelines.inputs.read_image import read_image
from zero123pp.pipelines.models.inflated import InflatedModel
from zero123pp.pipelines.models.loading import load_model
from zero123pp.pipelines.models.one_view import OneViewModel
from zero123pp.recon.fitting.fit import FitConfig, fit
from zero123pp.recon.meshing.clean import CleanConfig, clean
from zero123pp.recon.meshing.extract import extract
from zero123pp.recon.prior.one_view.maps import BUNDLED
from zero123pp.recon.render import render
from zero123pp.rigs import RIGS
from zero123pp.types import Cutout, Mesh

RIG = RIGS["v1.2"]


def _solid(shape: trimesh.Trimesh) -> Mesh:
    """In the sphere of the contract, painted by place."""
    vertices = np.asarray(shape.vertices - shape.bounds.mean(0))
    vertices = vertices * (0.45 / np.linalg.norm(vertices, axis=1).max())
    return Mesh(vertices.astype(np.float32), shape.faces.astype(np.int32), to_uint8(0.5 + vertices))


SOLIDS = {
    "crate": trimesh.creation.box((1, 0.8, 1)),
    "slab": trimesh.creation.box((1.6, 0.3, 1.2)),
    "drum": trimesh.creation.cylinder(
        0.5, 1.2, transform=trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0))
    ),
}


def _picture(mesh: Mesh, elevation_deg: float) -> Cutout:
    """Seen from azimuth 30, which becomes 0."""
    view = render(turned([mesh], 30), orbit_camera(0, elevation_deg, RIG.distance, RIG.fov_deg, 256))
    return cut_out(np.dstack([to_uint8(view.rgb), to_uint8(view.alpha)]), CutoutConfig())


def test_it_is_there_and_small() -> None:
    sizes = {path.name: path.stat().st_size for path in BUNDLED.parent.iterdir()}
    assert {"one_view.safetensors", "one_view.onnx", "README.md"} == set(sizes)
    assert sum(sizes.values()) <= 12e6


def test_preview_is_the_learned_one() -> None:
    assert isinstance(load_model("preview"), OneViewModel)


@pytest.mark.parametrize("elevation_deg", [0.0, 30.0])
def test_it_sees_how_high_the_camera_stands(elevation_deg: float) -> None:
    found = []
    for name in ("crate", "slab", "drum"):
        drawn = load_model("preview").generate(_picture(_solid(SOLIDS[name]), elevation_deg))
        forward = drawn.views[0].camera.world_from_cam[:3, 2]
        found.append(np.rad2deg(np.arcsin(-forward[1])))
    assert abs(np.mean(found) - elevation_deg) < 10


def test_solids_that_it_never_saw_come_nearer_than_inflated_ones() -> None:
    distance = {"preview": [], "inflated": []}
    config = FitConfig(weight_mask=10.0, levels=(32,))
    for name in ("crate", "slab"):
        mesh = _solid(SOLIDS[name])
        truth, cutout = TrueObject(turned([mesh], 30), PROTOCOLS["sphere"]), _picture(mesh, 20.0)
        for model in (load_model("preview"), InflatedModel()):
            drawn = model.generate(cutout)
            made = extract(fit(drawn, config)) if drawn.surface is None else drawn.surface
            distance[model.name].append(truth.measure_surface(clean(made, CleanConfig())[0])["CD"])
    assert np.mean(distance["preview"]) < 0.8 * np.mean(distance["inflated"])


def test_a_bear_has_no_face_on_its_back() -> None:
    cutout = cut_out(read_image(Path(__file__).parents[3] / "docs" / "toy.png"), CutoutConfig())
    rgba = to_float(cutout.rgba)
    surface = load_model("preview").generate(cutout).surface
    back = render(surface, orbit_camera(180, 0, RIG.distance, RIG.fov_deg, 128))
    darkest = [np.quantile(shown[alpha > 0.99].mean(-1), 0.02) for shown, alpha in (
        (back.rgb, back.alpha), (rgba[..., :3], rgba[..., 3])
    )]  # fmt: skip
    assert darkest[1] < 0.15 < 0.25 < darkest[0]  # the eyes and the nose are black
