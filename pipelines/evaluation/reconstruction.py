"""Reconstruct known objects from their own views with the product's stages, and measure what comes out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal
from zlib import crc32

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, orbit_camera
from zero123pp.errors import StageFailed
from zero123pp.images import to_float, to_uint8
from zero123pp.pipelines.evaluation.degrade import Degradation
from zero123pp.pipelines.evaluation.ground_truth import ground_truth_views, true_view
from zero123pp.pipelines.evaluation.lit import Lighting, LitObject
from zero123pp.pipelines.evaluation.protocol import TrueObject, get_protocol, measure_topology
from zero123pp.pipelines.evaluation.report import Row
from zero123pp.pipelines.image_to_mesh import PipelineConfig
from zero123pp.pipelines.progress import Stages, peak_memory_mb, reset_peak_memory
from zero123pp.pipelines.reconstruct import Reconstruction, reconstruct
from zero123pp.recon.meshing import FILL, load_normalised, normalise
from zero123pp.recon.metrics import psnr
from zero123pp.recon.ops import premultiplied
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Cutout, Mesh, MultiView, Part, View

MAX_PICTURED = 40
"""Objects on a contact sheet at most."""

_PICTURE_PX = 176

PICTURE_PX = 512
"""Side of the picture of `Settings.with_picture`; about half of it is the object's."""
PICTURE_ELEVATION_DEG = 20.0
_PICTURE_FOV_DEG = 30.0


@dataclass(frozen=True)
class EvaluationSettings:
    """What is reconstructed from what."""

    config: PipelineConfig
    degradation: Degradation
    rig: str = "v1.2"
    tile_px: int = 320
    with_normals: bool = False
    with_depth: bool = False
    with_picture: bool = False
    """Hand over a picture as well, of `PICTURE_PX` a side, from azimuth 0 and elevation `PICTURE_ELEVATION_DEG`."""
    seed: int = 0
    protocol: str = "sphere"
    """A key of `zero123pp.pipelines.evaluation.protocol.PROTOCOLS`."""
    alignments: tuple[str, ...] = ("none",)
    """Keys of `zero123pp.recon.metrics.alignment.ALIGNMENTS`; numbers but of 'none' carry its name as suffix."""
    scale: float = 1.0
    """Size of the object before the cameras over its usual one; the results are measured at the usual one."""
    lighting: Lighting | None = None
    """Lights the objects, in the views as in the held-out pictures; None leaves the colours as painted."""
    light_fixed_to: Literal["object", "camera"] = "object"
    """What ``lighting`` keeps still to, see `Lighting.light`."""

    @property
    def label(self) -> str:
        """Short name of the views: 'clean', or for example 'warp3_gain0.05_normals'."""
        handed = {"normals": self.with_normals, "depth": self.with_depth, "picture": self.with_picture}
        given = [word for word, on in handed.items() if on]
        sized = [] if self.scale == 1 else [f"scale{self.scale:g}"]
        own = [] if self.protocol == "sphere" else [self.protocol]
        lit = [] if self.lighting is None else ["lit" if self.light_fixed_to == "object" else "lit-camera"]
        return "_".join([*lit, self.degradation.label, *given, *sized, *own])


@dataclass
class Reconstructions:
    """What came out, object by object."""

    rows: list[Row] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    pictures: list[list[np.ndarray]] = field(default_factory=list)
    """Tiles of `pictures_of` for the first `MAX_PICTURED` rows."""


def evaluate(
    meshes: Sequence[Path], settings: EvaluationSettings, log: Callable[[str], object] | None = None
) -> Reconstructions:
    """Reconstruct and measure every mesh, one after the other, after one warm-up that is not counted.

    Args:
        meshes: Mesh files, see `find_meshes`.
        settings: The views and the configuration of the stages.
        log: Called with a line of text after each object; None keeps silent.
    """
    results = Reconstructions()
    warm = False
    for path in meshes:
        name, parts = path.stem, load_normalised(path)
        picture = picture_of(parts) if settings.with_picture else None
        run = partial(_reconstructed, settings, picture)
        try:
            views, true_picture = views_of(name, parts, settings)
            if not warm:  # compiles kernels and fills caches
                run(views, Stages())
                warm = True
            stages = Stages()
            reset_peak_memory()
            done = run(views, stages)
        except StageFailed as error:
            results.failures[name] = str(error)
            continue
        peak = {"peak_mb": peak_memory_mb()}
        done = _resized(done, 1 / settings.scale)
        cameras = [_nearer(view.camera, settings.scale) for view in views.views]
        truth = TrueObject(parts, get_protocol(settings.protocol), views=cameras, picture=true_picture)
        row = {"object": name} | measure(done, truth, settings.alignments) | cost(stages) | peak
        if picture is not None:
            row |= measure_picture(done, picture)
        results.rows.append(row)
        if len(results.pictures) < MAX_PICTURED:
            results.pictures.append(pictures_of(parts, done))
        if log is not None:
            log(f"{name}: " + "  ".join(f"{key} {row[key]:.4g}" for key in headline(settings.protocol)) + "\n")
    return results


def _reconstructed(
    settings: EvaluationSettings, picture: View | None, views: MultiView, stages: Stages
) -> Reconstruction:
    cutout = None if picture is None else Cutout(to_uint8(np.dstack([picture.rgb, picture.alpha])))
    return reconstruct(views, settings.config, cutout=cutout, seed=settings.seed, stages=stages)


