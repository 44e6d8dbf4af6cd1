"""Flags that several commands have: one meaning, one help, one way into the config. Light."""

import argparse
from typing import TYPE_CHECKING, Any

from zero123pp.errors import BadInput
from zero123pp.pipelines.commands.generation_flags import add_flag
from zero123pp.pipelines.models import Generation, ModelOptions
from zero123pp.pipelines.options import options_of
from zero123pp.recon.export import AXES, ORIGINS, TEXTURE_FORMATS, UNITS

if TYPE_CHECKING:
    from zero123pp.pipelines.evaluation import Lighting


def add_config(parser: argparse.ArgumentParser) -> None:
    """``--preset`` and ``--set``."""
    add = parser.add_argument
    add(
        "--preset", default="default", metavar="NAME",
        help="fast, default, quality, gpu, or a YAML file (default: default)",
    )  # fmt: skip
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="any config value, for example fit.steps=200")


def add_seed(parser: argparse.ArgumentParser, help: str = "fixes every random choice") -> None:
    """``--seed``."""
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=f"{help} (default: 0)")


def add_drawing(parser: argparse.ArgumentParser, of: str = "") -> None:
    """``--steps``, ``--guidance`` and ``--device`` of the diffusion model; ``of`` says whose they are."""
    table = {each.name: each for each in options_of(Generation, ModelOptions)}
    for name in ("steps", "guidance", "device"):
        add_flag(parser, table[name], "" if name == "device" else of)
    parser.set_defaults(device=table["device"].default)


def add_mesh(parser: argparse.ArgumentParser) -> None:
    """``--faces`` and ``--texture-size``."""
    add = parser.add_argument
    add("--faces", type=positive_int, metavar="N", help="triangles of a mesh at most (default: the preset's)")
    add("--texture-size", type=positive_int, metavar="PX", help="side of a texture in px (default: the preset's)")


def add_file(parser: argparse.ArgumentParser) -> None:
    """How the asset lies in its file: ``--size``, ``--origin``, ``--axes``, ``--units`` and ``--texture-format``."""
    add = parser.add_argument
    add("--size", type=float, metavar="METRES", help="scale the longest side to this length (default: leave unscaled)")
    add("--origin", choices=ORIGINS, help="center: middle of the object; base: middle of its bottom (default: as made)")
    add(
        "--axes",
        choices=AXES,
        help="y-up or z-up (default: what readers expect: y-up in .glb, .gltf and .obj, z-up in .ply, .stl and .3mf)",
    )
    add("--units", choices=UNITS, help="what a length of 1 means (default: mm in .stl and .3mf, else m)")
    add(
        "--texture-format",
        choices=TEXTURE_FORMATS,
        help="of the texture: jpeg is small, png exact, webp smallest and not read by all (default: jpeg in .glb and "
        ".gltf, png beside .obj)",
    )


def file_options(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """What `add_file` took, as fields of `zero123pp.recon.export.FileOptions`, for an object of that name."""
    if args.size is not None and not args.size > 0:
        raise BadInput(f"--size is {args.size}; expected a length in metres above 0")
    asked = {each: getattr(args, each) for each in ("size", "origin", "axes", "units", "texture_format")}
    return asked | {"name": name}


def add_hdri(parser: argparse.ArgumentParser) -> None:
    """``--hdri``."""
    parser.add_argument("--hdri", metavar="DIR", help="light the objects by these .hdr environment maps (default: "
        "unlit)")  # fmt: skip


def lighting(folder: str | None) -> "Lighting | None":
    """The environment maps that ``--hdri`` names; BadInput where there is none."""
    from zero123pp.pipelines.evaluation import Lighting
    from zero123pp.pipelines.training_data.multiview import read_panorama
    from zero123pp.render import find_hdr

    if folder is None:
        return None
    return Lighting({file.stem: read_panorama(file) for file in find_hdr(folder)})


def overrides(args: argparse.Namespace) -> list[str]:
    """Everything that `add_config` and `add_mesh` took, as values to lay over the preset."""
    chosen = list(args.set)
    if args.faces is not None:
        chosen.append(f"clean.faces={args.faces}")
    if args.texture_size is not None:
        chosen.append(f"texture.size={args.texture_size}")
    return chosen


def positive_int(text: str) -> int:
    """A whole number above 0, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value
