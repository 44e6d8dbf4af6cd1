"""Light and paint on an unlit view: surroundings, a lamp with shadow and gloss, dark corners; or a drawing's look."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from zero123pp.images import linear_to_srgb, srgb_to_linear
from zero123pp.train.one_view.irradiance import harmonics
from zero123pp.train.one_view.view import UnlitView

_LINEAR = srgb_to_linear(np.arange(256) / 255).astype(np.float32)
_TO_SRGB = linear_to_srgb(np.linspace(0, 1, 4096)).astype(np.float32)


def lit(view: UnlitView, lights: Sequence[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Front and back (S, S, 3) sRGB 0..1 of a view, in a light drawn by chance."""
    front, back = _LINEAR[view.rgba[..., :3]], _LINEAR[view.back]
    plain = rng.random() < 0.06
    repaint = _repaint(rng, plain)
    front, back = repaint(front), repaint(back)
    style = rng.random()
    if style < 0.22 and not plain:  # unlit, as many models and drawings are
        gain = np.float32(rng.uniform(0.8, 1.1))
        return _srgb(front * gain), _srgb(back * gain)
    met = view.rgba[..., 3] > 127
    if style < 0.34:
        return _drawn(view, front, back, met, rng)
    normals = view.normals[..., :3].astype(np.float32)
    surroundings = _surroundings(view, normals, lights, rng)
    surroundings *= _open_sky(view.layers[0], met, rng.uniform(0, 1.2))[..., None]
    lamp, shine = 0.0, 0.0
    if rng.random() < 0.65:
        strength = rng.uniform(0.2, 1.6) * surroundings[met].mean()
        arrives = view.shadow.astype(np.float32) / 255
        tint = np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
        cosine = np.clip(normals @ view.lamp, 0, 1) * arrives
        lamp = (strength * cosine)[..., None] * tint
        if rng.random() < 0.5:
            half = view.lamp - np.array([0, 0, 1], np.float32)
            half /= np.linalg.norm(half)
            lobe = np.clip(normals @ half, 0, 1) ** rng.uniform(8, 90) * arrives
            shine = (strength * rng.uniform(0.05, 0.8) * lobe)[..., None]
    light = surroundings + lamp
    scale = rng.uniform(0.65, 1.1) / max(np.percentile(light[met].mean(-1), 93), 1e-3)
    mean = light[met].mean(0)
    return _srgb((front * light + shine) * scale), _srgb(back * mean * scale)


def _srgb(linear: np.ndarray) -> np.ndarray:
    return _TO_SRGB[(np.clip(linear, 0, 1) * 4095).astype(np.int32)]


def _repaint(rng: np.random.Generator, plain: bool):
    """One change of colours for both sides: the shape must not hang on the paint."""
    order = rng.permutation(3) if rng.random() < 0.2 else np.arange(3)
    gamma = np.exp(rng.normal(0, 0.25, 3)).astype(np.float32) if rng.random() < 0.5 else None
    gray = np.float32(rng.random()) if rng.random() < 0.12 else 0
    one = rng.uniform(0.1, 0.9, 3).astype(np.float32)

    def repaint(rgb: np.ndarray) -> np.ndarray:
        if plain:
            return np.broadcast_to(one, rgb.shape)
        rgb = rgb[..., order]
        if gamma is not None:
            rgb = np.power(rgb + 1e-5, gamma)
        return rgb * (1 - gray) + gray * rgb.mean(-1, keepdims=True) if gray else rgb

    return repaint


def _surroundings(
    view: UnlitView, normals: np.ndarray, lights: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Irradiance (S, S, 3) of an environment map, turned about the room's vertical."""
    up = view.world_up
    x = np.cross(up, [0.3, 0.1, 1.0])
    x /= np.linalg.norm(x)
    z = np.cross(x, up)
    yaw = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(yaw), np.sin(yaw)
    world = normals @ np.stack([c * x + s * z, up, c * z - s * x]).T.astype(np.float32)
    light = lights[rng.integers(len(lights))] / np.pi
    light = light.astype(np.float32)
    light[1:] *= rng.uniform(0.4, 1.2)
    if rng.random() < 0.6:  # white balance
        light = light * (light[0].mean() / light[0])
    return np.clip(harmonics(world) @ light, 0.02, None)


def _open_sky(front: np.ndarray, met: np.ndarray, strength: float) -> np.ndarray:
    """Darker where the surface lies behind what is round it, at two scales (ambient occlusion on the picture)."""
    if strength < 0.1:
        return np.ones(front.shape, np.float32)
    depth = np.where(met & np.isfinite(front), front, 0)
    out = np.ones(front.shape, np.float32)
    for share in (0.02, 0.06):
        sigma = share * len(front)
        weight = gaussian_filter(met.astype(np.float32), sigma, truncate=2.5)
        behind = depth - gaussian_filter(depth, sigma, truncate=2.5) / np.maximum(weight, 1e-2)
        out *= 1 - 0.5 * strength * np.clip(behind / (6 * share), 0, 0.9)
    return np.clip(out, 0.15, 1)


def _drawn(
    view: UnlitView, front: np.ndarray, back: np.ndarray, met: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Shaded in steps and outlined in ink, as illustrations are."""
    normals = view.normals[..., :3].astype(np.float32)
    shade = normals @ view.lamp
    steps = rng.integers(2, 5)
    dark = np.float32(rng.uniform(0.3, 0.9))
    tone = dark + (1 - dark) * np.clip(np.floor((shade * 0.5 + 0.5) * steps) / (steps - 1), 0, 1)
    picture = _srgb(front * tone[..., None])
    if rng.random() < 0.6:
        depth = np.where(met & np.isfinite(view.layers[0]), view.layers[0], 1.5)
        jump = np.zeros(met.shape, bool)
        sharp = np.zeros(met.shape, bool)
        for axis in (0, 1):
            step = np.abs(np.diff(depth, axis=axis)) > 0.12
            turn = (np.abs(np.diff(normals, axis=axis)).sum(-1) > 1.0) & (rng.random() < 0.7)
            both = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
            jump[both] |= step
            sharp[both] |= turn
        ink = rng.uniform(0, 0.25, 3).astype(np.float32)
        picture = np.where((jump | sharp)[..., None], ink, picture)
    return picture.astype(np.float32), _srgb(back * np.float32(tone[met].mean()))
