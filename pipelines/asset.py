"""What a run returns: the textured mesh, how it was made, and ways to keep both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zero123pp.diffusion import depth_picture
from zero123pp.files import check_folder, whole_folder, write_file, write_json
from zero123pp.images import GRAY_BACKGROUND, over, own_png, tile_sheet, to_uint8
from zero123pp.own import check_own
from zero123pp.pipelines.progress import StageProgress, Stages
from zero123pp.rigs import get_rig
from zero123pp.types import ByContent, Cutout, Mesh, MultiView, TexturedMesh, View

if TYPE_CHECKING:
    import trimesh

REPORT_NAME = "report.json"

STAGE_FILES = (
    "cutout.png", "views.png", "alpha.png", "depth.png", "normals.png", "confidence.png", "fit.ply", REPORT_NAME,
)  # fmt: skip
"""All that `Asset.save_stages` may write."""


@dataclass(frozen=True, eq=False)
class Asset(ByContent):
    """One finished object."""

    textured: TexturedMesh
    mesh: Mesh
    """Before unwrapping: closed, with vertex colours."""
    views: MultiView
    report: Mapping[str, Any]
    """JSON-ready: model, licence, seed, seconds per stage, mesh checks, agreement with the views."""
    extras: Mapping[str, str | int]
    """What is written to the GLB's ``asset.extras``: model, licence, seed, version and what is guessed."""
    cutout: Cutout | None = None
    own_geometry: TexturedMesh | None = None
    """A given mesh in its own frame with the new texture: what is written where the mesh was only painted."""

    @property
    def _written(self) -> TexturedMesh:
        return self.textured if self.own_geometry is None else self.own_geometry

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write the asset; the suffix picks the format (`zero123pp.recon.export.EXPORTERS`).

        Args:
            path: the file; it appears whole or not at all.
            options: size (of the longest side, metres), origin, axes, units, texture_format, material, occlusion,
                compress, quads, wall, name: the fields of `zero123pp.recon.export.FileOptions`. Without them the file
                is as its readers expect it.

        Raises:
            BadInput: unknown suffix, a wrong option, or a folder that is missing, full or cannot be written to.
        """
        from zero123pp.recon.export import FileOptions, save

        save(self._written, path, extras=dict(self.extras), options=FileOptions(**options))
        return Path(path)

    def export(
        self,
        path: str | Path,
        *,
        faces: int | None = None,
        lods: int = 1,
        msft_lod: bool = False,
        collision: str | None = None,
        texture_size: int | None = None,
        normal_map: bool = False,
        tell: Callable[[str], None] | None = None,
        **options: Any,
    ) -> list[Path]:
        """Like `save`, with fewer triangles, levels of detail, convex shapes or a smaller texture.

        See `zero123pp.recon.export.export`, which does the same for a .glb of ours; returns the files.
        """
        from zero123pp.recon.export import FileOptions, export

        written = export(
            self._written, path, faces=faces, lods=lods, msft_lod=msft_lod, collision=collision,
            texture_size=texture_size, normal_map=normal_map, extras=dict(self.extras), options=FileOptions(**options),
            tell=tell,
        )  # fmt: skip
        return [each.path for each in written]

    def to_trimesh(self) -> "trimesh.Trimesh":
        """The textured mesh as a `trimesh.Trimesh`."""
        from zero123pp.recon.export import to_trimesh

        return to_trimesh(self._written)

    def save_report(self, path: str | Path, *, name: str = "object") -> None:
        """Write how the asset was made: as JSON, or (.html) as one page with the object to turn, without a network.

        Args:
            path: replaced where it is a report of ours.
            name: of the object, for the page.

        Raises BadInput when the file is somebody else's page or cannot be written.
        """
        check_report(path)
        if not is_page(path):
            write_json(self.report, path)
            return
        from zero123pp.pipelines.viewer import report_page
        from zero123pp.recon.export import encode_glb

        glb = encode_glb(self.textured, name, dict(self.extras))
        pictures = {file.removesuffix(".png"): pixels for file, pixels in self._stage_pictures().items()}
        write_file(path, report_page(name, next(iter(glb.values())), self.report, pictures))

    def preview(self, path: str | Path) -> None:
        """Draw the asset from four sides into a PNG; BadInput when the file is not ours or cannot be written."""
        from zero123pp.recon.export import write_preview

        write_preview(self.textured, path)

    def turntable(self, path: str | Path, *, progress: StageProgress | None = None) -> None:
        """Draw the asset turning, as .webp, .gif or .mp4; errors as `zero123pp.recon.export.write_turntable`."""
        from zero123pp.recon.export import write_turntable

        with Stages(progress).stage("turntable") as report:
            write_turntable(self.textured, path, report)

    def save_stages(self, folder: str | Path) -> None:
        """Write what led to the asset into ``folder``: pictures, fit.ply and report.json.

        The pictures are cutout.png; views.png, alpha.png, depth.png and normals.png, as far as there are such; and
        confidence.png, that of the texture. They appear together, in place of all that an earlier run wrote: whatever
        happens on the way, the folder holds the stages of one run. Files of other names stay.

        Raises BadInput when the folder cannot be made or written to, or holds files of these names of somebody else's.
        """
        from zero123pp.recon.export import FileOptions, save

        check_stages(folder)
        with whole_folder(folder, owned=STAGE_FILES) as fresh:
            for name, pixels in self._stage_pictures().items():
                (fresh / name).write_bytes(own_png(pixels))
            save(self.mesh, fresh / "fit.ply", options=FileOptions(axes="y-up"))  # as all stages, in the world frame
            write_json(self.report, fresh / REPORT_NAME)

    def _stage_pictures(self) -> dict[str, np.ndarray]:
        pictures = {} if self.cutout is None else {"cutout.png": self.cutout.rgba}
        if self.textured.confidence is not None:
            pictures["confidence.png"] = self.textured.confidence
        rig_views = self._rig_views()
        if not rig_views:
            return pictures
        alpha = np.stack([view.alpha for view in rig_views])
        drawn = over(np.stack([view.rgb for view in rig_views]), alpha, GRAY_BACKGROUND / 255)
        pictures["views.png"] = to_uint8(tile_sheet(drawn)) if self.views.sheet is None else self.views.sheet
        pictures["alpha.png"] = to_uint8(tile_sheet(alpha))
        if all(view.normal is not None for view in rig_views):
            pictures["normals.png"] = to_uint8(tile_sheet(np.stack([view.normal for view in rig_views])) / 2 + 0.5)
        if all(view.depth is not None for view in rig_views):
            pictures["depth.png"] = tile_sheet(np.stack([depth_picture(view.depth) for view in rig_views]))
        return pictures

    def _rig_views(self) -> Sequence[View]:
        """The six views of a rig that led to the asset; of one that came with its surface they are drawn of it."""
        if self.views.surface is None:
            return () if self.views.rig is None else self.views.views[:6]
        from zero123pp.recon.render import render

        return [render(self.textured, camera) for camera in get_rig(_RIG).cameras(_TILE_PX)]


_RIG, _TILE_PX = "v1.2", 320
"""Of the views that are drawn where none led to the asset."""


def check_stages(folder: str | Path) -> None:
    """BadInput when a file that `Asset.save_stages` would replace in ``folder`` is not one that it wrote."""
    for name in STAGE_FILES:
        check_own(Path(folder, name))


def is_page(path: str | Path) -> bool:
    """Whether a report of that name is a page to look at."""
    return Path(path).suffix.lower() in (".html", ".htm")


def check_report(path: str | Path) -> None:
    """BadInput when no report can be written at ``path``, or a file is there that is none of this program's reports."""
    check_folder(Path(path))
    check_own(path, ".html" if is_page(path) else ".json")
