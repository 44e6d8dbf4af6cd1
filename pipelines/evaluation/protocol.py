"""What is measured on one reconstruction, and exactly how: samples, grids, thresholds and held-out cameras."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, orbit_camera
from zero123pp.errors import BadInput
from zero123pp.images import over
from zero123pp.pipelines.evaluation.ground_truth import true_view
from zero123pp.recon.meshing import geometry, topology
from zero123pp.recon.metrics import ALIGNMENTS, SurfaceSamples, bound, by_visibility, psnr, seen_points, ssim
from zero123pp.recon.metrics import distances as metrics
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Mesh, Part, View


@dataclass(frozen=True)
class Protocol:
    """The numbers of one way to compare a reconstruction with the truth.

    The truth decides the unit for both: neither is normalised on its own.
    """

    name: str
    unit: Literal["sphere", "box"] = "sphere"
    """'sphere': the world frame's sphere of radius 0.5 becomes one of radius ``size``. 'box': the box round the truth
    is centred, and its longest edge becomes ``size``."""
    size: float = 1.0
    points: int = 50_000
    """Area-weighted samples of each surface; 0 takes what depth pictures from the held-out cameras see of it."""
    voxel: float = 0.01
    """Side of the voxels in which seen points are averaged (points 0)."""
    thresholds: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2)
    """Distances of the F-scores, in the units of ``size``."""
    threshold: float = 0.02
    """The one of them that the protocol reports."""
    grid: int = 64
    """Cells per side of the grid for the volumes."""
    grid_half_side: float = 1.0
    """Half the side of that grid, in the units of ``size``."""
    picture_px: int = 320
    azimuths_deg: tuple[float, ...] = tuple(15.0 + 30 * i for i in range(12))
    """Of the held-out cameras; with the default protocol none is a camera of a rig."""
    elevations_deg: tuple[float, ...] = (0.0, 30.0, -20.0) * 4
    fov_deg: float = 30.0
    distance: float | None = None
    """Of the held-out cameras from the origin, in the units of ``size``; None stands where the rig v1.2 stands."""
    about: str = "this project's own"
    """Whose protocol it is, and what is not as published."""

    def cameras(self, scale: float = 1.0) -> tuple[Camera, ...]:
        """The held-out cameras in the world frame; ``scale`` is that of `TrueObject`, units per world unit."""
        distance = get_rig("v1.2").distance if self.distance is None else self.distance / scale
        return tuple(
            orbit_camera(azimuth, elevation, distance, self.fov_deg, self.picture_px)
            for azimuth, elevation in zip(self.azimuths_deg, self.elevations_deg)
        )


def _ring(azimuths: int, elevations: Sequence[float]) -> dict[str, tuple[float, ...]]:
    """Equally spaced azimuths from 0 at each elevation."""
    ring = [360.0 * i / azimuths for i in range(azimuths)]
    return {
        "azimuths_deg": tuple(ring * len(elevations)),
        "elevations_deg": tuple(e for e in elevations for _ in ring),
    }


_PROTOCOLS = (
    Protocol("sphere"),
    Protocol(
        "syncdreamer",
        unit="box",
        points=0,
        thresholds=(0.01, 0.02, 0.05),
        picture_px=256,
        **_ring(16, (30.0,)),
        fov_deg=49.13434264120263,
        distance=1.5,
        about="SyncDreamer's evaluation scripts: box of edge 1, points of 16 depth pictures at elevation 30 averaged "
        "in voxels of 0.01, CD the mean of both directions, IoU 64^3 over [-1, 1]^3. LPIPS and its rotations of 30 "
        "hand-listed objects are left out; the F-scores are an addition",
    ),
    Protocol(
        "crm",
        unit="box",
        thresholds=(0.01, 0.02, 0.05, 0.1),
        threshold=0.05,
        grid_half_side=0.5,
        picture_px=512,
        **_ring(8, (0.0, 15.0, 30.0)),
        about="CRM's paper: box [-0.5, 0.5]^3, F-score at 0.05, 24 pictures of 512 px at elevations 0, 15 and 30. Not "
        "published: number of points, field of view, definition of CD (here 50,000, 30 degrees, mean of both "
        "directions, not squared)",
    ),
    Protocol(
        "instantmesh",
        unit="box",
        size=2.0,
        points=16_000,
        thresholds=(0.02, 0.05, 0.1, 0.2),
        threshold=0.2,
        grid_half_side=1.0,
        **_ring(7, (30.0, 0.0, -30.0)),
        about="InstantMesh's paper, as used by GeoLRM for InstantMesh's reconstructor from true views: box [-1, 1]^3, "
        "16,000 points, F-score at 0.2, 21 pictures on orbits of elevation 30, 0 and -30. Not published: field of "
        "view and definition of CD (here 30 degrees, mean of both directions, not squared)",
    ),
)
PROTOCOLS = {protocol.name: protocol for protocol in _PROTOCOLS}
"""Name: protocol. 'sphere' scales by the farthest vertex, so that every object fills the rig's sphere alike."""


