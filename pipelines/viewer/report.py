"""The report of a run and its pictures come in, one HTML page goes out: the object, doubts, stages, numbers."""

import base64
import html
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from zero123pp.pipelines.viewer.advice import advice
from zero123pp.pipelines.viewer.page import model_page

STAGES = {
    "cutout": "the object, cut out",
    "views": "the views it was made from",
    "alpha": "what of them is object",
    "depth": "their depths",
    "normals": "their normals",
    "confidence": "the texture: white was seen, black is guessed",
}
"""Pictures of a run, and what they show."""

_THUMBNAIL_PX = 480


def report_page(title: str, glb: bytes, report: Mapping[str, Any], pictures: Mapping[str, np.ndarray]) -> str:
    """The page.

    Args:
        title: of the object, any text.
        glb: the asset.
        report: of `zero123pp.pipelines.asset.Asset`.
        pictures: by the keys of `STAGES`; (H, W), (H, W, 3) or (H, W, 4) uint8.
    """
    mesh = report["mesh"]
    closed = "watertight" if mesh["watertight"] else "not watertight"
    summary = f"{mesh['faces']:,} triangles, {closed}, {len(glb) / 1e6:.2f} MB, {_total(report):.1f} s"
    tables = (_table("Numbers", _numbers(report)), _table("Seconds", _seconds(report)))
    sections = [_doubts(report), _stages(pictures), *tables, _everything(report)]
    return model_page(title, glb, summary=summary, sections=sections)


def _doubts(report: Mapping[str, Any]) -> str:
    said = [
        f'<p class="warning"><strong>{html.escape(_sentence(warning))}</strong> {html.escape(advice(warning))}</p>'
        for warning in report["warnings"]
    ]
    said = said or ["<p>Nothing speaks against this result.</p>"]
    if note := report.get("note"):
        said.append(f"<p>{html.escape(_sentence(note))}</p>")
    return f"<section><h2>What to know</h2>{''.join(said)}</section>"


def _stages(pictures: Mapping[str, np.ndarray]) -> str:
    shown = "".join(
        f'<figure><img alt="{words}" src="data:image/webp;base64,{_thumbnail(pictures[name])}">'
        f"<figcaption>{words}</figcaption></figure>"
        for name, words in STAGES.items()
        if name in pictures
    )
    return f'<section><h2>How it was made</h2><div class="pictures">{shown}</div></section>'


def _numbers(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    mesh, texture, agreed = report["mesh"], report["texture"], report["agreement"]
    yield "triangles, vertices", f"{mesh['faces']:,}, {mesh['vertices']:,}"
    yield "closed (watertight)", _yes(mesh["watertight"])
    yield "two triangles at each edge (manifold)", _yes(mesh["manifold"])
    yield "separate pieces", str(len(mesh["shells"]))
    yield "texture", f"{texture['size']} px, {texture['charts']} charts, {texture['used']:.0%} of it used"
    yield "surface that some view saw", f"{texture['seen']:.0%}; the colours of the rest are filled in"
    overlap, psnr = agreed["silhouette_iou"], agreed["foreground_psnr_db"]
    yield "outlines shared with the views", f"{_mean(overlap):.1%} on average, {min(overlap):.1%} at worst"
    yield "colours against the views (PSNR)", f"{_mean(psnr):.1f} dB on average, {min(psnr):.1f} dB at worst"
    yield "drawn by", f"{report['model']} (licence: {report['licence']})"
    yield "seed, version", f"{report['seed']}, zero123pp {report['version']}"
    if report.get("peak_memory_mb"):
        yield "most memory", f"{report['peak_memory_mb']:,} MB"


def _seconds(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, seconds in report["seconds"].items():
        yield name, f"{seconds:.2f}"
    yield "together", f"{_total(report):.2f}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _total(report: Mapping[str, Any]) -> float:
    return sum(report["seconds"].values())


def _table(title: str, rows: Iterator[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<section><h2>{title}</h2><table>{cells}</table></section>"


def _everything(report: Mapping[str, Any]) -> str:
    text = html.escape(json.dumps(report, indent=2, default=str))
    title = "<summary>All of the report, with every setting</summary>"
    return f"<section><details>{title}<pre>{text}</pre></details></section>"


def _thumbnail(pixels: np.ndarray) -> str:
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    if picture.mode == "L":
        picture = picture.convert("RGB")
    encoded = io.BytesIO()
    picture.save(encoded, "webp", quality=85)
    return base64.b64encode(encoded.getvalue()).decode()


def _sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
