"""The shape prior at run time: ONNX graphs for the networks, Numba for what lies between them. Needs no torch.

`zero123pp.recon.prior.network` is the specification; tests compare the two.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from zero123pp.recon.prior.framing import picture_outline

FOLDER = Path(__file__).with_name("weights")
WEIGHTS_NAME = "prior.safetensors"

ELEVATION_UNIT_DEG = 30.0
"""What the encoder's elevation of 1 means."""

DISTANCE_UNIT = 0.1
"""What the decoder's output of 1 means, in half sides of the cube; distances from outlines go in by it as well."""

MOST_UNITS = 3.0
"""Distances from outlines count up to this many units."""

SOFTNESS = 0.02
"""Half sides of the cube over which outside turns into inside: with probability sigmoid(-d / this) a place at the
distance d is solid. A third of a voxel of the coarsest grid; what lies nearer to the surface cannot be told apart."""

_CHUNK = 16_384
"""Points decoded together."""

_THREADS = 2


@dataclass(frozen=True)
class Encoded:
    """What the encoder makes of V pictures."""

    maps: np.ndarray
    """(V, H, W, C) float32, channels last."""
    outlines: np.ndarray
    """(V, S, S) float32, of `framing.picture_outline`."""
    normals: np.ndarray
    """(V, S, S, 3) float32, view space, unit length."""
    elevations_deg: np.ndarray
    """(V,) float32, of the cameras; means something for photographs only."""


class Prior:
    """The networks, loaded."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._encoder, self._grid, self._decoder = (_session(folder / f"{name}.onnx") for name in _GRAPHS)
        self.grid_size = int(self._grid.get_inputs()[0].shape[2])
        self.picture_px = int(self._encoder.get_inputs()[0].shape[2])

    def encode(self, pictures: np.ndarray) -> Encoded:
        """Encode pictures (V, S, S, 8): colour times alpha, alpha, normal times alpha, 1 where normals are given."""
        channels_first = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32)
        maps, normals, elevation = self._encoder.run(None, {"pictures": channels_first})
        normals = normals.transpose(0, 2, 3, 1)
        normals = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
        outlines = np.stack([picture_outline(picture[..., 3]) for picture in pictures])
        maps = np.ascontiguousarray(maps.transpose(0, 2, 3, 1))
        return Encoded(maps, outlines, normals, elevation * ELEVATION_UNIT_DEG)

    def volume(self, encoded: Encoded, matrices: np.ndarray) -> np.ndarray:
        """Features (G, G, G, C) of the voxels, from pictures and projections (V, 3, 4) of `framing.projection`."""
        from zero123pp.recon.prior.kernels import outline_distances

        places = _voxel_centres(self.grid_size)
        near = np.clip(outline_distances(encoded.outlines, matrices, places) / DISTANCE_UNIT, -MOST_UNITS, MOST_UNITS)
        found = np.concatenate([_statistics(encoded.maps, matrices, places), places, near], 1)
        cube = found.reshape(*3 * [self.grid_size], -1).transpose(3, 0, 1, 2)[None]
        (volume,) = self._grid.run(None, {"statistics": np.ascontiguousarray(cube)})
        return np.ascontiguousarray(volume[0].transpose(1, 2, 3, 0))

    def decode(
        self, volume: np.ndarray, encoded: Encoded, matrices: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Distances (N,) in half sides of the cube and sRGB (N, 3) at points (N, 3) in [-1, 1]^3."""
        from zero123pp.recon.prior.kernels import outline_distances, trilinear

        def decode(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            features = np.concatenate([trilinear(volume, part), _statistics(encoded.maps, matrices, part)], 1)
            outlines = outline_distances(encoded.outlines, matrices, part)
            return self._decoder.run(None, {"features": features, "outlines": outlines})

        points = np.ascontiguousarray(points, np.float32)
        if not len(points):
            return np.zeros(0, np.float32), np.zeros((0, 3), np.float32)
        with ThreadPoolExecutor(_THREADS) as pool:
            parts = list(pool.map(decode, np.array_split(points, -(-len(points) // _CHUNK))))
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


_GRAPHS = ("encoder", "grid", "decoder")


@lru_cache(maxsize=1)
def bundled_prior() -> Prior:
    """The one that ships with the package."""
    return Prior()


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _THREADS
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@lru_cache(maxsize=2)
def _voxel_centres(size: int) -> np.ndarray:
    """(size^3, 3) float32 in [-1, 1]^3, x slowest."""
    axis = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / size * 2 - 1
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)


def _statistics(maps: np.ndarray, matrices: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Mean, deviation and maximum over the pictures at points, (N, 3 C) float32."""
    from zero123pp.recon.prior.kernels import statistics

    parts = np.array_split(points, _THREADS)
    with ThreadPoolExecutor(_THREADS) as pool:
        return np.concatenate(list(pool.map(lambda part: statistics(maps, matrices, part), parts)))
