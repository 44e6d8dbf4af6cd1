"""The results of a batch as HTML: their pictures and links, pages of bounded size, nothing loaded from elsewhere."""

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from zero123pp.own import PAGE_MARK, check_own
from zero123pp.pipelines.batch.index import table_name
from zero123pp.pipelines.batch.items import Shard

PAGE = 500
"""Objects a page; a browser shows more only slowly."""

_HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8">{mark}<title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self' file:;
 style-src 'unsafe-inline'">
<style>body{{font:13px sans-serif;margin:12px}}main{{display:flex;flex-wrap:wrap;gap:8px}}
figure{{margin:0;width:164px;overflow-wrap:anywhere}}img{{width:160px;height:160px;background:#ddd}}
.failed{{color:#b00}}figcaption{{font-size:11px}}nav{{margin:8px 0}}</style></head><body>
<h1>{title}</h1><p>{summary}</p>"""


def write_contact_sheets(
    table: Sequence[dict[str, Any]], out: Path, shard: Shard, has_picture: Callable[[str], bool]
) -> list[Path]:
    """Write index.html and its further pages.

    Args:
        table: of `zero123pp.pipelines.batch.index.rows`.
        out: folder to write to.
        shard: for the names of the pages.
        has_picture: whether the result whose GLB is called so has a thumbnail.

    Returns:
        The files. Raises BadInput when the disk refuses, or a page of somebody else's is in the way.
    """
    from zero123pp.files import write_file

    shown = [row for row in table if row["status"] != "open"]
    pages = max(1, -(-len(shown) // PAGE))
    names = [table_name("index" if page == 0 else f"index_{page + 1}", shard, ".html") for page in range(pages)]
    counts = {status: sum(row["status"] == status for row in table) for status in ("done", "failed", "open")}
    summary = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    for file in names:
        check_own(out / file, ".html")
    for page, file in enumerate(names):
        text = _page(shown[page * PAGE : (page + 1) * PAGE], names, page, summary, has_picture)
        write_file(out / file, text.encode("utf-8", "backslashreplace"))
    return [out / file for file in names]


def _page(
    rows: Sequence[dict[str, Any]],
    names: Sequence[str],
    page: int,
    summary: str,
    has_picture: Callable[[str], bool],
) -> str:
    title = f"Results, page {page + 1} of {len(names)}"
    parts = [_HEAD.format(mark=PAGE_MARK, title=title, summary=html.escape(summary))]
    links = " ".join(f'<a href="{quote(file)}">{number + 1}</a>' for number, file in enumerate(names))
    if len(names) > 1:
        parts.append(f"<nav>{links}</nav>")
    parts.append("<main>")
    parts += [_figure(row, has_picture) for row in rows]
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def _figure(row: dict[str, Any], has_picture: Callable[[str], bool]) -> str:
    source = html.escape(str(row["source"]))
    if row["status"] == "failed":
        return f'<figure class="failed"><figcaption>{source}<br>{html.escape(str(row["reason"]))}</figcaption></figure>'
    glb = str(row["glb"])
    stem = quote(glb.removesuffix(".glb"))
    image = f'<img loading="lazy" alt="" src="{stem}.png">' if has_picture(glb) else ""
    facts = [f"{row['faces']} faces", f"IoU {row['iou']}", f"{row['seconds']} s"]
    links = f'<a href="{stem}.glb">{source}</a><br><a href="{stem}.json">report</a>'
    doubts = f"<br>{html.escape(str(row['warnings']))}" if row.get("warnings") else ""
    caption = f"<figcaption>{links} {html.escape(', '.join(facts))}{doubts}</figcaption>"
    return f'<figure><a href="{stem}.glb">{image}</a>{caption}</figure>'
