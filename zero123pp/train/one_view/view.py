"""One view of an object, unlit: what a sample is made of before light and damage."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from zero123pp.render import Hits, first_hits, ray_layers
from zero123pp.train.one_view.solids import Solid

LEAST_PX = 0.012
"""Share of the crop that an object must cover; less than that shows nothing."""


@dataclass(frozen=True)
class Pose:
    """How an object is turned and looked at."""

    turn: np.ndarray
    """(3, 3) rotation of the object before it is looked at; y is up in the world."""
    azimuth: float
    elevation: float
    roll: float
    fov: float
    """Radians, all of them; of the whole object's sphere."""
    margin: float
    """Side of the crop over the longer side of the object in the picture."""
    usual: bool
    """Whether the object stands as it was made to stand."""


@dataclass(frozen=True)
class UnlitView:
    """Pictures of S px; the camera's frame is x right, y down, z forward."""

    rgba: np.ndarray
    """(S, S, 4) uint8 sRGB, straight alpha."""
    layers: np.ndarray
    """(4, S, S) float32 in half sides of the crop at the object's plane, 0 there, z forward; NaN outside."""
    normals: np.ndarray
    """(S, S, 6) float16, front and back."""
    back: np.ndarray
    """(S, S, 3) uint8 sRGB."""
    shadow: np.ndarray
    """(S, S) uint8, how much of the lamp's light arrives, 255 for all."""
    lamp: np.ndarray
    """(3,) float32 unit vector to the lamp."""
    up: np.ndarray
    """(3,) float32 unit vector, the object's own."""
    world_up: np.ndarray
    """(3,) float32 unit vector, of the room that the light comes from."""
    tan_half_fov: float
    """Across the crop."""
    usual: bool


def draw_pose(rng: np.random.Generator) -> Pose:
    """People photograph from a little above, with any lens, and hold the camera nearly level."""
    usual = rng.random() < 0.75
    elevation = rng.normal(18, 12) if rng.random() < 0.65 else rng.uniform(-20, 60)
    turn = np.eye(3) if usual else _random_rotation(rng)
    return Pose(
        turn=turn,
        azimuth=rng.uniform(0, 2 * np.pi),
        elevation=np.deg2rad(np.clip(elevation, -20, 60)),
        roll=np.deg2rad(rng.normal(0, 3)),
        fov=np.deg2rad(np.clip(rng.normal(30, 8), 13, 50)),
        margin=rng.uniform(1.06, 1.25),
        usual=bool(usual),
    )


def _random_rotation(rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def render_view(solid: Solid, pose: Pose, side: int, rng: np.random.Generator) -> UnlitView | None:
    """The view, or None when hardly anything is seen of the object. ``rng`` places the lamp."""
    world = solid.vertices @ pose.turn.T.astype(np.float32)
    rotation, centre, k = _framed(world, pose)
    points = np.ascontiguousarray((world - centre) @ rotation.T.astype(np.float32))
    hits = ray_layers(points, solid.faces, k, side)
    seen = np.isfinite(hits.depth[0])
    if seen.mean() < LEAST_PX:
        return None
    plane = float((hits.depth[0][seen] + hits.depth[3][seen]).mean() / 2)
    rgba = _picture(solid, points, k, side)
    turn = rotation @ pose.turn
    towards = _rays(k, side)[seen]
    normals = np.zeros((side, side, 6), np.float16)
    normals[seen, :3] = _normals(solid, hits.front, turn, towards, facing=-1)
    normals[seen, 3:] = _normals(solid, hits.back, turn, towards, facing=1)
    back = np.zeros((side, side, 3), np.uint8)
    back[seen] = np.clip(solid.paint(hits.back.face, hits.back.weights) + 0.5, 0, 255)
    lamp = _lamp(rng, rotation)
    return UnlitView(
        rgba, (hits.depth - plane) / (plane * k), normals, back,
        _shadow(points, solid.faces, hits.depth[0], k, lamp, side), lamp,
        (turn[:, 1]).astype(np.float32), rotation[:, 1].astype(np.float32), k, pose.usual,
    )  # fmt: skip


def _framed(world: np.ndarray, pose: Pose) -> tuple[np.ndarray, np.ndarray, float]:
    """Rotation into the camera, the camera's place, and the tangent of half the crop's field of view."""
    distance = 1 / np.sin(pose.fov / 2)
    azimuth, elevation = pose.azimuth, pose.elevation
    place = distance * np.array(
        [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)]
    )
    target = np.zeros(3)
    for _ in range(3):  # the centre of the projected box is the picture's centre
        rotation = _look(target - place, pose.roll)
        seen = (world - place) @ rotation.T
        at = seen[:, :2] / seen[:, 2:]
        low, high = at.min(0), at.max(0)
        target = place + rotation.T @ np.append((low + high) / 2, 1)
    return rotation, place, float((high - low).max() / 2 * pose.margin)


