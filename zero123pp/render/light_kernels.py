"""Rays to look for light along, and what comes along them: compiled by Numba.

Half of the rays are drawn from the environment's brightness, half from the cosine of the surface; both are weighted by
the balance heuristic (Veach and Guibas, "Optimally combining sampling techniques", SIGGRAPH 1995, equation 13).
"""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def propose(
    position: np.ndarray, normal: np.ndarray, geometric: np.ndarray, view: np.ndarray, phase: np.ndarray,
    sky: np.ndarray, sky_texels: np.ndarray, lobes: np.ndarray, density: np.ndarray, roughness: float, lift: float,
) -> tuple:  # fmt: skip
    """The rays from points (N, ...) that can bring light, and their weights.

    Args:
        position: (N, 3).
        normal: (N, 3) unit shading normals.
        geometric: (N, 3) unit normals of the faces, on the viewer's side.
        view: (N, 3) unit directions to the viewer.
        phase: (N,) int32, which row of the tables is a point's.
        sky: (T, A, 3) directions drawn from the environment.
        sky_texels: (T, A) int32 where they lie in its map.
        lobes: (T, B, 3) directions round +z drawn from the cosine.
        density: (H, W) of directions drawn from the environment, per steradian.
        roughness: of the gloss, glTF's; 0 for a matt surface.
        lift: how far from its surface a ray starts.

    Returns:
        origins (M, 3), directions (M, 3), points (M,), texels (M,), and the factors (M,) by which the radiance along
        each ray counts for matt light (before the albedo) and for gloss.
    """
    height, width = density.shape
    by_light, by_cosine = sky.shape[1], lobes.shape[1]
    most = len(position) * (by_light + by_cosine)
    origins, directions = np.empty((most, 3), np.float32), np.empty((most, 3), np.float32)
    points, texels = np.empty(most, np.int32), np.empty(most, np.int32)
    matt, gloss = np.empty(most, np.float32), np.empty(most, np.float32)
    count = 0
    for i in range(len(position)):
        n, g, row = normal[i], geometric[i], phase[i]
        # A frame round the normal (Duff et al. 2017, "Building an orthonormal basis, revisited", listing 3).
        sign = np.float32(1.0) if n[2] >= 0 else np.float32(-1.0)
        a = -1 / (sign + n[2])
        b = n[0] * n[1] * a
        for s in range(by_light + by_cosine):
            if s < by_light:
                x, y, z = sky[row, s]
                texel = sky_texels[row, s]
            else:
                p, q, up = lobes[row, s - by_light]
                x = p * (1 + sign * n[0] * n[0] * a) + q * b + up * n[0]
                y = p * sign * b + q * (sign + n[1] * n[1] * a) + up * n[1]
                z = -p * sign * n[0] - q * n[1] + up * n[2]
                texel = _texel(x, y, z, height, width)
            cosine = x * n[0] + y * n[1] + z * n[2]
            if cosine <= 0 or x * g[0] + y * g[1] + z * g[2] <= 0:
                continue
            drawn = density[texel // width, texel % width]
            weight = cosine / (by_light * drawn + by_cosine * cosine / np.pi)
            fresnel, lobe = 0.0, 0.0
            if roughness > 0:
                fresnel, lobe = _gloss(n, view[i], x, y, z, cosine, roughness)
            directions[count, 0], directions[count, 1], directions[count, 2] = x, y, z
            for c in range(3):
                origins[count, c] = position[i, c] + lift * g[c]
            points[count], texels[count] = i, texel
            matt[count], gloss[count] = (1 - fresnel) * weight / np.pi, lobe * weight
            count += 1
    return origins[:count], directions[:count], points[:count], texels[:count], matt[:count], gloss[:count]


@numba.njit(cache=True, nogil=True)
def _texel(x: float, y: float, z: float, height: int, width: int) -> int:
    """Number of the texel in direction (x, y, z), see `zero123pp.render.environment`."""
    row = np.arccos(min(max(y, -1.0), 1.0)) / np.pi * height
    column = (0.5 - np.arctan2(x, z) / (2 * np.pi)) * width
    return min(int(row), height - 1) * width + min(int(column), width - 1)


@numba.njit(cache=True, nogil=True)
def _gloss(
    n: np.ndarray, to_viewer: np.ndarray, x: float, y: float, z: float, cosine: float, roughness: float
) -> tuple:
    """Fresnel term and specular reflectance of a dielectric (glTF 2.0 specification, appendix B.3)."""
    hx, hy, hz = x + to_viewer[0], y + to_viewer[1], z + to_viewer[2]
    length = np.sqrt(hx * hx + hy * hy + hz * hz)
    seen = n[0] * to_viewer[0] + n[1] * to_viewer[1] + n[2] * to_viewer[2]
    if length < 1e-6 or seen <= 0:
        return 0.0, 0.0
    half = (hx * n[0] + hy * n[1] + hz * n[2]) / length
    facing = max(0.0, (hx * x + hy * y + hz * z) / length)
    squared = roughness * roughness * roughness * roughness  # alpha = roughness^2
    spread = half * half * (squared - 1) + 1
    lobe = squared / (np.pi * spread * spread)
    shadow = cosine * np.sqrt(seen * seen * (1 - squared) + squared)
    masking = seen * np.sqrt(cosine * cosine * (1 - squared) + squared)
    grazing = 1 - facing
    fresnel = 0.04 + 0.96 * grazing * grazing * grazing * grazing * grazing
    return fresnel, fresnel * lobe * 0.5 / max(shadow + masking, 1e-9)


@numba.njit(cache=True, nogil=True)
def gathered(
    count: int, points: np.ndarray, texels: np.ndarray, matt: np.ndarray, gloss: np.ndarray, source: np.ndarray,
    radiance: np.ndarray, bounced: np.ndarray,
) -> tuple:  # fmt: skip
    """Matt and glossy light (count, 3) float32 at points.

    Args:
        count: of points.
        points: (M,) of each ray, see `propose`.
        texels: (M,), likewise.
        matt: (M,), likewise.
        gloss: (M,), likewise.
        source: (M,) int32, -1 where the environment is seen, else the row of ``bounced``.
        radiance: (H W, 3) float32 of the environment.
        bounced: (B, 3) float32 radiance from other surfaces.
    """
    matt_light = np.zeros((count, 3), np.float32)
    gloss_light = np.zeros((count, 3), np.float32)
    for ray in range(len(points)):
        light = radiance[texels[ray]] if source[ray] < 0 else bounced[source[ray]]
        for c in range(3):
            matt_light[points[ray], c] += matt[ray] * light[c]
            gloss_light[points[ray], c] += gloss[ray] * light[c]
    return matt_light, gloss_light


@numba.njit(cache=True, nogil=True)
def smoothed(
    light: np.ndarray, number: np.ndarray, position: np.ndarray, normal: np.ndarray, thickness: float
) -> np.ndarray:
    """Light (N, C) of points averaged over the neighbours in the picture that lie on the same surface.

    The window takes each cell of a 4 x 4 pattern with equal weight, so points whose rays follow such a pattern are
    averaged over all of its rays (Keller and Heidrich, "Interleaved sampling", EGWR 2001).

    Args:
        light: (N, C) float32.
        number: (H, W) int32 row of ``light`` of each pixel, -1 where there is no point.
        position: (N, 3).
        normal: (N, 3) unit.
        thickness: points further than this from a point's tangent plane are not on its surface.
    """
    height, width = number.shape
    result = np.zeros_like(light)
    for y in range(height):
        for x in range(width):
            i = number[y, x]
            if i < 0:
                continue
            total = np.float32(0.0)
            for dy in range(-2, 3):
                for dx in range(-2, 3):
                    if not (0 <= y + dy < height and 0 <= x + dx < width):
                        continue
                    j = number[y + dy, x + dx]
                    if j < 0:
                        continue
                    alike, away = np.float32(0.0), np.float32(0.0)
                    for c in range(3):
                        alike += normal[i, c] * normal[j, c]
                        away += normal[i, c] * (position[j, c] - position[i, c])
                    if alike < 0.9 or abs(away) > thickness:
                        continue
                    weight = np.float32((0.5 if abs(dx) == 2 else 1.0) * (0.5 if abs(dy) == 2 else 1.0))
                    total += weight
                    for c in range(light.shape[1]):
                        result[i, c] += weight * light[j, c]
            for c in range(light.shape[1]):
                result[i, c] /= total
    return result
