"""The source that needs no download: a small network guesses the solid behind the picture (`zero123pp.recon.prior`)."""

from dataclasses import dataclass, field, replace

import numpy as np

from zero123pp.cameras import project
from zero123pp.errors import BadInput, StageFailed
from zero123pp.images import to_float, to_uint8
from zero123pp.pipelines.cutout import without_fringe
from zero123pp.pipelines.models.guessed import Guess, GuessedModel
from zero123pp.recon.meshing import smooth_normals
from zero123pp.recon.ops import bilinear
from zero123pp.recon.prior import SingleConfig, SingleGuess, guess_solid
from zero123pp.types import Camera, Cutout, Mesh, Part, TexturedMesh

_SEEN_PX = 512
"""Side of the picture in which it is looked up what the input camera sees."""

_FADE = 0.04
"""Distance over the surface, world units, on which the picture's colours give way to the network's."""

_INFLATED_NOTE = (
    "The small network saw no such solid in the picture: the shape and the back are guessed from its outline alone; "
    "views from the official Zero123++ weights give a better object."
)


@dataclass(frozen=True)
class PreviewConfig:
    """How the preview guesses."""

    shape: SingleConfig = field(default_factory=SingleConfig)
    """See `SingleConfig`."""
    least_overlap: float = 0.6
    """Intersection over union of the solid's outline and the picture's, below which the outline is inflated instead:
    hairs are thinner than the network's grid."""


class PreviewModel(GuessedModel):
    """A source whose small network ships with the package; without chance."""

    name = "preview"
    note = (
        "The shape, and the colours of what the picture does not show, are guessed by a small network; "
        "views from the official Zero123++ weights give a better object."
    )

    def __init__(self, config: PreviewConfig = PreviewConfig()) -> None:
        self.config = config

    def guess(self, cutout: Cutout) -> Guess:
        """The network's solid, with the picture on what the camera sees of it.

        The front camera stands at azimuth 0 and the elevation that the network estimates. What the network cannot see
        at all is inflated, see `PreviewConfig`, and the guess's note says so. Raises BadInput when the cutout is empty.
        """
        from zero123pp.recon.prior import bundled_prior

        rgba = to_float(cutout.rgba)
        if not (rgba[..., 3] > 0.5).any():
            raise BadInput("the silhouette is empty: no pixel is more than half opaque; check the cutout")
        try:
            solid = guess_solid(rgba, bundled_prior(), self.config.shape)
            face = _faces_seen(solid.mesh, solid.camera)
            is_seen = _overlap(face >= 0, rgba[..., 3]) >= self.config.least_overlap
        except StageFailed:
            is_seen = False
        if not is_seen:
            from zero123pp.pipelines.models.inflated import InflatedModel

            return replace(InflatedModel().guess(cutout), note=_INFLATED_NOTE)
        picture = to_uint8(without_fringe(cutout)[..., :3])
        return Guess(painted(solid, face, picture), solid.camera, picture)


def painted(solid: SingleGuess, face: np.ndarray, picture: np.ndarray) -> list[Part]:
    """The solid in two parts: what the camera sees carries the picture, the rest the network's colours."""
    mesh = solid.mesh
    seen = np.zeros(len(mesh.faces), bool)
    seen[face[face >= 0]] = True
    px, _ = project(solid.camera, mesh.vertices)
    uvs = np.stack([px[:, 0] / solid.camera.width, 1 - px[:, 1] / solid.camera.height], -1).astype(np.float32)
    scale = np.array([picture.shape[1] / solid.camera.width, picture.shape[0] / solid.camera.height])
    used, faces = np.unique(mesh.faces[seen], return_inverse=True)
    normals = smooth_normals(mesh)
    front = TexturedMesh(
        Mesh(mesh.vertices[used], faces.reshape(-1, 3).astype(np.int32)), uvs[used], picture, normals[used]
    )
    return [front, Mesh(mesh.vertices, mesh.faces[~seen], _met(mesh, seen, bilinear(to_float(picture), px * scale)))]


def _met(mesh: Mesh, seen: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Colours (Nv, 3) uint8 that are the picture's where seen faces (F,) end, and the mesh's own away from there.

    Along the outline whole triangles are seen or not by turns: with a step of colour between them the border is a comb.
    What the picture's colours ``shown`` (Nv, 3) differ by from the mesh's own spreads over the surface and fades within
    about `_FADE` (a screened Laplace equation at the vertices).
    """
    from scipy.sparse import coo_array, diags_array
    from scipy.sparse.linalg import splu

    count = len(mesh.vertices)
    own, is_fixed = to_float(mesh.colors), np.zeros(count, bool)
    is_fixed[mesh.faces[seen]] = True
    free, fixed = np.flatnonzero(~is_fixed), np.flatnonzero(is_fixed)
    difference = np.where(is_fixed[:, None], shown - own, 0)
    if len(free) and len(fixed):
        start, end = mesh.faces.reshape(-1), mesh.faces[:, [1, 2, 0]].reshape(-1)
        edge = np.linalg.norm(mesh.vertices[start] - mesh.vertices[end], axis=1).mean()
        links = coo_array((np.ones(2 * len(start)), (np.r_[start, end], np.r_[end, start])), (count, count)).tocsr()[
            free
        ]
        degree = np.asarray(links.sum(axis=1)).reshape(-1)
        pull = diags_array(degree * (1 + (edge / _FADE) ** 2)) - links[:, free]
        difference[free] = splu(pull.tocsc()).solve(links[:, fixed] @ difference[fixed])
    return to_uint8(own + difference)


def _overlap(shown: np.ndarray, alpha: np.ndarray) -> float:
    """Intersection over union of what the camera sees of the solid and of the picture's outline (S, S)."""
    nearest = ((np.arange(_SEEN_PX) + 0.5) * len(alpha) / _SEEN_PX).astype(int)
    wanted = alpha[np.ix_(nearest, nearest)] > 0.5
    return float((shown & wanted).sum() / max((shown | wanted).sum(), 1))


def _faces_seen(mesh: Mesh, camera: Camera) -> np.ndarray:
    """(_SEEN_PX, _SEEN_PX) the face that each pixel of the camera sees, -1 for none."""
    from zero123pp.cameras import resized
    from zero123pp.recon.ops.raster import rasterize

    return rasterize(mesh.vertices, mesh.faces, resized(camera, _SEEN_PX, _SEEN_PX)).face
