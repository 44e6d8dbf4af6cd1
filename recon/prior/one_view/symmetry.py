"""Symmetry that a guessed solid nearly has: found, tested against what the picture shows, and used for what it hides.

A mirror plane stands upright. It is tried on the visible surface alone: what is seen on one side must not, mirrored,
stand in front of what is seen on the other or outside of the outline; where it meets the visible surface it is
evidence, and where it lands behind, it shows the hidden side. A body of revolution is as wide as the outline at each
height; the visible surface must bulge as it does.
"""

from dataclasses import dataclass, replace

import numpy as np

from zero123pp.recon.prior.one_view.maps import Maps
from zero123pp.recon.prior.one_view.solid import Grid, Sheets
from zero123pp.recon.prior.one_view.upright import world_axes

_POINTS = 1500
"""Visible points that planes and axes are tried on."""

_TURN_DEG = 6.0
"""Between the planes that are tried at first."""

_NEAR = 0.035
"""Half sides of the crop; a mirrored point as near as this to the visible surface lies on it."""

_MOST_WRONG = 0.012
"""Mean distance, half sides of the crop, by which mirrored points may stand where the picture shows that nothing is."""

_LEAST_EVIDENCE = 0.3
"""Share of the mirrored points that must lie on the visible surface."""

_HIDDEN_TRUST = 0.12
"""Weight of the distances behind the visible surface, over those in front of it."""

_THIN = 12.0
"""Steps; things thinner than this along a ray are left as they are, which a mirror a little aside would dissolve."""

_FILLING = 0.3
"""Steps; where the hidden halves differ, solid wins by this much."""

_BINS = 40
"""Heights at which a body of revolution has a radius."""

_OTHER = 0.35
"""Difference of the depths of body and visible surface, over the largest radius, that makes it another thing."""

_BEYOND = 2.0
"""Steps by which a body reaches beyond the outline, which cuts it: no rim of something else is left beside it."""

_WALL = 3.0
"""Steps; a hollow leaves this much of a body."""

_MOST_UNROUND = 0.055
"""Mean deviation of the visible surface from a body of revolution, over half its width."""


