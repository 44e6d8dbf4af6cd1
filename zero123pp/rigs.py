"""The fixed camera rigs of Zero123++ (README of the official repository; report, section 2)."""

from dataclasses import dataclass

from zero123pp.cameras import orbit_camera
from zero123pp.errors import BadInput
from zero123pp.types import Camera


@dataclass(frozen=True)
class Rig:
    """Six cameras on a ring, tiled row-major into a sheet of 3 rows x 2 columns."""

    name: str
    azimuths_deg: tuple[float, ...]
    """Relative to the input view."""
    elevations_deg: tuple[float, ...]
    """Absolute."""
    fov_deg: float
    distance: float
    """From the origin, in the world units of `zero123pp.cameras`."""
    rows: int = 3
    columns: int = 2

    def cameras(self, tile_px: int = 320) -> tuple[Camera, ...]:
        """The cameras in sheet order, each for a square tile of ``tile_px`` pixels."""
        return tuple(
            orbit_camera(azimuth, elevation, self.distance, self.fov_deg, tile_px)
            for azimuth, elevation in zip(self.azimuths_deg, self.elevations_deg)
        )


_RING_DEG = (30.0, 90.0, 150.0, 210.0, 270.0, 330.0)

RIGS = {
    # 2 atan(16/35): a 32 mm film gate behind a 35 mm lens (zero123plus issue 68); distance from the authors' pose file.
    "v1.1": Rig("v1.1", _RING_DEG, (30.0, -20.0) * 3, fov_deg=49.13434264120263, distance=1.28439),
    # 0.5 / tan(15 degrees): the sphere of radius 0.5 fills the picture (zero123plus issue 73).
    "v1.2": Rig("v1.2", _RING_DEG, (20.0, -10.0) * 3, fov_deg=30.0, distance=1.8660254037844386),
}


def get_rig(name: str) -> Rig:
    """The rig called ``name``; BadInput lists the known ones."""
    if name not in RIGS:
        raise BadInput(f"unknown rig {name!r}; choose one of {', '.join(RIGS)}")
    return RIGS[name]
