"""Losses of rays through a field, forward and backward in one pass, compiled by Numba.

Everything is in voxels: node (i, j, k) of the grid stands at (i, j, k), distances along rays and signed distances are
lengths in voxels. Kernels are generic in the floating type (float32 to run, float64 to check gradients) and run
without the interpreter's lock; a worker owns the gradient grids, or their planes, that it adds to, so nothing races.
`ray_losses` does all for its rays at once; `trace_rays` and `scatter_rays` are its halves, with the same bytes. What is
computed is written out readably in `reference.py`.
"""

import numba
import numpy as np

from zero123pp.machine import in_threads
from zero123pp.recon.ops.field.neus import logistic, section_transmittance

ORIGIN, DIRECTION, NEAR, FAR, COLOR, ALPHA, WEIGHT, NORMAL, NORMAL_WEIGHT, RAY_SIZE = 0, 3, 6, 7, 8, 11, 12, 13, 16, 17
"""Columns of a ray: origin (3), unit direction (3), first and last distance worth looking at, the pixel's colour (3)
and alpha, the weight of the ray, the pixel's normal in world axes (3) and the weight of that."""

SHARPNESS, STEP, SKIP_SHARE, SKIP_MAX, W_RGB, RGB_SCALE, W_MASK, W_NORMAL, SETTINGS_SIZE = 0, 1, 2, 3, 4, 5, 6, 7, 8
"""Entries of a kernel's settings: sharpness s (1/voxel), step near the surface (voxels), share of the free distance
that is skipped and the longest skip (voxels), weight of the colour loss and the residual at which it turns from
square to linear, weights of the mask loss and of the normal loss."""

LOSS_RGB, LOSS_MASK, LOSS_NORMAL, LOSSES = 0, 1, 2, 3
"""Entries of the sums of losses."""

BAND = 5.0
"""|s f| beyond which the logistic is flat: nearer samples are a step apart, farther ones are skipped over."""
OPAQUE = 0.01
"""A ray ends when less than this share of the light is left."""
LEAST_ALPHA = 1e-4
"""A section with less opacity than this counts as transparent."""
LEAST_WEIGHT = 0.003
"""Colour and normal are looked at only in sections with at least this weight."""

_CLIP_RUNS = 16
"""Runs of rays that are clipped by threads; a ray does not depend on the others."""

_X, _Y, _Z, _CDF, _GRADIENT, _DISTANCE, _SAMPLE_SIZE = 0, 1, 2, 3, 4, 5, 6  # columns of a sample
_LIGHT, _PASSES, _RED, _GRAD_OPACITY, _SECTION_SIZE = 0, 1, 2, 5, 6
# Columns of a section: light in, share that passes, residual of the colour (3), dL/dw.
SAMPLE_SIZE, SECTION_SIZE = _SAMPLE_SIZE, _SECTION_SIZE
"""Columns that `trace_rays` needs for a sample and for a section."""


def sample_limit(resolution: int, step: float) -> int:
    """Samples that a ray through a grid of ``resolution``^3 nodes can need."""
    return int(np.ceil(1.74 * resolution / step)) + 8


@numba.njit(cache=True, nogil=True, inline="always")
def _cell(x, y, z, n):
    """Index of the first node of the cell of a point inside the grid, and the position (3) in the cell."""
    number = type(x)
    i, j, k = min(int(x), n - 2), min(int(y), n - 2), min(int(z), n - 2)
    return (i * n + j) * n + k, x - number(i), y - number(j), z - number(k)


@numba.njit(cache=True, nogil=True, inline="always")
def _middle(samples, near, far, n):
    """`_cell` of the point half-way between two samples."""
    half = samples.dtype.type(0.5)
    return _cell(
        half * (samples[near, _X] + samples[far, _X]),
        half * (samples[near, _Y] + samples[far, _Y]),
        half * (samples[near, _Z] + samples[far, _Z]),
        n,
    )


@numba.njit(cache=True, nogil=True, inline="always")
def _surface(samples, near, far, n):
    """`_cell` of the point between two samples where the distance is 0, or of the one nearer to it.

    With a sharp field nearly all light of a section stops there: the normal half-way between the samples would be
    that of a place up to a third of a voxel before or behind the surface. (Colours are better taken half-way, which
    blurs the grid's noise: measured on unseen objects.)
    """
    zero, one = samples.dtype.type(0), samples.dtype.type(1)
    f, g = samples[near, _DISTANCE], samples[far, _DISTANCE]
    share = min(max(f / max(f - g, samples.dtype.type(1e-6)), zero), one)
    return _cell(
        samples[near, _X] + share * (samples[far, _X] - samples[near, _X]),
        samples[near, _Y] + share * (samples[far, _Y] - samples[near, _Y]),
        samples[near, _Z] + share * (samples[far, _Z] - samples[near, _Z]),
        n,
    )


