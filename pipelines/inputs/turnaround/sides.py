"""The sides from which a turnaround shows its figure, and which picture is which. Light."""

from collections.abc import Sequence
from pathlib import Path

from zero123pp.errors import BadInput

AZIMUTHS_DEG = {"front": 0.0, "left": 90.0, "back": 180.0, "right": 270.0}
"""Side of the figure to where it is seen from; its left side is seen with its face to the left of the picture."""

TURNAROUNDS = {
    "turnaround4": ("front", "left", "back", "right"),
    "turnaround3": ("front", "left", "back"),
    "frontback": ("front", "back"),
}
"""Name of the rig to its sides, in the order of a sheet's figures."""

_OTHER_WORDS = {"side": "left", "profile": "left", "rear": "back"}


def ordered(paths: Sequence[str | Path], rig: str) -> tuple[list[str | Path], list[str]]:
    """Pictures of a turnaround and the side that each shows: by their names if all tell it, else in the rig's order.

    A name tells a side by one of the words front, left, side, back, rear, right.

    Raises BadInput for another number of pictures than the rig has sides, and for a side that comes twice.
    """
    sides = TURNAROUNDS[rig]
    if len(paths) != len(sides):
        raise BadInput(
            f"{len(paths)} pictures given for {rig}; expected {len(sides)}: {', '.join(sides)} (or one sheet of them)"
        )
    told = [_told(path) for path in paths]
    if None in told:
        return list(paths), list(sides)
    twice = [side for side in dict.fromkeys(told) if told.count(side) > 1]
    if twice:
        raise BadInput(f"two of the pictures are called {twice[0]}; expected one each of {', '.join(sides)}")
    if not {"front", "back"} <= set(told):
        raise BadInput(f"the pictures are called {', '.join(told)}; {rig} takes {', '.join(sides)}")
    return list(paths), told


def _told(path: str | Path) -> str | None:
    words = Path(path).stem.lower().replace("-", "_").replace(" ", "_").replace(".", "_").split("_")
    found = {_OTHER_WORDS.get(word, word) for word in words} & set(AZIMUTHS_DEG)
    return found.pop() if len(found) == 1 else None
