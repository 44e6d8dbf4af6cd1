"""Radiance files with runs."""

import numpy as np


def write_hdr(path, rgbe: np.ndarray) -> None:
    """A run-length coded Radiance file of (H, W, 4) uint8: runs where a value repeats, else one literal each."""
    height, width = rgbe.shape[:2]
    out = bytearray(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n" + f"-Y {height} +X {width}\n".encode())
    for row in rgbe:
        out += bytes([2, 2, width >> 8, width & 255])
        for channel in row.T:
            for start in range(0, width, 100):
                part = channel[start : start + 100]
                out += bytes([128 + len(part), part[0]]) if (part == part[0]).all() else bytes([len(part), *part])
    path.write_bytes(out)
