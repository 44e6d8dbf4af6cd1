"""Blended round bodies: ellipsoids and round cones joined smoothly, meshed from their distance field."""

from dataclasses import dataclass

import numba
import numpy as np

from zero123pp.render.procedural.materials import Material
from zero123pp.render.procedural.solids import Part


@dataclass(frozen=True)
class Limb:
    """A round cone from one ball to another; both may be the same place."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    start_radius: float
    end_radius: float
    squash: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Stretches the ball at ``start`` by axis; only for limbs of no length."""


def blend(limbs: list[Limb], softness: float, material: Material, cells: int = 46) -> Part:
    """One closed surface about all limbs; ``softness`` is how wide the fillets are, ``cells`` the longest side."""
    table = np.array([[*b.start, *b.end, b.start_radius, b.end_radius, *b.squash] for b in limbs])
    reach = np.maximum(table[:, 6], table[:, 7])[:, None] * table[:, 8:].max(1, keepdims=True) + 0.3 * softness
    low = (np.minimum(table[:, :3], table[:, 3:6]) - reach).min(0)
    high = (np.maximum(table[:, :3], table[:, 3:6]) + reach).max(0)
    step = (high - low).max() / cells
    shape = np.ceil((high - low) / step).astype(int) + 3
    field = _field(table, low - step, step, shape[0], shape[1], shape[2], softness)
    from skimage.measure import marching_cubes

    vertices, faces, _, _ = marching_cubes(field, 0.0)
    return Part.of(vertices * step + low - step, faces, material)


@numba.njit(cache=True, fastmath=True)
def _field(table, low, step, nx, ny, nz, softness):
    """Smooth minimum of the limbs' distances, by the sum of exponentials."""
    out = np.empty((nx, ny, nz), np.float32)
    for i in range(nx):
        x = low[0] + i * step
        for j in range(ny):
            y = low[1] + j * step
            for k in range(nz):
                z = low[2] + k * step
                total, least = 0.0, 1e9
                for q in range(len(table)):
                    t = table[q]
                    ax, ay, az = t[3] - t[0], t[4] - t[1], t[5] - t[2]
                    px, py, pz = x - t[0], y - t[1], z - t[2]
                    length2 = ax * ax + ay * ay + az * az
                    if length2 < 1e-12:
                        px, py, pz = px / t[8], py / t[9], pz / t[10]
                        d = (np.sqrt(px * px + py * py + pz * pz) - t[6]) * min(t[8], t[9], t[10])
                    else:
                        h = min(max((px * ax + py * ay + pz * az) / length2, 0.0), 1.0)
                        px, py, pz = px - h * ax, py - h * ay, pz - h * az
                        d = np.sqrt(px * px + py * py + pz * pz) - (t[6] + (t[7] - t[6]) * h)
                    least = min(least, d)
                    total += np.exp(-min(d, 10.0) / softness)
                out[i, j, k] = -softness * np.log(total) if total > 1e-30 else least
    return out
