"""Loops over faces, charts and columns of the atlas, compiled by Numba; import this module only where they run."""

# Kernels make their arrays by np.empty: np.zeros and np.full cost a tenth of a second of compiling each.

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def relabel(
    label: np.ndarray,
    affinity: np.ndarray,
    cosine: np.ndarray,
    neighbours: np.ndarray,
    coherence: float,
    steepest: float,
    sweeps: int,
) -> np.ndarray:
    """Labels (F,) that maximise affinity + coherence x share of equal neighbours; none may be too steep."""
    label = label.copy()
    for _ in range(sweeps):
        changed = 0
        for f in range(len(label)):
            best, best_score = label[f], -1e30
            for candidate in range(affinity.shape[1]):
                score = affinity[f, candidate]
                if cosine[f, candidate] < steepest:
                    score -= 10
                for side in range(3):
                    if neighbours[f, side] >= 0 and label[neighbours[f, side]] == candidate:
                        score += coherence / 3
                if score > best_score:
                    best, best_score = candidate, score
            if best != label[f]:
                label[f] = best
                changed += 1
        if changed == 0:
            break
    return label


@numba.njit(cache=True, nogil=True)
def merge(
    small: np.ndarray,
    order: np.ndarray,
    start: np.ndarray,
    piece: np.ndarray,
    direction: np.ndarray,
    normals: np.ndarray,
    neighbours: np.ndarray,
    steepest: float,
) -> np.ndarray:
    """For each piece (C,) the piece it ends in: those of ``small``, in order, join one that they touch and fit.

    Faces of piece p are ``order[start[p]:start[p + 1]]``.
    """
    count = len(direction)
    target, following, last = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    border, touched = np.empty(count, np.int64), np.empty(count, np.int64)
    for p in range(count):  # groups as linked lists
        target[p], following[p], last[p], border[p] = p, -1, p, 0
    for p in small:
        if target[p] != p:
            continue
        found = 0
        member = p
        while member >= 0:
            for f in order[start[member] : start[member + 1]]:
                for side in range(3):
                    q = target[piece[neighbours[f, side]]] if neighbours[f, side] >= 0 else p
                    if q != p:
                        if border[q] == 0:
                            touched[found] = q
                            found += 1
                        border[q] += 1
            member = following[member]
        best, longest = -1, 0
        for q in touched[:found]:
            if border[q] > longest and _fits(p, direction[q], order, start, following, normals, steepest):
                best, longest = q, border[q]
        for q in touched[:found]:
            border[q] = 0
        if best >= 0:
            following[last[best]], last[best] = p, last[p]
            member = p
            while member >= 0:
                target[member] = best
                member = following[member]
    return target


@numba.njit(cache=True, nogil=True)
def _fits(
    group: int,
    direction: np.ndarray,
    order: np.ndarray,
    start: np.ndarray,
    following: np.ndarray,
    normals: np.ndarray,
    steepest: float,
) -> bool:
    """Is no face of the group too steep for the direction? Faces without area do not count."""
    member = group
    while member >= 0:
        for f in order[start[member] : start[member + 1]]:
            x, y, z = normals[f, 0], normals[f, 1], normals[f, 2]
            if x * direction[0] + y * direction[1] + z * direction[2] < steepest and (x != 0 or y != 0 or z != 0):
                return False
        member = following[member]
    return True


@numba.njit(cache=True, nogil=True)
def profiles(
    points: np.ndarray, faces: np.ndarray, first: np.ndarray, last: np.ndarray, offset: np.ndarray, margin: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest row that each chart touches in each of its columns, with a margin on all sides.

    Args:
        points: (N, 2) texels, each chart from (0, 0).
        faces: (F, 3) sorted by chart.
        first: (C,) first face of each chart; ``last`` (C,) one past its last face.
        last: see ``first``.
        offset: (C + 1,) where each chart's columns start in the result; its width is the difference to the next.
        margin: texels.
    """
    low, high = np.empty(offset[-1]), np.empty(offset[-1])
    low[:], high[:] = np.inf, -np.inf
    for chart in range(len(first)):
        width = offset[chart + 1] - offset[chart]
        for face in range(first[chart], last[chart]):
            for side in range(3):
                a, b = points[faces[face, side]], points[faces[face, (side + 1) % 3]]
                if b[0] < a[0]:
                    a, b = b, a
                slope = (b[1] - a[1]) / (b[0] - a[0]) if b[0] - a[0] > 1e-9 else 0.0
                for column in range(int(a[0]), int(b[0]) + 1):
                    y0 = a[1] + slope * (max(a[0], float(column)) - a[0])
                    y1 = a[1] + slope * (min(b[0], column + 1.0) - a[0]) if slope != 0 else b[1]
                    for k in range(max(column, 0), min(column + 2 * margin + 1, width)):
                        low[offset[chart] + k] = min(low[offset[chart] + k], min(y0, y1))
                        high[offset[chart] + k] = max(high[offset[chart] + k], max(y0, y1) + 2 * margin)
    return low, high


@numba.njit(cache=True, nogil=True)
def pack_charts(low: np.ndarray, high: np.ndarray, offset: np.ndarray, order: np.ndarray, size: int) -> np.ndarray:
    """Column and row (C, 2) of each chart: in order, each as low as it can lie above those before it.

    A chart that finds no place in ``size`` x ``size`` gets -1, and all after it.
    """
    horizon, position = np.empty(size), np.empty((len(order), 2), np.int64)
    horizon[:], position[:] = 0, -1
    for chart in order:
        begin, width = offset[chart], offset[chart + 1] - offset[chart]
        best_x, best_y, tallest = -1, np.inf, 0.0
        for k in range(width):
            tallest = max(tallest, high[begin + k])
        for x in range(size - width + 1):
            y = 0.0
            for k in range(width):
                y = max(y, horizon[x + k] - low[begin + k])
                if y >= best_y:
                    break
            if y < best_y:
                best_x, best_y = x, y
        best_y = np.ceil(best_y)
        if best_x < 0 or best_y + tallest > size:
            return position
        position[chart, 0], position[chart, 1] = best_x, int(best_y)
        for k in range(width):
            horizon[best_x + k] = max(horizon[best_x + k], best_y + high[begin + k])
    return position


@numba.njit(cache=True, nogil=True)
def folded(points: np.ndarray, faces: np.ndarray, size: int) -> np.ndarray:
    """(F,) bool, faces that cover a texel centre that a face before them covers; edges count as not covered.

    Args:
        points: (N, 2) texels.
        faces: (F, 3).
        size: of the square texture, texels.
    """
    owned, result = np.empty((size, size), numba.boolean), np.empty(len(faces), numba.boolean)
    owned[:], result[:] = False, False
    for f in range(len(faces)):
        a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0:
            continue
        for row in range(max(int(min(a[1], b[1], c[1])), 0), min(int(max(a[1], b[1], c[1])) + 1, size)):
            for column in range(max(int(min(a[0], b[0], c[0])), 0), min(int(max(a[0], b[0], c[0])) + 1, size)):
                x, y = column + 0.5, row + 0.5
                u = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area
                v = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area
                if u > 1e-6 and v > 1e-6 and 1 - u - v > 1e-6:
                    if owned[row, column]:
                        result[f] = True
                    owned[row, column] = True
    return result