def get_protocol(name: str) -> Protocol:
    """The protocol called ``name``; BadInput lists the known ones."""
    if name not in PROTOCOLS:
        raise BadInput(f"unknown protocol {name!r}; choose one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


class TrueObject:
    """What a protocol needs to know about one true object; computed once and used for every reconstruction of it."""

    def __init__(
        self, parts: Sequence[Part], protocol: Protocol, *, views: Sequence[Camera] = (),
        picture: Callable[[Camera], View] | None = None,
    ) -> None:  # fmt: skip
        """Measure the truth.

        Args:
            parts: in the world frame.
            protocol: what is measured.
            views: the cameras that a reconstruction is made from; given them, what they see is told apart.
            picture: the true view of a camera; None for the unlit one.
        """
        self.protocol = protocol
        world = geometry(parts)
        self.scale, self.centre = _unit(world, protocol)
        """Protocol units are ``scale`` (x - ``centre``) of the world frame."""
        self.mesh = self.units(world)
        self.inside = self._occupancy(self.mesh)
        self.cameras = protocol.cameras(self.scale)
        self.samples = self._sampled(self.mesh, seed=1)
        picture = picture or (lambda camera: true_view(parts, camera))
        self.pictures = [on_white(picture(camera)) for camera in self.cameras]
        self.seen = seen_points(world, self._in_world(self.samples), views) if views else None
        """(points,) bool: which of the samples the views see; None without views."""

    def _in_world(self, samples: SurfaceSamples) -> SurfaceSamples:
        return replace(samples, points=samples.points / self.scale + self.centre)

    def units(self, mesh: Mesh) -> Mesh:
        """``mesh`` from the world frame to the units of the distances."""
        return mesh.with_vertices((mesh.vertices - self.centre) * self.scale)

    def _occupancy(self, mesh: Mesh) -> np.ndarray:
        return metrics.occupancy(mesh, self.protocol.grid, self.protocol.grid_half_side)

    def measure_surface(self, mesh: Mesh, align: str = "none") -> dict[str, float]:
        """Distances, F-scores, volume overlap and normal agreement of ``mesh`` (world frame).

        Args:
            mesh: The reconstruction.
            align: How it is moved first, a key of `zero123pp.recon.metrics.alignment.ALIGNMENTS`.
        """
        estimate = self.units(mesh)
        # Another seed than the truth's: equal surfaces must not win by equal samples.
        samples = self._sampled(estimate, seed=2)
        if align != "none":
            area = metrics.sample_surface(estimate, 8000, seed=3), metrics.sample_surface(self.mesh, 8000, seed=4)
            estimate = ALIGNMENTS[align](*area).mesh(estimate)
            samples = self._sampled(estimate, seed=2)
        distances = metrics.surface_distances(samples, self.samples)
        values = {
            "CD": metrics.chamfer(distances),
            "accuracy": float(distances.accuracy.mean()),
            "completeness": float(distances.completeness.mean()),
        }
        values |= {f"F{threshold:g}": metrics.f_score(distances, threshold) for threshold in self.protocol.thresholds}
        values |= {
            "IoU": metrics.overlap(self._occupancy(estimate), self.inside),
            "NC": metrics.normal_consistency(distances),
            "NC_both": metrics.normal_consistency(distances, symmetric=True),
        }
        return values | (self._against_bound(values, distances) if self.seen is not None else {})

    def _against_bound(self, values: dict[str, float], distances: metrics.SurfaceDistances) -> dict[str, float]:
        """What the views see of the truth, what that allows at most, and the distances on both parts apart."""
        at_most = bound(self.samples.points, self.seen, self.protocol.threshold)
        reached = values[f"F{self.protocol.threshold:g}"] / at_most if at_most else float("nan")
        told = {"seen": float(self.seen.mean()), "bound": at_most, "F_over_bound": reached}
        return told | by_visibility(distances, self.seen)

    def measure_pictures(self, part: Part) -> dict[str, float]:
        """Means of PSNR (dB) and SSIM over the held-out cameras, of ``part`` (world frame)."""
        pictures = [on_white(true_view(part, camera)) for camera in self.cameras]
        return {
            "PSNR": float(np.mean([psnr(ours, true) for ours, true in zip(pictures, self.pictures)])),
            "SSIM": float(np.mean([ssim(ours, true) for ours, true in zip(pictures, self.pictures)])),
        }

    def _sampled(self, mesh: Mesh, seed: int) -> SurfaceSamples:
        """Samples of a mesh in protocol units."""
        if self.protocol.points:
            return metrics.sample_surface(mesh, self.protocol.points, seed)
        return metrics.seen_surface(mesh, self.protocol.cameras(), self.protocol.voxel)


def _unit(mesh: Mesh, protocol: Protocol) -> tuple[float, np.ndarray]:
    """Scale and centre (3,) of the protocol's units for a true mesh in the world frame."""
    if protocol.unit == "sphere":
        return protocol.size / OBJECT_RADIUS, np.zeros(3)
    used = mesh.vertices[np.unique(mesh.faces)].astype(np.float64)
    low, high = used.min(0), used.max(0)
    return float(protocol.size / (high - low).max()), (low + high) / 2


def measure_topology(mesh: Mesh) -> dict[str, float]:
    """Soundness of ``mesh`` as a reader sees it that welds vertices by position: 1 for yes, 0 for no, and counts."""
    label, _, _ = topology.components(mesh)
    welded = topology.welded(mesh).faces
    return {
        "watertight": float(topology.is_watertight(welded)),
        "manifold": float(topology.is_manifold(mesh) and topology.pinched_vertices(welded) == 0),
        "components": float(label.max() + 1),
        "faces": float(len(mesh.faces)),
    }


def on_white(view: View) -> np.ndarray:
    """The whole picture (H, W, 3) over white."""
    return over(view.rgb, view.alpha, 1.0)
