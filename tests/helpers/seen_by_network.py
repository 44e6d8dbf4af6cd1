"""Networks that say what a known solid looks like: a ball, a rod, a bowl, over the whole crop."""

import numpy as np

from zero123pp.recon.prior.one_view.maps import CHANNELS, mean_of_mirrored
from zero123pp.recon.prior.one_view.upright import up_vector

TAN = 0.05


class Answers:
    """Says of every crop the depths that a function of the pixels' places has."""

    def __init__(self, depths, size: int = 64, elevation: float = 20.0, roll: float = 0.0) -> None:
        self.picture_px, self._depths, self._up = size, depths, up_vector(elevation, roll)

    def maps(self, crop):
        """As `OneViewNetwork.maps`."""
        size = self.picture_px
        at = (np.arange(size) + 0.5) / size * 2 - 1
        u, v = np.meshgrid(at, at)
        maps = np.zeros((16, size, size), np.float32)
        front, out, into, back = self._depths(u, v)
        maps[0], maps[1], maps[2], maps[3] = front, out, into, back
        for channel, depth, sign in ((CHANNELS["front_normal"], front, -1), (CHANNELS["back_normal"], back, 1)):
            down, across = np.gradient(depth, 2 / size)
            normal = sign * np.stack([-across, -down, np.ones_like(depth)])
            maps[channel] = normal / np.linalg.norm(normal, axis=0)
        maps[CHANNELS["back_color"]] = np.array([0.2, 0.5, 0.3])[:, None, None]
        maps[CHANNELS["gap"]] = into > out
        maps[CHANNELS["foreground"]] = 1
        pose = np.array([*self._up, TAN], np.float32)
        mirrored = maps[..., ::-1].copy()
        mirrored[[CHANNELS["front_normal"].start, CHANNELS["back_normal"].start]] *= -1
        return mean_of_mirrored(np.stack([maps, mirrored]), np.stack([pose, pose * [-1, 1, 1, 1]]))

    def maps_of(self, crops):
        """As `OneViewNetwork.maps_of`."""
        return [self.maps(crop) for crop in crops]


def ball(u, v, radius=1 / 1.14, far=0.0):
    """Front and back of a ball as wide as the outline."""
    half = np.sqrt(np.maximum(radius**2 - u**2 - v**2, 1e-4))
    return far - half, 0 * u, 0 * u - 1, far + half


def disc(size: int = 128, share: float = 0.8) -> np.ndarray:
    """(S, S, 4) float32: a round cutout, its colours a ramp."""
    at = (np.arange(size) + 0.5) / size * 2 - 1
    u, v = np.meshgrid(at, at)
    alpha = np.clip((share - np.hypot(u, v)) * size / 2 + 0.5, 0, 1)
    return np.dstack([0.5 + u / 2, 0.5 + v / 2, np.full_like(u, 0.4), alpha]).astype(np.float32)
