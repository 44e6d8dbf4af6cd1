"""What the one-view network says of each pixel, and its runtime: an ONNX graph, asked twice, once in the mirror."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from zero123pp.graphs import load_graph
from zero123pp.recon.prior.one_view.crop import Crop, network_input
from zero123pp.types import ByContent

_THREADS = 2

CHANNELS = {
    "depths": slice(0, 4),
    "front_normal": slice(4, 7),
    "back_normal": slice(7, 10),
    "back_color": slice(10, 13),
    "gap": slice(13, 14),
    "log_error": slice(14, 15),
    "foreground": slice(15, 16),
}
"""Of the graph's output ``maps`` (B, C, S, S); ``pose`` (B, 4) is up, and the tangent of half the field of view."""


@dataclass(frozen=True, eq=False)
class Maps(ByContent):
    """The network's answer for one crop of S x S pixels.

    Lengths are in half sides of the crop on the object's plane, vectors in the camera's axes: x right, y down, z
    forward. Values outside of the object mean nothing.
    """

    depths: np.ndarray
    """(4, S, S) z beyond the object's plane where a ray enters the object, leaves it for the first time, enters it for
    the last time, and leaves it; the two in the middle mean something where there is a gap."""
    front_normal: np.ndarray
    """(3, S, S) unit, where it enters."""
    back_normal: np.ndarray
    """(3, S, S) unit, where it leaves."""
    back_color: np.ndarray
    """(3, S, S) sRGB in [0, 1], where it leaves."""
    gap: np.ndarray
    """(S, S) probability that it passes through a gap in the object."""
    error: np.ndarray
    """(S, S) expected error of the depth where it enters."""
    foreground: np.ndarray
    """(S, S) probability that it meets the object."""
    up: np.ndarray
    """(3,) unit, of the object."""
    tan_half_fov: float
    """Of the angle that the side of the crop spans."""


class OneViewNetwork:
    """The graph, loaded."""

    def __init__(self, path: Path | str) -> None:
        self._session = load_graph(path, _THREADS)
        self.picture_px = int(self._session.get_inputs()[0].shape[2])

    def maps(self, crop: Crop) -> Maps:
        """The mean of what it says of a crop of `picture_px` and of its mirror image."""
        return self.maps_of([crop])[0]

    def maps_of(self, crops: Sequence[Crop]) -> list[Maps]:
        """`maps` of each crop, in one batch."""
        pictures = [network_input(crop.rgb, crop.alpha) for crop in crops]
        both = np.stack([way for picture in pictures for way in (picture, picture[..., ::-1])])
        maps, pose = self._session.run(["maps", "pose"], {"picture": both})
        return [mean_of_mirrored(maps[at : at + 2], pose[at : at + 2]) for at in range(0, len(both), 2)]


def mean_of_mirrored(maps: np.ndarray, pose: np.ndarray) -> Maps:
    """One answer from those for a picture and for its mirror image: maps (2, C, S, S), pose (2, 4)."""
    mirrored, turned = maps[1, ..., ::-1].copy(), pose[1].copy()
    for sideways in (CHANNELS["front_normal"].start, CHANNELS["back_normal"].start):
        mirrored[sideways] *= -1
    turned[0] *= -1
    mean = ((maps[0] + mirrored) / 2).astype(np.float32)
    part = {name: mean[channels] for name, channels in CHANNELS.items()}
    up = (pose[0, :3] + turned[:3]).astype(np.float64)
    return Maps(
        part["depths"],
        _unit(part["front_normal"]),
        _unit(part["back_normal"]),
        np.clip(part["back_color"], 0, 1),
        part["gap"][0],
        np.exp(part["log_error"][0]),
        part["foreground"][0],
        up / max(np.linalg.norm(up), 1e-9),
        float(pose[0, 3] + turned[3]) / 2,
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=0), 1e-6)


BUNDLED = Path(__file__).parents[1] / "weights" / "one_view.onnx"


@lru_cache(maxsize=1)
def bundled_one_view() -> OneViewNetwork:
    """The one that ships with the package."""
    return OneViewNetwork(BUNDLED)
