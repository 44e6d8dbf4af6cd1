"""What a run starts from: a picture, a text, or views that are given; the table of these options, and given views."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero123pp.errors import BadInput
from zero123pp.options import (
    MESH,
    PATH,
    PICTURE,
    TEXT,
    Spelling,
    any_of,
    check_together,
    check_values,
    choice,
    given_of,
    option,
    options_of,
)
from zero123pp.pipelines.inputs.turnaround.sides import TURNAROUNDS, ordered

if TYPE_CHECKING:
    from zero123pp.pipelines.inputs.posed_views import PosedPictures
    from zero123pp.types import MultiView

STARTS = ("image", "views", "prompt")
"""A run starts from exactly one of these."""

DEFAULT_RIG = "v1.2"


@dataclass(frozen=True)
class Source:
    """Given with each call, what to make the object from."""

    image: Any = option(
        None, "the picture of one object: PNG, JPEG or WebP; an alpha channel is used as cutout", PICTURE,
        metavar="FILE",
    )  # fmt: skip
    prompt: str | None = option(
        None, "draw the picture from a text instead of --image", TEXT, metavar="TEXT", group="diffusion model"
    )
    text_model: str | Path | None = option(
        None, "the text-to-image checkpoint of diffusers for --prompt: folder or hub id", PATH, metavar="NAME",
        needs=("prompt",), default_words="stabilityai/stable-diffusion-xl-base-1.0", group="diffusion model",
    )  # fmt: skip
    text_controlnet: str | Path | None = option(
        None, "the depth ControlNet of --text-model, for --prompt with --depth-from: folder or hub id", PATH,
        metavar="NAME", needs=("prompt",), default_words="a published one of that kind of Stable Diffusion",
        group="diffusion model",
    )  # fmt: skip
    views: Any = option(
        None,
        "start from a sheet of 3 rows x 2 columns of views instead of generating one, or from a folder of 4 or more "
        "pictures with alpha or masks and a transforms.json (nerfstudio, instant-ngp; docs/posed_views.md), or from a "
        "drawn turnaround: one picture of all figures, or one each, written a.png,b.png (docs/turnarounds.md)",
        PICTURE,
        metavar="SHEET|FOLDER|FILES",
    )
    rig: str | None = option(
        None,
        f"the cameras of --views: v1.1, v1.2, or of a turnaround: {any_of(TURNAROUNDS, str)}",
        TEXT,
        metavar="NAME",
        needs=("views",),
        default_words="the one under which its silhouettes agree",
    )
    cameras: str | Path | None = option(
        None, "the cameras of a --views folder", PATH, metavar="FILE", needs=("views",),
        default_words="transforms.json in the folder",
    )  # fmt: skip
    up: str | None = option(
        None,
        "the axis of that file's world that points up, written --up=-y where it is negative",
        choice("x", "y", "z", "-x", "-y", "-z"),
        metavar="AXIS",
        needs=("views",),
        default_words="what the file says, else z",
    )
    normals: Any = option(
        None, "view-space normals that belong to --views, n = 2 px / 255 - 1", PICTURE, metavar="SHEET",
        needs=("views",),
    )  # fmt: skip
    texture_mesh: Any = option(
        None, "paint this mesh instead of making one: its geometry stays, its texture is made anew from --views or "
        "the picture; front to +Z (docs/painting.md)", MESH, metavar="MESH",
    )  # fmt: skip

    def __post_init__(self) -> None:
        given = given_of(vars(self), Source)
        check_source(given)
        check_values(self, options_of(Source))
        check_together(given, options_of(Source))

    def given_views(self) -> "tuple[MultiView, PosedPictures | None]":
        """The views that were given; those of a folder with the way back to its frame. BadInput if unusable."""
        if _is_multiview(self.views):
            return self.views, None
        if is_folder(self.views) or self.cameras is not None:
            from zero123pp.pipelines.inputs.posed_views import posed_views

            posed = posed_views(self.views, self.cameras, up=self.up)
            return posed.views, posed
        from zero123pp.pipelines.inputs.read_image import read_image

        if self.rig in TURNAROUNDS:
            from zero123pp.pipelines.inputs.turnaround import turnaround_views

            files, sides = view_files(self.views), TURNAROUNDS[self.rig]
            if not files:
                raise BadInput(
                    f"{self.views!r} names no picture; give a sheet, or {len(sides)} files with commas between"
                )
            if len(files) > 1:
                files, sides = ordered(files, self.rig)
            names = [str(file) if isinstance(file, str | Path) else "the picture" for file in files]
            return turnaround_views([read_image(file) for file in files], sides, self.rig, names), None
        from zero123pp.pipelines.inputs.rig_choice import with_likely_rig
        from zero123pp.pipelines.inputs.sheets import views_from_sheet

        normals = None if self.normals is None else read_image(self.normals)
        views = views_from_sheet(read_image(self.views), self.rig or DEFAULT_RIG, normals=normals)
        return (with_likely_rig(views) if self.rig is None else views), None


def check_source(given: Mapping[str, Any], spelled: Spelling = str) -> None:
    """BadInput unless exactly one of `STARTS` was given, and with views only what says something about such views."""
    starts = [name for name in STARTS if name in given]
    if len(starts) != 1:
        got = {0: "neither", 2: "both"}.get(len(starts), "all")
        names = " and ".join(map(spelled, starts or ("image", "views")))
        raise BadInput(f"{got} of {names} given; give one of {any_of(STARTS, spelled)}")
    views = given.get("views")
    if views is None:
        return
    is_path = isinstance(views, str | Path)
    if _is_multiview(views):
        idle, why = ("rig", "normals", "cameras", "up"), "a MultiView brings its own cameras"
    elif given.get("rig") in TURNAROUNDS:
        idle, why = ("normals", "cameras", "up"), "a turnaround is drawn without perspective from known sides"
    elif len(view_files(views)) > 1:
        raise BadInput(
            f"{spelled('views')} names {len(view_files(views))} pictures; give {spelled('rig')} with them, "
            f"{any_of(TURNAROUNDS, str)}, or one sheet"
        )
    elif is_path and (is_folder(views) or "cameras" in given):
        idle, why = ("rig", "normals"), "posed pictures bring their own cameras"
    else:
        idle, why = ("cameras", "up"), "a sheet has its rig's own cameras and axes"
    for name in idle:
        if name in given:
            raise BadInput(f"{spelled(name)} says nothing about these {spelled('views')}: {why}; leave it out")


def check_text_control(given: Collection[str], spelled: Spelling = str) -> None:
    """BadInput for a ControlNet of the text model without a mesh whose depth it could follow."""
    if "text_controlnet" in given and "depth_from" not in given:
        raise BadInput(f"{spelled('text_controlnet')} belongs to {spelled('depth_from')}, which is missing")


def check_no_drawing(drawing: Iterable[str], spelled: Spelling = str) -> None:
    """BadInput for any option about drawing views, where they are given."""
    for name in drawing:
        raise BadInput(f"{spelled(name)} is about drawing views, but {spelled('views')} gives them; leave one out")


def view_files(views: Any) -> list[Any]:
    """The pictures that ``views`` names: those of a list, or of a text with commas that is no file itself."""
    if isinstance(views, list | tuple):
        return list(views)
    if isinstance(views, str) and "," in views and "\0" not in views and not _exists(views):
        return [part.strip() for part in views.split(",") if part.strip()]
    return [views]


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # longer than a name can be
        return False


def is_folder(views: Any) -> bool:
    """Whether ``views`` is the path of a folder, and so posed pictures instead of a sheet."""
    return isinstance(views, str | Path) and "\0" not in str(views) and Path(views).is_dir()


def _is_multiview(views: Any) -> bool:
    if views is None or isinstance(views, str | Path):
        return False
    from zero123pp.types import MultiView

    return isinstance(views, MultiView)