@numba.njit(cache=True, nogil=True, fastmath=True)
def ray_losses(sdf, color, n, rays, chosen, first, stride, settings, gradient_sdf, gradient_color, losses, limit):
    """Add the losses of every ``stride``-th chosen ray to ``losses`` and their gradients to the gradient grids.

    Args:
        sdf: (n^3,) signed distances, voxels.
        color: (n^3 * 3,) colours.
        n: nodes along an axis.
        rays: (R, RAY_SIZE) table of rays.
        chosen: (B,) int32 rows of ``rays``.
        first: position in ``chosen`` of this worker's first ray.
        stride: number of workers.
        settings: (SETTINGS_SIZE,).
        gradient_sdf: (n^3,) this worker's own; added to.
        gradient_color: (n^3 * 3,) likewise.
        losses: (LOSSES,) likewise.
        limit: see `sample_limit`.
    """
    samples = np.empty((limit, _SAMPLE_SIZE), sdf.dtype)
    sections = np.empty((limit, _SECTION_SIZE), sdf.dtype)
    ends = np.empty(limit, np.int32)
    for index in range(first, len(chosen), stride):
        r = chosen[index]
        sample_count, section_count, light = _march(sdf, n, rays, r, settings, samples, sections, ends)
        tint = _shade(sdf, color, n, rays, r, settings, samples, sections, ends, section_count, light, losses)
        _backward(settings, samples, sections, ends, section_count)
        _scatter(sdf, n, rays, r, settings, samples, sections, ends, sample_count, section_count, tint, 0, n,
                 gradient_sdf, gradient_color, losses)  # fmt: skip


@numba.njit(cache=True, nogil=True, fastmath=True)
def trace_rays(sdf, color, n, rays, rows, settings, samples, sections, ends, extents, tints, losses, limit):
    """The first half of `ray_losses` for the rays ``rows`` (B,): all but adding to the gradient grids.

    Args:
        sdf: (n^3,) signed distances, voxels.
        color: (n^3 * 3,) colours.
        n: nodes along an axis.
        rays: (R, RAY_SIZE) table of rays.
        rows: (B,) int32 rows of ``rays``.
        settings: (SETTINGS_SIZE,).
        samples: (at least B * limit, SAMPLE_SIZE), filled one ray after another, as are the following.
        sections: (at least B * limit, SECTION_SIZE).
        ends: (at least B * limit,) int32.
        extents: (B + 1, 2) int64, where the samples and sections of each ray begin and the last ones end.
        tints: (B, 3) what the colour loss asks of each ray's colour.
        losses: (LOSSES,) added to.
        limit: see `sample_limit`.
    """
    at, section_at = 0, 0
    extents[0, 0], extents[0, 1] = 0, 0
    for index in range(len(rows)):
        r = rows[index]
        own, own_sections = samples[at : at + limit], sections[section_at : section_at + limit]
        own_ends = ends[section_at : section_at + limit]
        sample_count, section_count, light = _march(sdf, n, rays, r, settings, own, own_sections, own_ends)
        tint = _shade(sdf, color, n, rays, r, settings, own, own_sections, own_ends, section_count, light, losses)
        _backward(settings, own, own_sections, own_ends, section_count)
        tints[index, 0], tints[index, 1], tints[index, 2] = tint
        at += sample_count
        section_at += section_count
        extents[index + 1, 0], extents[index + 1, 1] = at, section_at


@numba.njit(cache=True, nogil=True, fastmath=True)
def scatter_rays(
    sdf, n, rays, rows, settings, samples, sections, ends, extents, tints, x_first, x_last,
    gradient_sdf, gradient_color, losses,
):  # fmt: skip
    """The second half of `ray_losses`: add what `trace_rays` found to the planes x_first <= i < x_last of the grids.

    The planes beside those, x_first - 1 and x_last, get some of what is due to them; nobody may look at them.
    """
    for index in range(len(rows)):
        at, stop = extents[index, 0], extents[index + 1, 0]
        section_at, section_stop = extents[index, 1], extents[index + 1, 1]
        tint = (tints[index, 0], tints[index, 1], tints[index, 2])
        _scatter(sdf, n, rays, rows[index], settings, samples[at:stop], sections[section_at:section_stop],
                 ends[section_at:section_stop], stop - at, section_stop - section_at, tint, x_first, x_last,
                 gradient_sdf, gradient_color, losses)  # fmt: skip


