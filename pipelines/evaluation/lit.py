"""Objects under environment light: pictures with shading, shadows and dark insides, as generated views have them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zero123pp.images import to_float
from zero123pp.render import Environment
from zero123pp.types import Camera, Part, View

_BRIGHTNESS = 0.95
"""Of a white surface at the 95th percentile of the light on the object, 1 being the picture's white."""

Light = Callable[[Camera], Environment]
"""The light that falls on the object in a camera's picture."""


@dataclass(frozen=True)
class Lighting:
    """Environment maps to light objects with."""

    panoramas: dict[str, np.ndarray]

    def of(self, rng: np.random.Generator) -> Environment:
        """One of them, turned at random."""
        return self.light(rng, "object")(None)

    def light(self, rng: np.random.Generator, fixed_to: Literal["object", "camera"]) -> Light:
        """One of them, turned at random.

        Fixed to the object it is the same from everywhere; fixed to the camera it goes round the object with it, as on
        a turntable, so that what is bright differs from view to view.
        """
        panorama = self.panoramas[list(self.panoramas)[rng.integers(len(self.panoramas))]]
        turn_deg, balanced = rng.uniform(0, 360), bool(rng.random() < 0.5)
        if fixed_to == "object":
            still = Environment.of(panorama, turn_deg=turn_deg, balanced=balanced)
            return lambda camera: still
        return lambda camera: Environment.of(panorama, turn_deg=turn_deg + azimuth_deg(camera), balanced=balanced)


def azimuth_deg(camera: Camera) -> float:
    """Of the orbit on which a camera stands, see `zero123pp.cameras`."""
    x, _, z = camera.world_from_cam[:3, 3]
    return float(np.rad2deg(np.arctan2(x, z)))


class LitObject:
    """An object under one light and one exposure."""

    def __init__(self, parts: Sequence[Part], light: Light, metering: Sequence[Camera]) -> None:
        """Takes the pictures of the cameras ``metering`` to set the exposure by.

        Raises:
            MissingBackend: Embree is not installed.
            BadInput: no light reaches the object.
        """
        from zero123pp.pipelines.training_data.multiview import Surface, exposure_of
        from zero123pp.render import Scene

        self._surface, self._light = Surface(parts), light
        self._scene = Scene(self._surface.vertices, self._surface.faces, self._surface.albedo)
        shots = [self._shot(camera, 2 * number) for number, camera in enumerate(metering)]
        self._exposure = exposure_of(shots, _BRIGHTNESS)
        self.metered = [self._view(shot, camera) for shot, camera in zip(shots, metering)]
        """The views that the exposure was set by."""

    def view(self, camera: Camera) -> View:
        """What a camera sees, in 8 bits, with depth and view-space normals."""
        return self._view(self._shot(camera, 1), camera)

    def _shot(self, camera: Camera, seed: int) -> object:
        from zero123pp.pipelines.training_data.multiview import shoot

        return shoot(self._surface, self._scene, camera, self._light(camera), seed=seed)

    def _view(self, shot: object, camera: Camera) -> View:
        from zero123pp.pipelines.training_data.multiview import developed

        rgba = to_float(developed(shot, self._exposure))
        return View(rgba[..., :3], rgba[..., 3], camera, depth=shot.depth, normal=shot.normals)