def picture_of(parts: Sequence[Part]) -> View:
    """What a picture of the object shows, with the camera that the stages are not told."""
    distance = OBJECT_RADIUS / np.sin(np.deg2rad(_PICTURE_FOV_DEG / 2))
    camera = orbit_camera(0, PICTURE_ELEVATION_DEG, distance, _PICTURE_FOV_DEG, PICTURE_PX)
    view = true_view(parts, camera)
    return replace(view, rgb=to_float(to_uint8(view.rgb)), alpha=to_float(to_uint8(view.alpha)))


def measure_picture(done: Reconstruction, picture: View) -> dict[str, float]:
    """Whether the picture was registered, its elevation's error in degrees, and the PSNR of what its camera sees."""
    said, shown = done.picture_report, true_view(done.textured, picture.camera)
    either = (shown.alpha > 0.5) | (picture.alpha > 0.5)
    return {
        "registered": float(said.get("used", False)),
        "elevation_error": abs(said["elevation_deg"] - PICTURE_ELEVATION_DEG) if said.get("used") else np.nan,
        "front_PSNR": psnr(premultiplied(shown)[either], premultiplied(picture)[either]),
    }


def headline(protocol: str) -> tuple[str, str, str]:
    """The columns that say most: distance, F-score at the protocol's own threshold, pictures."""
    return "CD", f"F{get_protocol(protocol).threshold:g}", "PSNR"


def _resized(done: Reconstruction, factor: float) -> Reconstruction:
    """The reconstruction scaled about the origin."""
    if factor == 1:
        return done
    textured = done.textured

    def resized(mesh: Mesh) -> Mesh:
        return mesh.with_vertices(mesh.vertices * factor)

    return replace(done, mesh=resized(done.mesh), textured=replace(textured, mesh=resized(textured.mesh)))


def _nearer(camera: Camera, factor: float) -> Camera:
    """The camera that sees an object as ``camera`` sees one that is ``factor`` times as large."""
    pose = np.array(camera.world_from_cam)
    pose[:3, 3] /= factor
    return replace(camera, world_from_cam=pose)


def views_of(
    name: str, parts: Sequence[Part], settings: EvaluationSettings
) -> tuple[MultiView, Callable[[Camera], View] | None]:
    """The views of one object that the stages get to see, and what held-out cameras truly see of it, lit alike.

    None for the latter stands for the unlit view.
    """
    if settings.scale != 1:
        parts = normalise(parts, settings.scale * FILL * OBJECT_RADIUS)
    pictures = held_out = None
    if settings.lighting is not None:
        rng = np.random.default_rng([settings.seed, crc32(name.encode())])
        light = settings.lighting.light(rng, settings.light_fixed_to)
        lit = LitObject(parts, light, get_rig(settings.rig).cameras(settings.tile_px))
        pictures = lit.metered

        def held_out(camera: Camera) -> View:
            return lit.view(_nearer(camera, 1 / settings.scale))

    views = ground_truth_views(
        parts,
        settings.rig,
        tile_px=settings.tile_px,
        degradation=settings.degradation,
        key=name,
        seed=settings.seed,
        with_normals=settings.with_normals,
        with_depth=settings.with_depth,
        pictures=pictures,
    )
    return views, held_out


def cost(stages: Stages) -> dict[str, float]:
    """Wall and processor seconds from views to the mesh before texturing, and of the texture."""
    result = {}
    for name, parts in (("fit", ("align", "fit", "mesh", "refine")), ("texture", ("register", "texture"))):
        result[f"{name}_wall"] = sum(stages.seconds.get(part, 0.0) for part in parts)
        result[f"{name}_cpu"] = sum(stages.cpu_seconds.get(part, 0.0) for part in parts)
    return result


def measure(done: Reconstruction, truth: TrueObject, alignments: Sequence[str] = ("none",)) -> dict[str, float]:
    """All numbers of one reconstruction: the surface from the cleaned mesh, the pictures from the textured one.

    The surface is measured without alignment, and again after each other alignment: CD_icp, F0.02_icp, ...
    """
    row = truth.measure_surface(done.mesh) | truth.measure_pictures(done.textured) | measure_topology(done.mesh)
    for align in alignments:
        if align != "none":
            row |= {f"{key}_{align}": value for key, value in truth.measure_surface(done.mesh, align).items()}
    return row


def pictures_of(parts: Sequence[Part], done: Reconstruction) -> list[np.ndarray]:
    """Truth and reconstruction from the front, the side and the back, then the normals of both from the front."""
    rig, tiles = get_rig("v1.2"), []
    for azimuth in (0, 90, 180):
        camera = orbit_camera(azimuth, 15, rig.distance, rig.fov_deg, _PICTURE_PX)
        for part in (parts, done.textured):
            view = true_view(part, camera)
            tiles.append(np.dstack([view.rgb, view.alpha]))
    camera = orbit_camera(0, 15, rig.distance, rig.fov_deg, _PICTURE_PX)
    for part in (parts, done.mesh):  # the mesh before texturing has no smooth normals that would hide bumps
        view = true_view(part, camera)
        tiles.append(np.dstack([(view.normal + 1) / 2, view.alpha]))
    return tiles
