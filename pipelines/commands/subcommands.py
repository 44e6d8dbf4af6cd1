"""The subcommands: which there are, which one was meant, and what they are listed as in the help. Light."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from zero123pp.errors import BadInput

SUBCOMMANDS = {
    "view": ("view", "a finished .glb in the browser, to turn and look at, without a network"),
    "serve": ("serve", "a page and an HTTP API on this machine: drop a picture, turn the mesh"),
    "export": ("export", "other files of a finished .glb: fewer triangles, levels of detail, a hull, other formats"),
    "batch": ("batch", "thousands of pictures, resumable, on this machine or on a Ray cluster"),
    "doctor": ("doctor", "what this machine has, and which back-ends will be used and why"),
    "warm": ("warm", "compile all kernels now, so that the first run is as fast as all others"),
    "eval recon": ("eval_recon", "quality and speed of the reconstruction on a folder of meshes"),
    "eval views": ("eval_views", "how well models draw the six views of a folder of meshes"),
    "eval pictures": ("eval_pictures", "the main job over a folder of pictures"),
    "eval cutout": ("eval_cutout", "quality of the cutout on photos with known alphas"),
    "render objects": ("render_objects", "lit pictures of meshes, to train the cutout network"),
    "render multiview": ("render_multiview", "training samples of Zero123++ under environment light, from meshes"),
    "render solids": ("render_solids", "meshes decoded for the training of the one-picture network"),
    "render looks": ("render_looks", "fitted surfaces and the truth of them, to train the network that corrects them"),
    "train matting": ("train_matting", "train the bundled cutout network"),
    "train multiview": ("train_multiview", "train Zero123++ and its ControlNets on rendered views"),
    "train one-view": ("train_one_view", "train the network that reads one picture of an object"),
    "train correction": ("train_correction", "train the network that corrects fitted surfaces"),
}
"""Subcommand: the module beside this one that has its ``add_arguments(parser)`` and ``run(args)``; one line of help."""

OLD_NAMES = {"render views": "render multiview", "train views": "train multiview"}
"""Subcommands of earlier releases: they still run, under what they are called now."""


def asked_for(argv: Sequence[str]) -> str | None:
    """The subcommand that a command line begins with, None where it is the main job.

    Raises BadInput for a first word that is neither a subcommand nor a file, with the one that was likely meant.
    """
    first_two = " ".join(argv[:2])
    found = OLD_NAMES.get(first_two) or next((each for each in (first_two, *argv[:1]) if each in SUBCOMMANDS), None)
    if found is None and argv and _reads_like_a_word(argv[0]):
        raise BadInput(_what_was_meant(argv[0], first_two))
    return found


def listed() -> str:
    """All subcommands with their lines of help, for the help of the main job."""
    return "\n".join(f"  {name:<17}{line}" for name, (_, line) in SUBCOMMANDS.items())


def _reads_like_a_word(text: str) -> bool:
    """Whether ``text`` is no flag and no path: not even of a file that is missing."""
    is_path = "\0" in text or len(text) > 30 or Path(text).suffix or Path(text).name != text or Path(text).exists()
    return bool(text) and not text.startswith("-") and not is_path


def _what_was_meant(word: str, first_two: str) -> str:
    family = [name for name in SUBCOMMANDS if name.split()[0] == word]
    if family:
        first_two = first_two.partition(" -")[0]
        near = get_close_matches(first_two, family, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(family)}"
        return f"{first_two!r} is no subcommand; {hint}"
    names = {known: name for name in SUBCOMMANDS for known in (name, name.split()[0])}
    near = get_close_matches(first_two, names, 1) or get_close_matches(word, names, 1)
    hint = f"did you mean {near[0]}?" if near else "--help lists the subcommands"
    return f"{word!r} is neither a subcommand nor a file; {hint}"
