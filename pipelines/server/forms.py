"""What a visitor sent becomes `Work`, or is refused in one line. Imports nothing heavy: the worker looks closer."""

import hashlib
from collections.abc import Mapping
from typing import Any

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs import is_heif
from zero123pp.pipelines.server.settings import ServerSettings
from zero123pp.pipelines.server.work import Work

_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")
"""Of files of the kinds that `zero123pp.pipelines.inputs.read_image` reads, WebP and HEIC beside them."""

ORIGINS = {"center": "center", "bottom": "base", "base": "base"}
"""``origin_at``, in the words of others and in ours, to `zero123pp.recon.export.FileOptions.origin`."""


def check_picture(name: str, data: bytes) -> None:
    """BadInput for what does not begin like a picture."""
    if not data:
        raise BadInput(f"{name} is empty; give a PNG, JPEG or WebP file")
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if not (data.startswith(_BEGINNINGS) or is_webp or is_heif(data)):
        raise BadInput(f"{name} is not a picture that can be read; give a PNG, JPEG or WebP file")


def cutout_work(settings: ServerSettings, pictures: Mapping[str, bytes], prompt: str | None, seed: int) -> Work:
    """For ``POST /v1/cutouts``."""
    _check_start({**pictures, **({"prompt": b""} if prompt else {})}, ("image", "prompt"))
    if prompt and settings.text_model is None:
        raise BadInput("prompt is given, but this server has no model that draws from texts (--text-model)")
    for name, data in pictures.items():
        check_picture(name, data)
    return Work("", "cutout", settings.model, dict(pictures), seed, prompt or None)


def object_work(settings: ServerSettings, pictures: Mapping[str, bytes], asked: Mapping[str, Any]) -> Work:
    """For ``POST /v1/jobs``; ``asked`` are its form fields, None where they were left out."""
    _check_start(pictures, ("image", "sheet"))
    model = asked["model"] or settings.model
    if model not in settings.models:
        raise BadInput(f"model is {model!r}; this server has {', '.join(settings.models)}")
    knobs = {name: asked[name] for name in ("depth", "elevation", "up", "symmetry") if asked[name] is not None}
    if "sheet" in pictures:
        idle = [name for name in ("mask", "back") if name in pictures] + sorted(knobs)
        if idle:
            raise BadInput(f"{' and '.join(idle)} belong to an image, not to a sheet")
    elif asked["rig"]:
        raise BadInput("rig belongs to a sheet, not to an image")
    if model != "preview" and (knobs or "back" in pictures):
        raise BadInput(f"{' and '.join([*knobs, *pictures.keys() & {'back'}])} are knobs of preview, not of {model}")
    for name, data in pictures.items():
        check_picture(name, data)
    overrides = [f"preview.{name}={value}" for name, value in knobs.items()]
    if asked["target_polycount"] is not None:
        overrides.append(f"clean.faces={asked['target_polycount']}")
    if asked["texture_size"] is not None:
        overrides.append(f"texture.size={asked['texture_size']}")
    origin = asked["origin_at"]
    return Work(
        "", "object", model, dict(pictures), asked["seed"], None, asked["rig"], tuple(overrides),
        {} if origin is None else {"origin": ORIGINS[origin]},
    )  # fmt: skip


def export_work(model: bytes, asked: Mapping[str, Any]) -> Work:
    """For ``POST /v1/jobs/{id}/exports``, of the job's GLB."""
    kept = ("size", "axes", "units", "texture_format", "material")
    options = {name: asked[name] for name in kept if asked[name] is not None}
    if asked["topology"] == "quad":
        options["quads"] = True
    if asked["origin_at"] is not None:
        options["origin"] = ORIGINS[asked["origin_at"]]
    export = {name: asked[name] for name in ("faces", "lods", "collision", "texture_size") if asked[name] is not None}
    export["format"] = asked["format"]
    return Work("", "export", pictures={"model": model}, file_options=options, export=export)


def digest(work: Work) -> str:
    """Of all that was sent."""
    whole = hashlib.sha256(repr((work.kind, work.model, work.seed, work.prompt, work.rig, work.overrides)).encode())
    whole.update(repr((sorted(work.file_options.items()), sorted(work.export.items()))).encode())
    for name, data in sorted(work.pictures.items()):
        whole.update(hashlib.sha256(name.encode() + b"\0" + data).digest())
    return whole.hexdigest()


def _check_start(given: Mapping[str, Any], starts: tuple[str, str]) -> None:
    if sum(name in given for name in starts) != 1:
        got = "both" if all(name in given for name in starts) else "neither"
        raise BadInput(f"{got} of {' and '.join(starts)} given; give one of them, as multipart/form-data")
