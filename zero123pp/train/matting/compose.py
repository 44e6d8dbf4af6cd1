"""Training pictures: an object with known alpha put on a background, with shadow, distractors and camera faults."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from zero123pp.images import over, premultiply, to_float, to_uint8, unpremultiply
from zero123pp.train.matting.backdrops import photo_crop, random_backdrop

Layer = np.ndarray
"""(S, S, 4) float32: straight colours and alpha on the canvas."""


def compose(
    draw_object: Callable[[np.random.Generator], Image.Image],
    photographs: np.ndarray,
    size_px: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """One training pair.

    Args:
        draw_object: gives a random object as an RGBA picture, cropped to what is visible.
        photographs: (N, P, P, 3) uint8 backgrounds.
        size_px: side of the pair.
        rng: source of chance; the same state gives the same pair.

    Returns:
        Picture (size_px, size_px, 3) uint8 and its true alpha (size_px, size_px) uint8.
    """
    canvas = random_backdrop(photographs, size_px, rng)
    if rng.random() < 0.15:
        canvas = _with_distractors(canvas, draw_object, size_px, rng)
    layer = _object_layer(draw_object, photographs, size_px, rng)
    if rng.random() < 0.15:
        layer = _stacked(_object_layer(draw_object, photographs, size_px, rng), layer)
    layer = _exposure_matched(layer, canvas, rng)
    if rng.random() < 0.7:
        canvas = _with_shadow(canvas, layer[..., 3], rng)
    if rng.random() < 0.06:
        canvas = _with_reflection(canvas, layer, rng)
    picture = over(layer[..., :3], layer[..., 3], canvas)
    return _camera_faults(picture, rng), to_uint8(layer[..., 3])


def _object_layer(
    draw_object: Callable[[np.random.Generator], Image.Image],
    photographs: np.ndarray,
    size_px: int,
    rng: np.random.Generator,
) -> Layer:
    picture = draw_object(rng)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.3:
        picture = picture.rotate(
            rng.normal(0, 12) if rng.random() < 0.6 else rng.uniform(0, 360), Image.Resampling.BICUBIC, expand=True
        )
        picture = picture.crop(picture.getchannel("A").getbbox() or (0, 0, 1, 1))
    extent = rng.uniform(0.3, 0.6) if rng.random() < 0.3 else rng.uniform(0.55, 0.98)
    layer = _placed(picture, extent, size_px, rng)
    return np.concatenate([_repainted(layer[..., :3], photographs, rng), layer[..., 3:]], axis=-1)


def _placed(picture: Image.Image, extent: float, size_px: int, rng: np.random.Generator) -> Layer:
    """The picture with its longer side at ``extent`` of the canvas, mostly inside of it."""
    scale = extent * size_px / max(picture.size)
    size = tuple(max(2, round(side * scale)) for side in picture.size)
    small = picture.convert("RGBa").resize(size, Image.Resampling.BILINEAR, reducing_gap=2).convert("RGBA")
    free = np.array([size_px - size[0], size_px - size[1]])
    at = free * np.clip(rng.normal(0.5, 0.2, 2), 0, 1)
    if rng.random() < 0.1:  # cut by the border of the picture
        at += rng.normal(0, 0.15 * size_px, 2)
    canvas = Image.new("RGBA", (size_px, size_px))
    canvas.paste(small, tuple(int(v) for v in at))
    return to_float(np.asarray(canvas))


def _repainted(rgb: np.ndarray, photographs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other colours and some surface detail: most training meshes are flat-coloured kits, few real things are."""
    if rng.random() < 0.35:
        rgb = rgb[..., rng.permutation(3)]
    if rng.random() < 0.1:
        rgb = np.repeat(rgb.mean(-1, keepdims=True), 3, axis=-1)
    if rng.random() < 0.15:  # white china on white paper, black cases on black cloth
        rgb = rgb + rng.uniform(0.6, 0.95) * ((rng.uniform(0.8, 1.0) if rng.random() < 0.75 else 0.03) - rgb)
    if rng.random() < 0.35:
        detail = photo_crop(photographs, rgb.shape[0], rng)
        strength = rng.uniform(0.2, 1.0)
        rgb = rgb * (1 + strength * (detail / max(float(detail.mean()), 0.05) - 1))
    gain = rng.normal(1, 0.1, 3) * rng.uniform(0.7, 1.25)
    return np.clip(rgb * gain, 0, 1).astype(np.float32) ** np.float32(rng.uniform(0.65, 1.5))


