"""Vertex attributes at the pixels of a picture, compiled by Numba; import this module only where it runs."""

import numba


@numba.njit(cache=True, nogil=True)
def interpolate(faces, values, face, barycentric, result):
    """Fill ``result`` with what `zero123pp.recon.ops.raster.Fragments.interpolate` returns."""
    n = 0
    for row in range(face.shape[0]):
        for column in range(face.shape[1]):
            f = face[row, column]
            if f < 0:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            u, v, w = barycentric[row, column, 0], barycentric[row, column, 1], barycentric[row, column, 2]
            for k in range(values.shape[1]):
                result[n, k] = values[a, k] * u + values[b, k] * v + values[c, k] * w
            n += 1
