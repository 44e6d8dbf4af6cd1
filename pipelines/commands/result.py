"""The last line of a run: what was made, for whoever looks at the terminal."""

import os
from collections.abc import Sequence
from pathlib import Path

from zero123pp.recon.export import written_by


def result_line(out: str | Path, faces: int, watertight: bool, seconds: float, others: Sequence[str] = ()) -> str:
    """Such as ``toy.glb: 10,000 triangles, watertight, 0.31 MB, 5.2 s``.

    Args:
        out: the file that was written; its size counts those beside it that belong to it.
        faces: triangles in it.
        watertight: whether its surface is closed.
        seconds: that the run took.
        others: more files that were written, named after it.
    """
    size = sum(os.path.getsize(path) for path in written_by(out) if path.exists())
    closed = "watertight" if watertight else "not watertight"
    more = f"; also {', '.join(map(str, others))}" if others else ""
    return f"{out}: {faces:,} triangles, {closed}, {size / 1e6:.2f} MB, {seconds:.1f} s{more}"
