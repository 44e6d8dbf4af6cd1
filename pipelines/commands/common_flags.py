"""Flags that several commands have: one meaning, one help, one way into the config. Light."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zero123pp.errors import BadInput, ConfigError
from zero123pp.options import SEED, options_of
from zero123pp.pipelines.commands.generation_flags import add_flag, reader
from zero123pp.pipelines.models import Generation, ModelOptions
from zero123pp.recon.export import AXES, COLLISIONS, COMPRESSIONS, MATERIALS, ORIGINS, TEXTURE_FORMATS, UNITS, WALL_MM

if TYPE_CHECKING:
    from zero123pp.pipelines.evaluation import Lighting

MESH = {
    "--faces": ("clean.faces", "N", "triangles of a mesh at most; 0 keeps all"),
    "--texture-size": ("texture.size", "PX", "side of a texture in px, a power of two"),
}
"""Flags that stand for a value of the config: its key, what the help calls it, and its line there."""


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
    parser.add_argument("--seed", type=reader(SEED), default=0, metavar="N", help=f"{help} (default: 0)")


def add_drawing(parser: argparse.ArgumentParser, of: str = "") -> None:
    """``--steps``, ``--guidance`` and ``--device`` of the diffusion model; ``of`` says whose they are."""
    table = {each.name: each for each in options_of(Generation, ModelOptions)}
    for name in ("steps", "guidance", "device"):
        add_flag(parser, table[name], "" if name == "device" else of)
    parser.set_defaults(device=table["device"].default)


def add_mesh(parser: argparse.ArgumentParser) -> None:
    """``--faces``, ``--texture-size`` and ``--normal-map``."""
    add = parser.add_argument
    for name, (key, metavar, what) in MESH.items():
        add(name, type=_setting(key), metavar=metavar, help=f"{what} (default: the preset's)")
    add("--normal-map", action="store_true", help="bake the finer surface's normals, so that few triangles look like "
        "many; in .glb and .gltf")  # fmt: skip


def add_prompts(parser: argparse.ArgumentParser) -> None:
    """``--point`` and ``--box``, which tell the cutout what the object is."""
    for name, what in PROMPTS.items():
        parser.add_argument(f"--{name}", metavar=what, help=f"{_PROMPT_HELP[name]}, px; with --set cutout.method=sam")


PROMPTS = {"point": "X,Y", "box": "LEFT,TOP,RIGHT,BOTTOM"}
_PROMPT_HELP = {"point": "a place on the object in the picture", "box": "what is round the object in the picture"}


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
    add(
        "--material",
        choices=MATERIALS,
        default="matte",
        help="how it shines, in .glb, .gltf and .usdz (default: matte)",
    )
    add("--compress", choices=COMPRESSIONS, help="pack vertices and triangles of a .glb or .gltf, for readers that "
        "know the extension: meshopt (zero123pp[lods]) or draco (zero123pp[draco])")  # fmt: skip
    add("--occlusion", action="store_true", help="bake how much of the sky each place sees into a second picture "
        "(occlusion, roughness, metal), in .glb and .gltf")  # fmt: skip
    add("--for-print", action="store_true", help="a solid for a printer at --size: thin walls thickened, a flat base, "
        "in .3mf, .stl, .ply and .obj")  # fmt: skip
    add("--wall", type=float, metavar="MM", help=f"with --for-print: least thickness of walls (default: {WALL_MM})")
    add("--quads", action="store_true", help="join triangles to quads, in .obj (zero123pp[meshlab], GPL-3.0)")


def add_levels(parser: argparse.ArgumentParser) -> None:
    """What lies beside the file: ``--lods``, ``--msft-lod`` and ``--collision``."""
    add = parser.add_argument
    add(
        "--lods",
        type=positive_int,
        default=1,
        metavar="N",
        help="levels of detail, each with half the triangles of the one before, same texture, beside --out as "
        "toy_lod1.glb, toy_lod2.glb, ... (default: 1)",
    )
    add("--msft-lod", action="store_true", help="also write toy_lods.glb: all levels in one file, under one texture")
    add(
        "--collision",
        choices=COLLISIONS,
        help="also write toy_collision.glb: hull, a convex one, or convex, several parts (zero123pp[convex])",
    )


def levels(args: argparse.Namespace) -> dict[str, Any]:
    """What `add_levels` took, as arguments of `zero123pp.recon.export.files_of` and `export`."""
    return {each: getattr(args, each) for each in ("lods", "msft_lod", "collision")}


def file_options(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """What `add_file` took, as fields of `zero123pp.recon.export.FileOptions`, for an object of that name."""
    if args.size is not None and not 1e-6 <= args.size <= 1e6:
        raise BadInput(f"--size is {args.size}; expected a length in metres above 0, at most a million")
    if args.wall is not None and not (args.for_print and 0.01 <= args.wall <= 1e5):
        raise BadInput(f"--wall is {args.wall}; expected millimetres, with --for-print")
    asked = {
        each: getattr(args, each)
        for each in ("size", "origin", "axes", "units", "texture_format", "material", "occlusion", "compress", "quads")
    }
    wall = (args.wall or WALL_MM) / 1000 if args.for_print else None
    return asked | {"wall": wall, "name": _readable(name)}


def _readable(name: str) -> str:
    """A file's name without what texts cannot hold: bytes that are no UTF-8, and control characters."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


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
    for name, (key, _, _) in MESH.items():
        if (value := getattr(args, name[2:].replace("-", "_"))) is not None:
            chosen.append(f"{key}={value}")
    if args.normal_map:
        chosen.append("texture.normal_map=true")
    for name, what in PROMPTS.items():
        if (value := getattr(args, name, None)) is not None:
            chosen.append(f"cutout.{name}={_numbers(value, f'--{name}', what)}")
    return chosen


def _numbers(text: str, flag: str, what: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != what.count(",") + 1:
        raise BadInput(f"{flag} is {text!r}; expected {what}, px of the picture")
    return numbers


def _setting(key: str) -> Callable[[str], int]:
    """Reads the whole number that the config has under ``key``, for argparse; refuses what the config refuses."""

    def read(text: str) -> int:
        from zero123pp.configs import load
        from zero123pp.pipelines.image_to_mesh import PipelineConfig

        try:
            load(PipelineConfig, overrides=[f"{key}={int(text)}"])
        except ConfigError as error:
            _, ours, why = str(error).partition(f"{key} is ")
            if ours:  # else it does not go with other values, which may be given too
                raise argparse.ArgumentTypeError(why) from error
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error
        return int(text)

    return read


def add_training(parser: argparse.ArgumentParser, sample: str = "samples") -> None:
    """The flags of a recipe (`zero123pp.train.Recipe`) and of the process that follows it; see `training_choices`."""
    add = parser.add_argument
    add("--steps", type=positive_int, metavar="N", help="optimiser steps in all (default: the recipe's)")
    add("--batch", type=positive_int, metavar="N", help=f"{sample} a step (default: the recipe's)")
    add("--seed", type=int, default=0, metavar="N", help="fixes every random choice (default: 0)")
    add("--workers", type=int, metavar="N", help="processes that draw samples (default: the recipe's)")
    add("--threads", type=positive_int, default=1, metavar="N", help="CPU threads of the training process (default: 1)")


def training_choices(args: argparse.Namespace, *more: str) -> dict[str, Any]:
    """Fields of the recipe that `add_training`, and flags of the names ``more``, were given."""
    names = ("steps", "batch", "seed", "workers", *more)
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def positive_int(text: str) -> int:
    """A whole number above 0, for argparse."""
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from 1 to 999999999")
    return value