def _look(forward: np.ndarray, roll: float) -> np.ndarray:
    z = forward / np.linalg.norm(forward)
    x = np.cross(z, [0, 1.0, 0])
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    c, s = np.cos(roll), np.sin(roll)
    return np.stack([c * x + s * y, -s * x + c * y, z])


def _rays(k: float, side: int) -> np.ndarray:
    at = ((np.arange(side) + 0.5) / side * 2 - 1) * k
    x, y = np.meshgrid(at, at)
    return np.stack([x, y, np.ones_like(x)], -1).astype(np.float32)


def _picture(solid: Solid, points: np.ndarray, k: float, side: int) -> np.ndarray:
    _, face, weights = first_hits(points, solid.faces, k, 2 * side)
    met = face >= 0
    rgb = np.zeros((2 * side, 2 * side, 3), np.float32)
    rgb[met] = np.clip(solid.paint(face[met], weights[met]), 0, 255)
    count = met.reshape(side, 2, side, 2).sum((1, 3)).astype(np.float32)
    mean = rgb.reshape(side, 2, side, 2, 3).sum((1, 3)) / np.maximum(count, 1)[..., None]
    return np.concatenate([mean, count[..., None] * (255 / 4)], -1).round().astype(np.uint8)


def _normals(solid: Solid, hits: Hits, turn: np.ndarray, rays: np.ndarray, facing: int) -> np.ndarray:
    """In the camera's frame, to the viewer (facing -1) or away from him (1)."""
    n = np.einsum("nk,nkc->nc", hits.weights, solid.normals[hits.face]) @ turn.T.astype(np.float32)
    n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-9)
    wrong = (n * rays).sum(1) * facing < 0
    return np.where(wrong[:, None], -n, n)


def _lamp(rng: np.random.Generator, rotation: np.ndarray) -> np.ndarray:
    """A direction from above, in the camera's frame."""
    d = np.array([rng.normal(), abs(rng.normal()) + 0.3, rng.normal()])
    return (rotation @ (d / np.linalg.norm(d))).astype(np.float32)


def _shadow(
    points: np.ndarray, faces: np.ndarray, depth: np.ndarray, k: float, lamp: np.ndarray, side: int
) -> np.ndarray:
    """How much of the lamp's light arrives at the front, by a shadow map; blurred a little, as lamps are no points."""
    x = np.cross([0, 1.0, 0.1], lamp)
    x /= np.linalg.norm(x)
    frame = np.stack([x, np.cross(lamp, x), -lamp]).astype(np.float32)
    centre = (points.min(0) + points.max(0)) / 2
    far = 40 * np.linalg.norm(points - centre, axis=1).max()  # nearly parallel
    seen = (points - centre) @ frame.T + np.array([0, 0, far], np.float32)
    spread = float(np.abs(seen[:, :2] / seen[:, 2:]).max() * 1.02)
    first, _, _ = first_hits(np.ascontiguousarray(seen), faces, spread, side)
    met = np.isfinite(depth)
    at = (_rays(k, side)[met] * depth[met][:, None] - centre) @ frame.T + np.array([0, 0, far], np.float32)
    px = ((at[:, :2] / at[:, 2:] / spread + 1) * side / 2).astype(np.int64).clip(0, side - 1)
    shadow = np.ones((side, side), np.float32)
    bias = 0.03 * far / 40
    shadow[met] = at[:, 2] < first[px[:, 1], px[:, 0]] + bias
    weight = gaussian_filter(met.astype(np.float32), 0.8)
    shadow = gaussian_filter(np.where(met, shadow, 0), 0.8) / np.maximum(weight, 1e-3)
    return (np.clip(shadow, 0, 1) * 255).astype(np.uint8)
