"""How far an object is turned to the side.

Of many a picture it is hard to tell which of two sides is nearer. A network that is paid for distances says something
between the two, so the middle surface of what it sees slopes too little from left to right. From top to bottom it
does not: gravity tells how most things stand.
"""

import numpy as np


def turned_more(depths: np.ndarray, inside: np.ndarray, factor: float) -> np.ndarray:
    """Depths with the slope of their middle surface from left to right multiplied, and nothing else changed.

    Args:
        depths: (4, S, S) of the layers of `Maps`, half sides of the crop.
        inside: (S, S) bool, the pixels that show the object.
        factor: 1 leaves the depths as they are.
    """
    if factor == 1 or not inside.any():
        return depths
    at = (np.arange(depths.shape[-1]) + 0.5) / depths.shape[-1] * 2 - 1
    down, across = np.meshgrid(at, at, indexing="ij")
    plane = np.stack([across, down, np.ones_like(down)], -1)[inside]
    slope = np.linalg.lstsq(plane, (depths[0] + depths[3])[inside] / 2, rcond=None)[0][0]
    return depths + ((factor - 1) * slope * (across - across[inside].mean())).astype(depths.dtype)