# The helpers of the kernels below are inlined, always: a helper that is compiled alone and once more within its caller
# adds in another order in both, and which of them runs would depend on what came from the cache.


@numba.njit(cache=True, nogil=True, fastmath=True, forceinline=True)
def _march(sdf, n, rays, r, settings, samples, sections, ends):
    """Walk along a ray until it is opaque.

    Fills the samples, and the sections between consecutive samples in which light is lost: ``ends[s]`` is the sample
    at the far end of section s, the one before it is at its near end. Returns the number of samples, the number of
    sections, and the share of light that is left.
    """
    number = sdf.dtype.type
    zero, one, least = number(0), number(1), number(1 - LEAST_ALPHA)
    sharpness, step, share, longest = settings[SHARPNESS], settings[STEP], settings[SKIP_SHARE], settings[SKIP_MAX]
    band, opaque, top = number(BAND) / sharpness, number(OPAQUE), number(n - 1)
    ox, oy, oz = rays[r, ORIGIN], rays[r, ORIGIN + 1], rays[r, ORIGIN + 2]
    dx, dy, dz = rays[r, DIRECTION], rays[r, DIRECTION + 1], rays[r, DIRECTION + 2]
    t, far, light = rays[r, NEAR], rays[r, FAR], one
    count, section_count, cdf_before = 0, 0, one
    while t <= far and count < len(samples):
        x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
        x, y, z = min(max(x, zero), top), min(max(y, zero), top), min(max(z, zero), top)
        b, u, v, w = _cell(x, y, z, n)
        f00 = sdf[b] + w * (sdf[b + 1] - sdf[b])
        f01 = sdf[b + n] + w * (sdf[b + n + 1] - sdf[b + n])
        f10 = sdf[b + n * n] + w * (sdf[b + n * n + 1] - sdf[b + n * n])
        f11 = sdf[b + n * n + n] + w * (sdf[b + n * n + n + 1] - sdf[b + n * n + n])
        f0, f1 = f00 + v * (f01 - f00), f10 + v * (f11 - f10)
        f = f0 + u * (f1 - f0)
        cdf = logistic(sharpness * f)
        samples[count, _X], samples[count, _Y], samples[count, _Z] = x, y, z
        samples[count, _CDF], samples[count, _GRADIENT], samples[count, _DISTANCE] = cdf, zero, f
        if count > 0:
            passes = section_transmittance(cdf_before, cdf)
            if passes < least:
                ends[section_count] = count
                sections[section_count, _LIGHT] = light
                sections[section_count, _PASSES] = passes
                section_count += 1
                light *= passes
        count += 1
        if light < opaque:
            break
        cdf_before = cdf
        t += max(step, min(share * (f - band), longest))
    return count, section_count, light


@numba.njit(cache=True, nogil=True, fastmath=True, forceinline=True)
def _shade(sdf, color, n, rays, r, settings, samples, sections, ends, section_count, light, losses):
    """Colour and opacity of a ray and their losses; dL/dw of every section's weight (its _GRAD_OPACITY).

    Returns dL/dcolour of the ray (3).
    """
    number = sdf.dtype.type
    zero, one, two = number(0), number(1), number(2)
    least = number(LEAST_WEIGHT)
    red, green, blue = zero, zero, zero  # residual against the pixel: sum over sections of w (c - target)
    for s in range(section_count):
        near, far = ends[s] - 1, ends[s]
        weight = sections[s, _LIGHT] * (one - sections[s, _PASSES])
        if weight < least:
            continue
        b, u, v, w = _middle(samples, near, far, n)
        for c in range(3):
            at = 3 * b + c
            c00 = color[at] + w * (color[at + 3] - color[at])
            at += 3 * n
            c01 = color[at] + w * (color[at + 3] - color[at])
            at += 3 * n * (n - 1)
            c10 = color[at] + w * (color[at + 3] - color[at])
            at += 3 * n
            c11 = color[at] + w * (color[at + 3] - color[at])
            c0, c1 = c00 + v * (c01 - c00), c10 + v * (c11 - c10)
            sections[s, _RED + c] = c0 + u * (c1 - c0) - rays[r, COLOR + c]
        red += weight * sections[s, _RED]
        green += weight * sections[s, _RED + 1]
        blue += weight * sections[s, _RED + 2]
    # Charbonnier: 2 c^2 (sqrt(1 + r^2 / c^2) - 1), which is r^2 for small residuals and 2 c |r| for large ones.
    scale = settings[RGB_SCALE]
    root = np.sqrt(one + (red * red + green * green + blue * blue) / (scale * scale))
    share = settings[W_RGB] * rays[r, WEIGHT] * rays[r, ALPHA]
    losses[LOSS_RGB] += share * two * scale * scale * (root - one)
    red, green, blue = two * share / root * red, two * share / root * green, two * share / root * blue
    miss = one - light - rays[r, ALPHA]
    losses[LOSS_MASK] += settings[W_MASK] * rays[r, WEIGHT] * miss * miss
    grad_mask = two * settings[W_MASK] * rays[r, WEIGHT] * miss
    for s in range(section_count):
        near, far = ends[s] - 1, ends[s]
        weight = sections[s, _LIGHT] * (one - sections[s, _PASSES])
        sections[s, _GRAD_OPACITY] = grad_mask
        if weight < least:
            continue
        sections[s, _GRAD_OPACITY] += (
            red * sections[s, _RED] + green * sections[s, _RED + 1] + blue * sections[s, _RED + 2]
        )
    return red, green, blue


