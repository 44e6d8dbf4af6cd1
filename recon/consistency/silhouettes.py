"""How far silhouettes contradict each other."""

from collections.abc import Sequence

import numpy as np

from zero123pp.machine import in_threads
from zero123pp.types import View

_NODES = 64
_MARGIN_PX = 2


def inconsistency_px(views: Sequence[View]) -> float:
    """Mean distance by which the outlines lie outside of the visual hull's, px of a 320 px tile of the rigs.

    The hull of silhouettes of one solid fills each of them; of others it leaves some of their pixels empty (Hernandez
    et al., "Silhouette coherence for camera calibration under circular motion", PAMI 2007). Below 0.01 for exact
    pictures, 0.1 to 2 for pictures that are warped by 3 px. Infinite when no place is inside of all silhouettes.

    Raises StageFailed when a view shows no object.
    """
    from concurrent.futures import ThreadPoolExecutor

    from zero123pp.recon.fitting import Silhouettes, shown_radius, targets
    from zero123pp.recon.ops import shrunk
    from zero123pp.recon.ops.field import rays as ray

    radius = shown_radius(views)
    with ThreadPoolExecutor(2) as pool:
        hull = Silhouettes(views, pool).grid(_NODES, radius, radius=radius)
    voxel = 2 * radius / (_NODES - 1)
    if not (hull < 0).any():
        return float("inf")
    # Pixels of a voxel: the hull knows nothing finer.
    small = in_threads(lambda view: shrunk(view, voxel / targets.pixel_size(view)), views)
    table = targets.ray_table(small, radius, _NODES, _MARGIN_PX)
    # Nor do outlines know anything finer than the pixels they come in.
    tolerance = 0.5 + 0.5 * max(targets.pixel_size(view) for view in views) / voxel
    ray.clip_to_hull((hull / voxel).astype(np.float32).reshape(-1), _NODES, table, np.float32(tolerance))
    alpha = table[:, ray.ALPHA]
    empty = table[:, ray.FAR] <= table[:, ray.NEAR]
    outline = np.count_nonzero((alpha > 0.02) & (alpha < 0.98))
    return float(alpha[empty].sum() / max(outline, 1) * voxel / (2 * radius) * 320)
