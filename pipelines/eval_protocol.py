"""What is measured on one reconstruction, and exactly how: samples, grids, thresholds and held-out cameras."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, orbit_camera
from zero123pp.images import over
from zero123pp.pipelines.ground_truth import Part, geometry, true_view
from zero123pp.recon import metrics, topology
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Mesh, View


@dataclass(frozen=True)
class Protocol:
    """The numbers of one way to compare a reconstruction with the truth. No alignment is done."""

    name: str
    radius: float = 1.0
    """Radius of the object's sphere in the units of the distances; the world frame's is 0.5."""
    points: int = 50_000
    """Area-weighted samples of each surface."""
    thresholds: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2)
    """Distances of the F-scores, in the units of ``radius``."""
    grid: int = 64
    """Cells per side of the grid for the volumes, over the cube round the object's sphere."""
    picture_px: int = 320
    azimuths_deg: tuple[float, ...] = tuple(15.0 + 30 * i for i in range(12))
    """Of the held-out cameras; none is a camera of a rig."""
    elevations_deg: tuple[float, ...] = (0.0, 30.0, -20.0) * 4
    fov_deg: float = 30.0

    def cameras(self) -> tuple[Camera, ...]:
        """The held-out cameras, at the distance of the rig v1.2 whatever rig the views come from."""
        distance = get_rig("v1.2").distance
        return tuple(
            orbit_camera(azimuth, elevation, distance, self.fov_deg, self.picture_px)
            for azimuth, elevation in zip(self.azimuths_deg, self.elevations_deg)
        )

    def units(self, mesh: Mesh) -> Mesh:
        """``mesh`` from the world frame to the units of the distances."""
        return mesh.with_vertices(mesh.vertices * (self.radius / OBJECT_RADIUS))


PROTOCOLS = {"sphere": Protocol("sphere")}
"""Name: protocol. 'sphere' scales by the farthest vertex, so that every object fills the rig's sphere alike."""


class Truth:
    """What a protocol needs to know about one true object; computed once and used for every reconstruction of it."""

    def __init__(self, parts: Sequence[Part], protocol: Protocol) -> None:
        self.protocol = protocol
        self.mesh = protocol.units(geometry(parts))
        self.samples = metrics.sample_surface(self.mesh, protocol.points, seed=1)
        self.pictures = [on_white(true_view(parts, camera)) for camera in protocol.cameras()]

    def measure_surface(self, mesh: Mesh) -> dict[str, float]:
        """Distances, F-scores, volume overlap and normal agreement of ``mesh`` (world frame)."""
        estimate = self.protocol.units(mesh)
        # Another seed than the truth's: equal surfaces must not win by equal samples.
        samples = metrics.sample_surface(estimate, self.protocol.points, seed=2)
        distances = metrics.surface_distances(samples, self.samples)
        values = {
            "CD": metrics.chamfer(distances),
            "accuracy": float(distances.accuracy.mean()),
            "completeness": float(distances.completeness.mean()),
        }
        values |= {f"F{threshold:g}": metrics.f_score(distances, threshold) for threshold in self.protocol.thresholds}
        return values | {
            "IoU": metrics.volume_iou(estimate, self.mesh, self.protocol.grid, self.protocol.radius),
            "NC": metrics.normal_consistency(distances),
            "NC_both": metrics.normal_consistency(distances, symmetric=True),
        }

    def measure_pictures(self, part: Part) -> dict[str, float]:
        """Means of PSNR (dB) and SSIM over the held-out cameras, of ``part`` (world frame)."""
        pictures = [on_white(true_view(part, camera)) for camera in self.protocol.cameras()]
        return {
            "PSNR": float(np.mean([metrics.psnr(ours, true) for ours, true in zip(pictures, self.pictures)])),
            "SSIM": float(np.mean([metrics.ssim(ours, true) for ours, true in zip(pictures, self.pictures)])),
        }


def measure_topology(mesh: Mesh) -> dict[str, float]:
    """Soundness of ``mesh`` as a reader sees it that welds vertices by position: 1 for yes, 0 for no, and counts."""
    label, _, _ = topology.components(mesh)
    return {
        "watertight": float(topology.is_watertight(topology.welded(mesh).faces)),
        "manifold": float(topology.is_manifold(mesh)),
        "components": float(label.max() + 1),
        "faces": float(len(mesh.faces)),
    }


def on_white(view: View) -> np.ndarray:
    """The whole picture (H, W, 3) over white."""
    return over(view.rgb, view.alpha, 1.0)
