"""Panoramas of light: Radiance's ``.hdr`` files, equirectangular."""

from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput


def find_hdr(folder: str | Path) -> list[Path]:
    """The .hdr files of a folder, sorted by name; BadInput when there is none."""
    files = sorted(Path(folder).glob("*.hdr"))
    if not files:
        raise BadInput(f"{folder} has no .hdr environment maps; name a folder of equirectangular panoramas")
    return files


def read_hdr(path: str | Path) -> np.ndarray:
    """A Radiance RGBE picture (H, W, 3) float32, linear light.

    Reads the run-length layout that all current tools write (Ward, "Real Pixels", Graphics Gems II).

    Raises:
        BadInput: the file is no such picture.
    """
    try:
        return _decoded(Path(path).read_bytes(), path)
    except BadInput:
        raise
    except (OSError, IndexError, ValueError, MemoryError) as error:
        raise BadInput(f"cannot read the environment map {path}: {error or 'it is too large'}") from error


def _decoded(data: bytes, path: str | Path) -> np.ndarray:
    header, separator, rest = data.partition(b"\n\n")
    line, _, pixels = rest.partition(b"\n")
    words = line.split()
    if not header.startswith(b"#?") or not separator or len(words) != 4 or words[0] != b"-Y" or words[2] != b"+X":
        raise BadInput(f"{path} is not a Radiance .hdr panorama")
    height, width = int(words[1]), int(words[3])
    rgbe = np.empty((height, 4, width), np.uint8)
    at = 0
    for row in range(height):
        if pixels[at : at + 2] != b"\x02\x02":
            raise BadInput(f"{path}: row {row} is not run-length coded; convert the panorama with a current tool")
        at += 4
        for channel in range(4):
            at = _read_run_lengths(pixels, at, rgbe[row, channel])
    mantissa, exponent = rgbe[:, :3].astype(np.float32), rgbe[:, 3].astype(np.int32)
    return (mantissa * np.ldexp(np.float32(1), exponent - 136)[:, None]).transpose(0, 2, 1)


def _read_run_lengths(data: bytes, at: int, out: np.ndarray) -> int:
    """Fills one channel of a row; returns where the next begins."""
    done = 0
    while done < len(out):
        count = data[at]
        if count > 128:
            out[done : done + count - 128] = data[at + 1]
            done, at = done + count - 128, at + 2
        else:
            out[done : done + count] = np.frombuffer(data, np.uint8, count, at + 1)
            done, at = done + count, at + 1 + count
    return at
