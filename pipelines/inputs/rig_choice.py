"""By which rig a sheet was drawn, told by its silhouettes: those of one solid agree under the true cameras only."""

from dataclasses import replace

from zero123pp.errors import StageFailed
from zero123pp.machine import in_threads
from zero123pp.rigs import RIGS
from zero123pp.types import MultiView

CLEAR = 2.0
"""How many times more the silhouettes must contradict each other under every other rig."""
WORSE_PX = 0.03
"""And by at least so much; below it they agree well, as those of a ball do under any rig."""


def with_likely_rig(views: MultiView) -> MultiView:
    """A sheet's views with the cameras of the rig under which their silhouettes agree, and a note that says so.

    Where no rig is clearly better they keep the one they have, and the note asks for it.

    Args:
        views: six of a sheet whose rig nobody named.
    """
    from zero123pp.recon.consistency import inconsistency_px

    under = {name: _under(views, name) for name in RIGS}
    try:
        off = dict(zip(under, in_threads(lambda each: inconsistency_px(each.views), under.values())))
    except StageFailed:  # a view without an object: told by those who need it
        return views
    best, second = sorted(off, key=off.__getitem__)[:2]
    if off[second] > WORSE_PX and off[second] > CLEAR * off[best]:
        return replace(under[best], note=f"the sheet was drawn by rig {best}, its silhouettes say; --rig names another")
    return replace(
        views, note=f"taken for a sheet of rig {views.rig}, which its silhouettes do not tell; name its --rig"
    )


def _under(views: MultiView, name: str) -> MultiView:
    """The same pictures from the cameras of another rig."""
    cameras = RIGS[name].cameras(views.views[0].camera.width)
    moved = (replace(view, camera=camera) for view, camera in zip(views.views, cameras))
    return replace(views, rig=name, views=tuple(moved))