@numba.njit(cache=True, nogil=True, fastmath=True, forceinline=True)
def _normal_loss(sdf, n, b, u, v, w, rays, r, share, gradient_sdf):
    """``share`` times |grad f - normal|^2 at a point; its gradient goes to the grid, none goes to the weights."""
    number = sdf.dtype.type
    one, two = number(1), number(2)
    nn = n * n
    u0, v0, w0 = one - u, one - v, one - w
    d00, d01 = sdf[b + 1] - sdf[b], sdf[b + n + 1] - sdf[b + n]
    d10, d11 = sdf[b + nn + 1] - sdf[b + nn], sdf[b + nn + n + 1] - sdf[b + nn + n]
    gz = u0 * (v0 * d00 + v * d01) + u * (v0 * d10 + v * d11)
    d00, d01 = sdf[b + n] - sdf[b], sdf[b + n + 1] - sdf[b + 1]
    d10, d11 = sdf[b + nn + n] - sdf[b + nn], sdf[b + nn + n + 1] - sdf[b + nn + 1]
    gy = u0 * (w0 * d00 + w * d01) + u * (w0 * d10 + w * d11)
    d00, d01 = sdf[b + nn] - sdf[b], sdf[b + nn + 1] - sdf[b + 1]
    d10, d11 = sdf[b + nn + n] - sdf[b + n], sdf[b + nn + n + 1] - sdf[b + n + 1]
    gx = v0 * (w0 * d00 + w * d01) + v * (w0 * d10 + w * d11)
    gx, gy, gz = gx - rays[r, NORMAL], gy - rays[r, NORMAL + 1], gz - rays[r, NORMAL + 2]
    loss = share * (gx * gx + gy * gy + gz * gz)
    gx, gy, gz = two * share * gx, two * share * gy, two * share * gz
    for i in range(2):
        px, sx = (u, gx) if i else (u0, -gx)
        for j in range(2):
            py, sy = (v, gy) if j else (v0, -gy)
            for k in range(2):
                pz, sz = (w, gz) if k else (w0, -gz)
                gradient_sdf[b + i * nn + j * n + k] += sx * py * pz + sy * px * pz + sz * px * py
    return loss


@numba.njit(cache=True, nogil=True, fastmath=True, forceinline=True)
def _backward(settings, samples, sections, ends, section_count):
    """From dL/dw of the sections to the gradient of the signed distance of each sample.

    With w_i = T_i alpha_i and T_{i+1} = T_i (1 - alpha_i): dL/dalpha_i = T_i q_i - (sum of w_j q_j over j > i) /
    (1 - alpha_i), where q = dL/dw. The divisor cancels against d alpha_i / df (see `zero123pp.recon.ops.field.neus`).
    """
    number = samples.dtype.type
    zero, one = number(0), number(1)
    behind, sharpness = zero, settings[SHARPNESS]
    for s in range(section_count - 1, -1, -1):
        near, far = ends[s] - 1, ends[s]
        grad_opacity = sections[s, _GRAD_OPACITY]
        common = sharpness * (sections[s, _LIGHT] * sections[s, _PASSES] * grad_opacity - behind)
        samples[near, _GRADIENT] += common * (one - samples[near, _CDF])
        samples[far, _GRADIENT] -= common * (one - samples[far, _CDF])
        behind += sections[s, _LIGHT] * (one - sections[s, _PASSES]) * grad_opacity