def _exposure_matched(layer: Layer, canvas: np.ndarray, rng: np.random.Generator) -> Layer:
    """Sometimes closer to the background's mean colour, so that brightness alone does not tell them apart."""
    if rng.random() < 0.65 or layer[..., 3].sum() < 1:
        return layer
    weight = layer[..., 3:]
    mean = (layer[..., :3] * weight).sum((0, 1)) / weight.sum()
    rgb = layer[..., :3] + rng.uniform(0.2, 0.9) * (canvas.mean((0, 1)) - mean)
    return np.concatenate([np.clip(rgb, 0, 1), weight], axis=-1).astype(np.float32)


def _stacked(below: Layer, above: Layer) -> Layer:
    """Two layers as one."""
    alpha = above[..., 3] + below[..., 3] * (1 - above[..., 3])
    rgb = over(above[..., :3], above[..., 3], premultiply(below)[..., :3])
    return unpremultiply(np.dstack([rgb, alpha]), 1e-4).astype(np.float32)


def _with_distractors(canvas: np.ndarray, draw_object: Callable, size_px: int, rng: np.random.Generator) -> np.ndarray:
    """Small things near the border of the picture that belong to the background."""
    for _ in range(rng.integers(1, 4)):
        layer = _placed(draw_object(rng), rng.uniform(0.06, 0.2), size_px, rng)
        shift = rng.choice([-1, 1], 2) * rng.uniform(0.2, 0.5, 2) * size_px
        layer = np.roll(layer, shift.astype(int), axis=(0, 1))
        canvas = over(layer[..., :3], layer[..., 3], canvas)
    return canvas.astype(np.float32)


def _with_shadow(canvas: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A contact shadow and often a cast one, both from the outline of the object pressed to the ground."""
    rows = np.flatnonzero((alpha > 0.5).any(axis=1))
    if not len(rows):
        return canvas
    size, bottom, height = alpha.shape[0], rows[-1], rows[-1] - rows[0] + 1
    outline = Image.fromarray(to_uint8(alpha))
    shade = np.zeros_like(alpha)
    for squash, lean in [(rng.uniform(0.05, 0.2), 0.0), (rng.uniform(0.15, 0.6), rng.normal(0, 1.2))][
        : rng.integers(1, 3)
    ]:
        # Affine map from the shadow's pixels to the outline's: rows squeezed towards the ground line, then sheared.
        ground = bottom - rng.uniform(0, 0.06) * height
        coefficients = (1, -lean, lean * ground, 0, 1 / squash, ground - ground / squash)
        if rng.random() < 0.3:  # towards the viewer
            coefficients = (1, lean, -lean * ground, 0, -1 / squash, ground + ground / squash)
        cast = outline.transform((size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
        cast = cast.filter(ImageFilter.GaussianBlur(rng.uniform(0.005, 0.05) * size))
        shade = np.maximum(shade, to_float(np.asarray(cast)) * rng.uniform(0.15, 0.8))
    return (canvas * (1 - shade[..., None])).astype(np.float32)


def _with_reflection(canvas: np.ndarray, layer: Layer, rng: np.random.Generator) -> np.ndarray:
    """The object upside down below itself, faded, as on a glossy table."""
    rows = np.flatnonzero((layer[..., 3] > 0.5).any(axis=1))
    if not len(rows):
        return canvas
    size, bottom = layer.shape[0], rows[-1]
    count = min(size - 1 - bottom, bottom + 1)
    fade = (rng.uniform(0.15, 0.5) * np.linspace(1, 0, size)[:count])[:, None]
    mirrored = layer[bottom - count + 1 : bottom + 1][::-1]
    result = canvas.copy()
    strip = slice(bottom + 1, bottom + 1 + count)
    result[strip] = over(mirrored[..., :3], mirrored[..., 3] * fade, canvas[strip])
    return result


def _camera_faults(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, noise, colour cast, contrast and JPEG blocks; to uint8."""
    if rng.random() < 0.5:
        picture = np.clip(picture * rng.normal(1, 0.05, 3) * rng.uniform(0.75, 1.2), 0, 1) ** rng.uniform(0.75, 1.3)
    if rng.random() < 0.04:
        picture = np.repeat(picture.mean(-1, keepdims=True), 3, axis=-1)
    image = Image.fromarray(to_uint8(picture))
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.3)))
    if rng.random() < 0.4:
        noise = rng.normal(0, rng.uniform(0.005, 0.05), picture.shape).astype(np.float32)
        image = Image.fromarray(to_uint8(to_float(np.asarray(image)) + noise))
    if rng.random() < 0.6:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(rng.uniform(35, 95)))
        image = Image.open(buffer)
    return np.array(image)
