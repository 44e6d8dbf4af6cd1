"""What the shape prior's network costs: one picture as `preview` asks it (it and its mirror image).

    python benchmarks/prior_network.py

prints wall and processor seconds, the medians of nine, of the network alone and of the whole guess of a solid.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from zero123pp.images import to_float
from zero123pp.pipelines.cutout import CutoutConfig, cut_out
from zero123pp.pipelines.inputs.read_image import read_image
from zero123pp.recon.prior import runtime
from zero123pp.recon.prior.single import guess_solid

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "toy.png"


class Clocked(runtime.Prior):
    """Adds up what its three networks and the look-ups between them take."""

    spent = np.zeros(2)

    def encode(self, *given: object) -> runtime.Encoded:
        """As the base."""
        return self._clocked(super().encode, *given)

    def volume(self, *given: object) -> np.ndarray:
        """As the base."""
        return self._clocked(super().volume, *given)

    def decode(self, *given: object) -> tuple[np.ndarray, np.ndarray]:
        """As the base."""
        return self._clocked(super().decode, *given)

    def _clocked(self, step: Callable, *given: object) -> object:
        start = _now()
        result = step(*given)
        self.spent = self.spent + (_now() - start)
        return result


def main() -> None:
    """Print the table."""
    prior = Clocked()
    cutout = cut_out(read_image(PICTURE), CutoutConfig())
    rgba = to_float(cutout.rgba)
    print("| | network, wall s | network, processor s | whole, wall s |\n|---|--:|--:|--:|")
    rows = []
    for _ in range(10):
        prior.spent, start = np.zeros(2), _now()
        guess_solid(rgba, prior)
        rows.append([*prior.spent, (_now() - start)[0]])
    print("| one picture | " + " | ".join(f"{value:.2f}" for value in np.median(rows[1:], 0)) + " |")


def _now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


if __name__ == "__main__":
    main()
