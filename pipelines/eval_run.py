"""Reconstruct known objects from their own views with the product's stages, and measure what comes out."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zero123pp.cameras import orbit_camera
from zero123pp.errors import StageFailed
from zero123pp.pipelines.degrade import Degradation
from zero123pp.pipelines.eval_protocol import PROTOCOLS, Truth, measure_topology
from zero123pp.pipelines.eval_report import Row
from zero123pp.pipelines.ground_truth import Part, ground_truth_views, load_normalised, true_view
from zero123pp.pipelines.image_to_mesh import PipelineConfig, _peak_memory_mb
from zero123pp.recon.clean import clean
from zero123pp.recon.extract import extract
from zero123pp.recon.fit import fit
from zero123pp.recon.texture import texture
from zero123pp.rigs import get_rig
from zero123pp.types import Mesh, MultiView, TexturedMesh

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


@dataclass
class Reconstruction:
    """What the product's stages make of one set of views, and what it costs."""

    mesh: Mesh
    textured: TexturedMesh
    seconds: dict[str, float]


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
                reconstruct(views_of(name, parts, settings), settings)
                warm = True
            done = reconstruct(views_of(name, parts, settings), settings)
        except StageFailed as error:
            results.failures[name] = str(error)
            continue
        peak = {"peak_mb": _peak_memory_mb()}
        truth = Truth(parts, PROTOCOLS["sphere"])
        row = {"object": name} | measure(done, truth) | done.seconds | peak
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


def reconstruct(views: MultiView, settings: Settings) -> Reconstruction:
    """The stages of `zero123pp.pipelines.image_to_mesh` from views to textured mesh, with their seconds."""
    config, seconds = settings.config, {}
    with _clock("fit", seconds):
        mesh, _ = clean(extract(fit(views, config.fit, seed=settings.seed), config.extract), config.clean)
    with _clock("texture", seconds):
        textured, _ = texture(mesh, views.views, config.texture)
    return Reconstruction(mesh, textured, seconds)


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


@contextmanager
def _clock(name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Wall seconds, and processor seconds of all threads of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    seconds[f"{name}_wall"] = time.perf_counter() - wall
    seconds[f"{name}_cpu"] = time.process_time() - cpu
