"""Folders of posed pictures of a ball, as other tools write them, for the tests of posed views."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 96


def directions(count: int) -> np.ndarray:
    """``count`` unit vectors (count, 3) spread over the sphere, none of them straight up or down (Fibonacci)."""
    index = np.arange(count) + 0.5
    z = 0.85 * (1 - 2 * index / count)
    turn = np.pi * (1 + 5**0.5) * index
    return np.stack([np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn), z], axis=1)


def opengl_pose(direction: np.ndarray, target: np.ndarray, distance: float, roll: float = 0.0) -> np.ndarray:
    """(4, 4) camera to world, OpenGL axes, of a camera that looks at ``target`` from ``direction``, z up."""
    right = np.cross((0, 0, 1), direction)
    right /= np.linalg.norm(right)
    up = np.cross(direction, right)
    c, s = np.cos(roll), np.sin(roll)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([c * right + s * up, c * up - s * right, direction], axis=1)
    pose[:3, 3] = target + distance * direction
    return pose


def ball_picture(pose, centre, radius, *, focal=None, span=None, width=SIZE, height=SIZE, samples=3) -> np.ndarray:
    """(h, w, 4) uint8 picture of a ball in the world's frame whose colour is its normal; exact for either lens."""
    x, y = np.meshgrid((np.arange(width * samples) + 0.5) / samples, (np.arange(height * samples) + 0.5) / samples)
    x, y = x - width / 2, y - height / 2
    rotation, position = pose[:3, :3], pose[:3, 3]
    if span is None:
        towards = np.stack([x / focal, -y / focal, -np.ones_like(x)], -1) @ rotation.T
        towards /= np.linalg.norm(towards, axis=-1, keepdims=True)
        origin = np.broadcast_to(position, towards.shape)
    else:
        unit = span / max(width, height)
        origin = position + np.stack([x * unit, -y * unit, np.zeros_like(x)], -1) @ rotation.T
        towards = np.broadcast_to(-rotation[:, 2], origin.shape)
    b = ((origin - centre) * towards).sum(-1)
    c = ((origin - centre) ** 2).sum(-1) - radius**2
    hit = b**2 > c
    points = origin + (-b - np.sqrt(np.where(hit, b**2 - c, 0)))[..., None] * towards
    color = np.where(hit[..., None], 0.5 + 0.5 * (points - centre) / radius, 0)

    def mean(values):
        return values.reshape(height, samples, width, samples, -1).mean((1, 3))

    alpha = mean(hit.astype(float))
    rgba = np.concatenate([mean(color) / np.maximum(alpha, 1e-6), alpha], axis=-1)
    return np.round(255 * rgba).clip(0, 255).astype(np.uint8)


def ball_folder(
    folder: Path,
    count: int = 8,
    *,
    centre=(3.0, -1.0, 2.0),
    radius: float = 1.7,
    distance: float = 9.0,
    orthographic: bool = False,
    size: tuple[int, int] = (SIZE, SIZE),
    suffix: str = ".png",
) -> dict:
    """Write ``count`` pictures and transforms.json; returns the file's content."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    centre, (width, height) = np.array(centre), size
    focal, span = 0.42 * distance / radius * min(size), 2.6 * radius * max(size) / min(size)
    frames = []
    for index, direction in enumerate(directions(count)):
        # Cameras look a little past the ball, and are rolled: nothing may depend on neat rings.
        target = centre + 0.1 * radius * np.array([np.sin(index), np.cos(index), 0.5])
        pose = opengl_pose(direction, target, distance, roll=0.3 * index)
        lens = {"span": span} if orthographic else {"focal": focal}
        picture = ball_picture(pose, centre, radius, **lens, width=width, height=height)
        Image.fromarray(picture).save(folder / "images" / f"{index:03}.png")
        frames.append({"file_path": f"./images/{index:03}{suffix}", "transform_matrix": pose.tolist()})
    told = {"camera_model": "orthographic", "ortho_scale": span} if orthographic else {"fl_x": focal, "fl_y": focal}
    content = told | {"w": width, "h": height, "frames": frames}
    write(folder, content)
    return content


def write(folder: Path, content: object) -> Path:
    """The content as the folder's transforms.json."""
    path = folder / "transforms.json"
    path.write_text(json.dumps(content))
    return path


def bend(path: Path, lens: dict) -> None:
    """Distort a picture in place as a lens of OpenCV's plain model does: k1, k2, p1, p2, fl_x, w and h of ``lens``.

    Each distorted pixel looks its colour up where fixed-point iteration finds its origin.
    """
    from scipy.ndimage import map_coordinates

    pixels = np.asarray(Image.open(path), float)
    focal, middle = lens["fl_x"], np.array([lens["w"] / 2, lens["h"] / 2])
    columns, rows = np.meshgrid(np.arange(lens["w"]) + 0.5, np.arange(lens["h"]) + 0.5)
    want = np.stack([(columns - middle[0]) / focal, (rows - middle[1]) / focal])
    x, y = want
    for _ in range(100):
        r2 = x * x + y * y
        scale = 1 + lens["k1"] * r2 + lens["k2"] * r2 * r2
        x, y = (
            (want[0] - 2 * lens["p1"] * x * y - lens["p2"] * (r2 + 2 * x * x)) / scale,
            (want[1] - lens["p1"] * (r2 + 2 * y * y) - 2 * lens["p2"] * x * y) / scale,
        )
    at = [y * focal + middle[1] - 0.5, x * focal + middle[0] - 0.5]
    bent = np.stack([map_coordinates(pixels[..., c], at, order=1, mode="nearest") for c in range(4)], -1)
    Image.fromarray(bent.round().astype(np.uint8)).save(path)
