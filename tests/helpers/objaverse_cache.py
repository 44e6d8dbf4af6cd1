"""A stand-in for the cache of the package objaverse: 50 objects, three of them broken, one animated."""

import gzip
import json
from pathlib import Path

from render_files import write_meshes

COUNT = 50
BROKEN = (7, 20, 33)
ANIMATED = 11
LICENCES = ("by", "by-sa", "by-nc", "cc0", "by")


def uid_of(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}"


def write_cache(folder: Path) -> Path:
    """Object n has licence n mod 5, LVIS category n mod 3, 100 n faces, and a texture unless n mod 5 is 0."""
    root = folder / "hf-objaverse-v1"
    towers = sorted(write_meshes(folder / "towers", 4).glob("*.glb"))
    paths, metadata, lvis = {}, {}, {"chair": [], "lamp": []}
    for number in range(COUNT):
        uid, part = uid_of(number), f"000-{number % 3:03d}"
        file = root / "glbs" / part / f"{uid}.glb"
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = towers[number % 4].read_bytes()
        file.write_bytes(whole[: len(whole) // 2] if number in BROKEN else whole)
        paths[uid] = f"glbs/{part}/{uid}.glb"
        metadata.setdefault(part, {})[uid] = {
            "uid": uid, "name": f"object {number}", "license": LICENCES[number % 5], "faceCount": 100 * number,
            "animationCount": int(number == ANIMATED), "archives": {"glb": {"textureCount": int(number % 5 > 0)}},
        }  # fmt: skip
        if number % 3 < 2:
            lvis[("chair", "lamp")[number % 3]].append(uid)
    for name, content in {"object-paths": paths, "lvis-annotations": lvis}.items():
        write_packed(root / f"{name}.json.gz", content)
    for part, content in metadata.items():
        write_packed(root / "metadata" / f"{part}.json.gz", content)
    return folder


def write_packed(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(file, "wt") as stream:
        json.dump(content, stream)