@numba.njit(cache=True, nogil=True, fastmath=True, forceinline=True)
def _scatter(
    sdf, n, rays, r, settings, samples, sections, ends, sample_count, section_count, tint, x_first, x_last,
    gradient_sdf, gradient_color, losses,
):  # fmt: skip
    """Add the derivatives of a ray's samples and sections that touch the planes x_first <= i < x_last.

    The losses of normals, on which nothing else depends, are taken here as well, each by one worker.
    """
    number = samples.dtype.type
    zero, one, least = number(0), number(1), number(LEAST_WEIGHT)
    red, green, blue = tint
    before = x_first - 1
    for s in range(section_count):
        near, far = ends[s] - 1, ends[s]
        weight = sections[s, _LIGHT] * (one - sections[s, _PASSES])
        if weight < least:
            continue
        if settings[W_NORMAL] * rays[r, NORMAL_WEIGHT] > zero:
            share = settings[W_NORMAL] * rays[r, NORMAL_WEIGHT] * rays[r, WEIGHT] * weight
            b, u, v, w = _surface(samples, near, far, n)
            plane = b // (n * n)
            if before <= plane < x_last:
                loss = _normal_loss(sdf, n, b, u, v, w, rays, r, share, gradient_sdf)
                losses[LOSS_NORMAL] += loss if plane >= x_first else zero
        b, u, v, w = _middle(samples, near, far, n)
        plane = b // (n * n)
        if not before <= plane < x_last:
            continue
        for i in range(2):
            along_x = weight * (u if i else one - u)
            for j in range(2):
                along_y = along_x * (v if j else one - v)
                for k in range(2):
                    share = along_y * (w if k else one - w)
                    at = 3 * (b + (i * n + j) * n + k)
                    gradient_color[at] += share * red
                    gradient_color[at + 1] += share * green
                    gradient_color[at + 2] += share * blue
    for i in range(sample_count):
        gradient = samples[i, _GRADIENT]
        plane = min(int(samples[i, _X]), n - 2)
        if gradient == zero or not before <= plane < x_last:
            continue
        b, u, v, w = _cell(samples[i, _X], samples[i, _Y], samples[i, _Z], n)
        g1 = gradient * u
        g0 = gradient - g1
        g01, g11 = g0 * v, g1 * v
        g00, g10 = g0 - g01, g1 - g11
        gradient_sdf[b] += g00 * (one - w)
        gradient_sdf[b + 1] += g00 * w
        gradient_sdf[b + n] += g01 * (one - w)
        gradient_sdf[b + n + 1] += g01 * w
        gradient_sdf[b + n * n] += g10 * (one - w)
        gradient_sdf[b + n * n + 1] += g10 * w
        gradient_sdf[b + n * n + n] += g11 * (one - w)
        gradient_sdf[b + n * n + n + 1] += g11 * w


def clip_to_hull(hull, n, rays, reach):
    """Set NEAR and FAR of every ray (R, RAY_SIZE) to where the hull's distance is first and last below ``reach``.

    On entry they hold a range that covers the grid. A ray that never comes so close gets FAR < NEAR.
    """
    runs = max(1, min(_CLIP_RUNS, len(rays)))
    in_threads(lambda run: _clip_to_hull(hull, n, run, reach), np.array_split(rays, runs))


@numba.njit(cache=True, nogil=True, fastmath=True)
def _clip_to_hull(hull, n, rays, reach):
    number = hull.dtype.type
    zero, one, top = number(0), number(1), number(n - 1)
    step, share = number(0.5), number(0.7)
    for r in range(len(rays)):
        ray = rays[r]
        near, far = ray[NEAR], ray[FAR]
        for axis in range(3):
            d = ray[DIRECTION + axis]
            if abs(d) < number(1e-9):
                if not zero <= ray[ORIGIN + axis] <= top:
                    far = near - one
                continue
            a, b = -ray[ORIGIN + axis] / d, (top - ray[ORIGIN + axis]) / d
            near, far = max(near, min(a, b)), min(far, max(a, b))
        t, first, last = near, far + one, near
        while t <= far:
            x = min(max(ray[ORIGIN] + t * ray[DIRECTION], zero), top)
            y = min(max(ray[ORIGIN + 1] + t * ray[DIRECTION + 1], zero), top)
            z = min(max(ray[ORIGIN + 2] + t * ray[DIRECTION + 2], zero), top)
            b, u, v, w = _cell(x, y, z, n)
            f = zero
            for i in range(2):
                for j in range(2):
                    for k in range(2):
                        f += hull[b + (i * n + j) * n + k] * (u if i else one - u) * (v if j else one - v) * (
                            w if k else one - w
                        )  # fmt: skip
            if f < reach:
                first, last = min(first, t), t
            t += max(step, share * (f - reach))
        if first > last:
            ray[NEAR], ray[FAR] = one, zero
        else:
            ray[NEAR], ray[FAR] = max(first - one, near), min(last + one, far)