@dataclass(frozen=True)
class Visible:
    """What the picture shows of the object, in the camera's axes about its plane; half sides of the crop."""

    points: np.ndarray
    """(P, 3) of the visible surface, a regular sample."""
    within: np.ndarray
    """(Q, 3) of all of the front sheet inside the outline, likewise."""
    front: np.ndarray
    """(N, N) depth of the visible surface along each ray."""
    back: np.ndarray
    """(N, N) depth of the guessed other side."""
    edge: np.ndarray
    """(N, N) distance from the outline, negative inside."""
    tan_half_fov: float

    @classmethod
    def of(cls, sheets: Sheets, tan_half_fov: float) -> "Visible":
        """The front sheet, but for what runs along the line of sight."""
        step = 2 / len(sheets.edge)
        down, across = np.gradient(sheets.front, step)

        def points(where: np.ndarray, most: int) -> np.ndarray:
            rows, columns = np.nonzero(where)
            some = slice(None, None, max(1, len(rows) // most))
            rows, columns = rows[some], columns[some]
            z = sheets.front[rows, columns]
            uv = np.stack([columns, rows], -1) * step + step / 2 - 1
            return np.concatenate([uv * (1 + z * tan_half_fov)[:, None], z[:, None]], 1)

        shown = points((sheets.edge < -2 * step) & (np.hypot(down, across) < 4), _POINTS)
        return cls(shown, points(sheets.edge < 0, 10**9), sheets.front, sheets.back, sheets.edge, tan_half_fov)

    def looked_up(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Depths (P,) of front and back and the distance from the outline, on the rays through points (P, 3)."""
        size = len(self.edge)
        uv = points[:, :2] / (1 + points[:, 2:] * self.tan_half_fov)
        column, row = np.clip(((uv + 1) / 2 * size).astype(int), 0, size - 1).T
        beyond = np.maximum(np.abs(uv).max(1) - 1, 0)
        return self.front[row, column], self.back[row, column], self.edge[row, column] + beyond


@dataclass(frozen=True)
class Plane:
    """A mirror: the points x with normal . x = offset."""

    normal: np.ndarray
    """(3,) unit."""
    offset: float

    def mirrored(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) on the other side."""
        return points - 2 * ((points @ self.normal) - self.offset)[..., None] * self.normal


def symmetrised(grid: Grid, sheets: Sheets, maps: Maps, wanted: str) -> tuple[Grid, str]:
    """The solid with the symmetry that was found, or wanted, and its name: 'none', 'mirror' or 'lathe'.

    Args:
        grid: distances, see `solid.filled`.
        sheets: what the grid was filled from.
        maps: of the network.
        wanted: 'off', 'mirror', 'lathe', or 'auto' for one that holds.
    """
    if wanted == "off":
        return grid, "none"
    visible = Visible.of(sheets, maps.tan_half_fov)
    if len(visible.points) < 50:
        return grid, "none"
    if wanted in ("auto", "lathe"):
        body = found_body(visible, maps.up)
        if wanted == "lathe" or body.unround < _MOST_UNROUND:
            return with_body(grid, sheets, body, maps.tan_half_fov), "lathe"
    plane, wrong, evidence = best_plane(visible, maps.up)
    if wanted == "mirror" or (wrong < _MOST_WRONG and evidence > _LEAST_EVIDENCE):
        return with_mirror(grid, sheets, plane, maps.tan_half_fov), "mirror"
    return grid, "none"


def best_plane(visible: Visible, up: np.ndarray) -> tuple[Plane, float, float]:
    """The upright plane that the visible surface contradicts least, by how much, and its evidence, see `tested`."""
    from scipy.optimize import minimize

    axes = world_axes(up)
    middle = visible.points.mean(0)
    reach = np.abs((visible.points - middle) @ axes.T).max()

    def plane(turn: float, shift: float, lean: float) -> Plane:
        normal = np.cos(lean) * (np.cos(turn) * axes[0] + np.sin(turn) * axes[2]) + np.sin(lean) * axes[1]
        return Plane(normal, float(normal @ middle) + shift)

    def cost(at: np.ndarray) -> float:
        wrong, evidence = tested(plane(*at), visible)
        return wrong + _NEAR * (1 - evidence) + 0.02 * abs(at[2])

    starts = [
        np.array([turn, shift * reach, 0.0])
        for turn in np.deg2rad(np.arange(-90, 90, _TURN_DEG))
        for shift in (-0.15, 0.0, 0.15, 0.3)
    ]
    costs = [cost(start) for start in starts]
    best = starts[int(np.argmin(costs))]
    simplex = best + np.concatenate([np.zeros((1, 3)), np.diag([0.08, 0.08 * reach, 0.05])])
    found = minimize(cost, best, method="Nelder-Mead", options={"maxiter": 80, "initial_simplex": simplex}).x
    chosen = plane(*found)
    return chosen, *tested(chosen, visible)


def tested(plane: Plane, visible: Visible) -> tuple[float, float]:
    """How wrong the mirrored visible surface is on average, half sides of the crop, and the share that is evidence."""
    points = plane.mirrored(visible.points)
    front, back, edge = visible.looked_up(points)
    before = np.where(edge < 0, np.maximum(front - points[:, 2], 0), 0)
    behind = np.where(edge < 0, np.maximum(points[:, 2] - back, 0), 0)
    wrong = np.minimum(np.maximum(edge, 0) + before + 0.3 * behind, 0.3)
    on_it = (edge < _NEAR) & (np.abs(points[:, 2] - front) < _NEAR)
    return float(wrong.mean()), float(on_it.mean())


def with_mirror(grid: Grid, sheets: Sheets, plane: Plane, tan_half_fov: float) -> Grid:
    """Distances averaged with those in the mirror; what is seen counts for more than what is hidden behind it."""
    from zero123pp.recon.prior.one_view.kernels import mirrored_mean

    thin = sheets.back - sheets.front < _THIN * grid.step  # all of it is as good as seen
    field = mirrored_mean(
        grid.field,
        np.where(thin, 1e3, sheets.front).astype(np.float32),
        np.float32(grid.first),
        np.float32(grid.step),
        plane.normal.astype(np.float32),
        np.float32(plane.offset),
        np.float32(tan_half_fov),
        np.float32(_HIDDEN_TRUST),
        np.float32(_FILLING),
    )
    outline = np.clip(sheets.edge / grid.step, -3, 3)[..., None].astype(np.float32)
    return replace(grid, field=np.maximum(field, outline))


@dataclass(frozen=True)
class Body:
    """A body of revolution about an upright axis."""

    up: np.ndarray
    """(3,) unit, direction of the axis."""
    foot: np.ndarray
    """(3,) a point of it."""
    heights: np.ndarray
    """(B,) along the axis from that point, even steps."""
    radii: np.ndarray
    """(B,)."""
    unround: float
    """Mean deviation of the visible surface, over half its width; infinite where too little of it is seen."""


def found_body(visible: Visible, up: np.ndarray) -> Body:
    """The body of revolution inside the outline that fits the visible surface best, with an axis along ``up``.

    At each height it is as wide as the outline allows on both sides of the axis, so a handle on one side does not
    count; the axis is where that leaves the least deviation of the visible depths.
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.optimize import minimize_scalar

    axes = world_axes(up)
    local, rim = visible.points @ axes.T, visible.within @ axes.T  # x right, y up, z towards the camera
    bins = np.linspace(rim[:, 1].min(), rim[:, 1].max() + 1e-6, _BINS + 1)
    index, of_rim = (np.clip(np.digitize(part[:, 1], bins) - 1, 0, _BINS - 1) for part in (local, rim))
    left, right = np.full(_BINS, np.inf), np.full(_BINS, -np.inf)
    np.minimum.at(left, of_rim, rim[:, 0])
    np.maximum.at(right, of_rim, rim[:, 0])
    seen = np.isfinite(left)
    spread = float((right[seen] - left[seen]).max()) / 2

    def body_at(x: float) -> tuple[np.ndarray, float, float]:
        radii = np.where(seen, np.minimum(x - left, right - x), 0)
        radii = gaussian_filter1d(np.maximum(radii, 0), 1.0, mode="nearest")
        inside = np.abs(local[:, 0] - x) < 0.9 * radii[index]
        if inside.sum() < 0.5 * len(local):
            return radii, 0.0, np.inf
        bulge = np.sqrt(radii[index[inside]] ** 2 - (local[inside, 0] - x) ** 2)
        depth = np.median(local[inside, 2] - bulge)
        return radii, float(depth), float(np.abs(local[inside, 2] - bulge - depth).mean()) / max(spread, 1e-6)

    low, high = np.median(left[seen]), np.median(right[seen])
    middle, slack = (low + high) / 2, 0.25 * (high - low)
    found = minimize_scalar(
        lambda x: min(body_at(x)[2], 1.0) - 0.1 * body_at(x)[0].mean() / max(spread, 1e-6),
        bounds=(middle - slack, middle + slack),
        method="bounded",
        options={"maxiter": 25},
    ).x
    radii, depth, unround = body_at(float(found))
    wider = radii + _BEYOND * 2 / len(visible.edge)
    return Body(axes[1], axes.T @ [found, 0, depth], (bins[:-1] + bins[1:]) / 2, wider, unround)


def with_body(grid: Grid, sheets: Sheets, body: Body, tan_half_fov: float) -> Grid:
    """Distances of the body behind the visible surface; the rest (handles, spouts, hollows) stays as it is."""
    from zero123pp.recon.prior.one_view.kernels import body_distances

    farthest = float(body.foot[2] + body.radii.max() + np.abs(body.up[2] * body.heights).max())
    more = max(0, int(np.ceil((farthest - grid.first) / grid.step)) + 4 - grid.field.shape[2])
    field = np.pad(grid.field, ((0, 0), (0, 0), (0, more)), constant_values=grid.field.max())
    sizes = (np.float32(value) for value in (grid.first, grid.step, tan_half_fov))
    shape = (part.astype(np.float32) for part in (body.up, body.foot, body.heights, body.radii))
    distances = body_distances(field.shape[2], len(field), *sizes, *shape)
    depths = grid.first + np.arange(field.shape[2], dtype=np.float32) * grid.step
    inside = distances < 0
    meets = inside.any(-1)  # rays beside the body show other things
    begins = depths[inside.argmax(-1)]
    # Where the body begins where the surface is seen it takes the ray over; else what is hidden behind the surface.
    differs = np.abs(sheets.front - begins) / (_OTHER * body.radii.max())
    agrees = (meets * np.clip(2 - 2 * differs, 0, 1))[..., None]
    hidden = np.clip((depths - sheets.front[..., None]) / (3 * grid.step) - 1, 0, 1)
    hollow = (depths > sheets.hollow_front[..., None]) & (depths < sheets.hollow_back[..., None])
    hollow &= (field > 0) & (distances < -_WALL)
    share = np.maximum(agrees, hidden * meets[..., None]) * ~hollow
    field += share.astype(np.float32) * (np.clip(distances, -3, 3) - field)
    outline = np.clip(sheets.edge / grid.step, -3, 3)[..., None].astype(np.float32)
    return replace(grid, field=np.maximum(field, outline))
