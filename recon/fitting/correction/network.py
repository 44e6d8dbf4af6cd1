"""The network that corrects a fitted surface, at work: what views see of one comes in, normals and moves go out."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from zero123pp.graphs import load_graph
from zero123pp.recon.fitting.correction.inputs import enlarged, network_inputs
from zero123pp.recon.fitting.flats import Look
from zero123pp.recon.fitting.moving import moved

_MULTIPLE = 16
"""Sides of the network's input are multiples of this."""
_SURE = 0.1
"""Expected length of the difference to the true normal, 6 degrees, up to which a normal is trusted fully; beyond it
with the square of how much it is exceeded."""
_SURE_OFFSET = 0.5
"""Expected error of a move, voxels, up to which all of it is made; beyond it less, as much as it is exceeded."""
BUNDLED = Path(__file__).parent / "weights" / "correction.onnx"


@dataclass(frozen=True)
class Correction:
    """What the network says of a look, picture by picture (H, W)."""

    look: Look
    normals: list[np.ndarray]
    """(H, W, 3) unit, in world axes."""
    trust: list[np.ndarray]
    """(H, W) in the normals, 0 to 1."""
    deeper: list[np.ndarray]
    """(H, W) how much farther from the camera the surface should be, voxels of depth; less where that is not sure."""

    def targets(self) -> tuple[np.ndarray, np.ndarray]:
        """Unit normals (R, 3) of the level's rays in world axes, and how far to trust them (R,), 0 to 1."""
        normals = [each.reshape(-1, 3)[picture.pixels] for each, picture in zip(self.normals, self.look.level.pictures)]
        trust = [each.reshape(-1)[picture.pixels] for each, picture in zip(self.trust, self.look.level.pictures)]
        return np.concatenate(normals, dtype=np.float32), np.concatenate(trust, dtype=np.float32)

    def moved(self) -> np.ndarray:
        """Distances (n, n, n), voxels, of the surface where the network says that it is."""
        return moved(self.look, self.deeper)


class CorrectionNetwork:
    """The graph, loaded."""

    def __init__(self, path: Path | str) -> None:
        self._session = load_graph(path, threads=1)  # views run side by side

    def correction(self, look: Look) -> Correction:
        """What it says of a look."""
        shown = network_inputs(look)

        def of_picture(own: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            picture, depth = look.level.pictures[own], look.seen[own].depth
            said = self.maps(shown(own))
            on = picture.solid & (depth > 0)
            normals = enlarged(said[:3].transpose(1, 2, 0) @ picture.camera.world_from_cam[:3, :3].T, depth.shape)
            trust = enlarged(np.clip(_SURE * np.exp(-said[3]), 0, 1) ** 2, depth.shape) * on
            deeper = enlarged(said[4] * np.clip(_SURE_OFFSET * np.exp(-said[5]), 0, 1), depth.shape) * on
            return normals, trust, deeper

        found = look.level.pool.map(of_picture, range(len(look.seen)))
        return Correction(look, *(list(part) for part in zip(*found)))

    def maps(self, inputs: np.ndarray) -> np.ndarray:
        """Its maps (6, h, w) from what it is shown (C, h, w).

        They are the normal in the camera's axes, the logarithm of its expected error, how much deeper the surface
        should be, in voxels, and the logarithm of the error of that.
        """
        height, width = inputs.shape[1:]
        spare = -height % _MULTIPLE, -width % _MULTIPLE
        top, left = spare[0] // 2, spare[1] // 2
        padded = np.pad(inputs, [(0, 0), (top, spare[0] - top), (left, spare[1] - left)])
        return self._session.run(None, {"look": padded[None]})[0][0, :, top : top + height, left : left + width]


@lru_cache(maxsize=1)
def bundled_correction() -> CorrectionNetwork:
    """The one that ships with the package."""
    return CorrectionNetwork(BUNDLED)
