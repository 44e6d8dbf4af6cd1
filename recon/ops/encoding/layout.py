"""How the entries of a hash encoding lie in memory: as in tiny-cuda-nn, so that tables go both ways."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zero123pp.errors import ConfigError

PRIMES = (1, 2654435761, 805459861)
"""Factors of the spatial hash, eq. 4 of the paper."""


@dataclass(frozen=True)
class HashLayout:
    """Levels of grids over the unit cube, from coarse to fine.

    Level l has scale ``s_l = base * growth^l - 1``. A point u in [0, 1]^3 lies at ``u s_l + 0.5`` in units of its
    nodes. A level with more nodes than entries shares them by hashing.
    """

    levels: int = 16
    features: int = 2
    """Numbers per entry."""
    log2_entries: int = 15
    """Logarithm of the most entries of a level."""
    base: int = 16
    """Nodes along an axis of the coarsest level."""
    growth: float = 1.3195
    """Factor from level to level."""

    def __post_init__(self) -> None:
        if not (1 <= self.levels <= 32 and 1 <= self.features <= 8 and 4 <= self.log2_entries <= 24):
            raise ConfigError(
                f"hash encoding has {self.levels} levels of {self.features} features and 2^{self.log2_entries} "
                "entries; expected 1 to 32 levels, 1 to 8 features and 2^4 to 2^24 entries"
            )
        if not (2 <= self.base and 1 <= self.growth <= 4 and self.base * self.growth**self.levels < 2**20):
            raise ConfigError(
                f"hash encoding has base {self.base} and growth {self.growth}; expected at least 2 nodes, a factor "
                "from 1 to 4 and fewer than 2^20 nodes at the finest level"
            )

    @property
    def width(self) -> int:
        """Numbers per encoded point."""
        return self.levels * self.features

    @cached_property
    def scales(self) -> np.ndarray:
        """(L,) float32, nodes per unit length less one; in single precision, as tiny-cuda-nn computes it."""
        powers = np.exp2(np.arange(self.levels, dtype=np.float32) * np.log2(np.float32(self.growth)))
        return powers * np.float32(self.base) - np.float32(1)

    @cached_property
    def resolutions(self) -> np.ndarray:
        """(L,) int64 nodes along an axis."""
        return np.ceil(self.scales).astype(np.int64) + 1

    @cached_property
    def offsets(self) -> np.ndarray:
        """(L + 1,) int64 row of the table where each level begins; the last is the number of rows."""
        nodes = -(-(self.resolutions**3) // 8) * 8
        return np.concatenate([[0], np.cumsum(np.minimum(nodes, 2**self.log2_entries))])

    @property
    def entries(self) -> int:
        """Rows of the table."""
        return int(self.offsets[-1])

    @cached_property
    def hashed(self) -> np.ndarray:
        """(L,) bool, whether a level has fewer entries than nodes."""
        return self.resolutions**3 > np.diff(self.offsets)
