"""Reconstruct known objects from their own views with the product's stages, and measure what comes out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zero123pp.cameras import orbit_camera
from zero123pp.errors import StageFailed
from zero123pp.pipelines.degrade import Degradation
from zero123pp.pipelines.eval_protocol import PROTOCOLS, Truth, measure_topology
from zero123pp.pipelines.eval_report import Row
from zero123pp.pipelines.ground_truth import Part, ground_truth_views, load_normalised, true_view
from zero123pp.pipelines.image_to_mesh import PipelineConfig
from zero123pp.pipelines.progress import Stages, peak_memory_mb
from zero123pp.pipelines.reconstruct import Reconstruction, reconstruct
from zero123pp.rigs import get_rig
from zero123pp.types import MultiView

MAX_PICTURED = 40
"""Objects on a contact sheet at most."""

_PICTURE_PX = 176


@dataclass(frozen=True)
class Settings:
    """What is reconstructed from what."""

    config: PipelineConfig
    degradation: Degradation
    rig: str = "v1.2"
    tile_px: int = 320
    with_normals: bool = False
    with_depth: bool = False
    seed: int = 0

    @property
    def label(self) -> str:
        """Short name of the views: 'clean', or for example 'warp3_gain0.05_normals'."""
        given = [word for word, on in (("normals", self.with_normals), ("depth", self.with_depth)) if on]
        return "_".join([self.degradation.label, *given])


@dataclass
class Results:
    """What came out, object by object."""

    rows: list[Row] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    pictures: list[list[np.ndarray]] = field(default_factory=list)
    """Tiles of `pictures_of` for the first `MAX_PICTURED` rows."""


def evaluate(meshes: Sequence[Path], settings: Settings, log: Callable[[str], object] | None = None) -> Results:
    """Reconstruct and measure every mesh, one after the other, after one warm-up that is not counted.

    Args:
        meshes: Mesh files, see `find_meshes`.
        settings: The views and the configuration of the stages.
        log: Called with a line of text after each object; None keeps silent.
    """
    results = Results()
    warm = False
    for path in meshes:
        name, parts = path.stem, load_normalised(path)
        try:
            if not warm:  # compiles kernels and fills caches
                reconstruct(views_of(name, parts, settings), settings.config, seed=settings.seed)
                warm = True
            views, stages = views_of(name, parts, settings), Stages()
            done = reconstruct(views, settings.config, seed=settings.seed, stages=stages)
        except StageFailed as error:
            results.failures[name] = str(error)
            continue
        peak = {"peak_mb": peak_memory_mb()}
        truth = Truth(parts, PROTOCOLS["sphere"])
        row = {"object": name} | measure(done, truth) | cost(stages) | peak
        results.rows.append(row)
        if len(results.pictures) < MAX_PICTURED:
            results.pictures.append(pictures_of(parts, done))
        if log is not None:
            log(f"{name}: CD {row['CD']:.4f}  F0.02 {row['F0.02']:.3f}  PSNR {row['PSNR']:.2f}\n")
    return results


def views_of(name: str, parts: Sequence[Part], settings: Settings) -> MultiView:
    """The views of one object that the stages get to see."""
    return ground_truth_views(
        parts,
        settings.rig,
        tile_px=settings.tile_px,
        degradation=settings.degradation,
        key=name,
        seed=settings.seed,
        with_normals=settings.with_normals,
        with_depth=settings.with_depth,
    )


def cost(stages: Stages) -> dict[str, float]:
    """Wall and processor seconds from views to cleaned mesh, and of the texture."""
    result = {}
    for name, parts in (("fit", ("fit", "mesh")), ("texture", ("texture",))):
        result[f"{name}_wall"] = sum(stages.seconds[part] for part in parts)
        result[f"{name}_cpu"] = sum(stages.cpu_seconds[part] for part in parts)
    return result


def measure(done: Reconstruction, truth: Truth) -> dict[str, float]:
    """All numbers of one reconstruction: the surface from the cleaned mesh, the pictures from the textured one."""
    return truth.measure_surface(done.mesh) | truth.measure_pictures(done.textured) | measure_topology(done.mesh)


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
