"""Bends, twists, tapers and bumps of whole objects."""

from dataclasses import replace

import numpy as np

from zero123pp.render.procedural.booleans import NoSolid, refined
from zero123pp.render.procedural.noise import value_noise
from zero123pp.render.procedural.solids import Part, about


def deformed(rng: np.random.Generator, parts: list[Part]) -> list[Part]:
    """All parts under one random deformation; long edges are split first so that they can follow."""
    low = np.min([p.box[0] for p in parts], 0)
    high = np.max([p.box[1] for p in parts], 0)
    size = (high - low).max()
    parts = [_fine(p, size / 12) for p in parts]
    middle = (low + high) / 2
    kind = rng.integers(4)
    turn = about("y", rng.uniform(0, 360)) if rng.random() < 0.7 else about(rng.normal(size=3), rng.uniform(0, 360))
    strength, seed = rng.normal(), int(rng.integers(1 << 20))

    def move(v: np.ndarray) -> np.ndarray:
        q = (v - middle) / size @ turn.T
        q = [_bent, _twisted, _tapered, _bumpy][kind](q, strength, seed)
        return q @ turn * size + middle

    return [replace(p, vertices=move(p.vertices)) for p in parts]


def _fine(part: Part, edge: float) -> Part:
    try:
        return refined(part, edge)
    except NoSolid:
        return part  # open or self-touching: it keeps its edges


def _bent(q: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """The y axis becomes a circle in the plane x, y."""
    curve = 0.9 * np.clip(strength, -1.5, 1.5) or 1e-3
    angle, reach = q[:, 1] * curve, 1 / curve - q[:, 0]
    return np.stack([1 / curve - reach * np.cos(angle), reach * np.sin(angle), q[:, 2]], -1)


def _twisted(q: np.ndarray, strength: float, seed: int) -> np.ndarray:
    angle = q[:, 1] * 1.6 * np.clip(strength, -2, 2)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * q[:, 0] + s * q[:, 2], q[:, 1], -s * q[:, 0] + c * q[:, 2]], -1)


def _tapered(q: np.ndarray, strength: float, seed: int) -> np.ndarray:
    factor = np.clip(1 + 0.7 * strength * q[:, 1], 0.3, 2)[:, None]
    return q * np.concatenate([factor, np.ones_like(factor), factor], 1)


def _bumpy(q: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """Pushed about by smooth noise."""
    cell = 0.22
    push = np.stack([value_noise(q / cell, 2, seed + 31 * i) - 0.5 for i in range(3)], -1)
    return q + 0.12 * np.clip(abs(strength), 0.3, 1.5) * push
