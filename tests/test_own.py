"""Only files of ours may be replaced."""

import json
import zipfile

import numpy as np
import pytest

from zero123pp.errors import BadInput
from zero123pp.images import encode_png, own_png
from zero123pp.own import MARK, PAGE_MARK, REPORT_KEYS, check_own, check_table, is_own

pytestmark = pytest.mark.quick
BLACK = np.zeros((4, 4, 3), np.uint8)


def zipped(path, name, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("a.html", f"<!doctype html>{PAGE_MARK}".encode(), b"\xff\xfe<html>" + b" " * 500 + PAGE_MARK.encode()),
        ("a.png", own_png(BLACK), encode_png(BLACK)),
        ("a.json", json.dumps(dict.fromkeys(REPORT_KEYS)).encode(), b'{"name": "zero123pp", "seed": 1}'),
        ("a.json", json.dumps(dict.fromkeys(REPORT_KEYS) | {"mesh": {}}).encode(), b"[" * 100_000),
        ("a.glb", b"glTF" + MARK, b"glTF" + b" " * 5000 + MARK + b" " * 5000),
        ("a.gif", b"GIF" + b" " * 9000 + MARK, b"GIF"),
        ("a.obj", b"# zero123pp\nv 0 0 0", b"v 0 0 0"),
        ("a.mtl", b"# zero123pp\nnewmtl baked", b"newmtl zero123pp"),
        ("a.glb", b"glTF" + MARK, b"glTF" + b" " * 1100 + MARK),
    ],
)
def test_files_of_ours_are_known_and_those_of_others_stay(tmp_path, name, ours, theirs):
    path = tmp_path / name
    check_own(path)  # nothing is there
    path.write_bytes(ours)
    assert is_own(path)
    check_own(path)
    path.write_bytes(theirs)
    assert not is_own(path)
    with pytest.raises(BadInput, match="was not written by this program"):
        check_own(path)


def test_archives_are_looked_into(tmp_path):
    path = tmp_path / "a.3mf"
    zipped(path, "3D/3dmodel.model", "<metadata>zero123pp</metadata>")
    assert is_own(path)
    zipped(path, "3D/3dmodel.model", "<metadata>another</metadata>")
    assert not is_own(path)


def test_a_file_of_ours_in_another_format_is_not_what_would_be_written_there(tmp_path):
    mesh = tmp_path / "ball.glb"
    mesh.write_bytes(b"glTF" + MARK)
    with pytest.raises(BadInput, match="was not written by this program"):
        check_own(mesh, ".html")


def test_what_is_no_file_is_in_the_way(tmp_path):
    (tmp_path / "lost.html").symlink_to("nowhere")
    for name in ("", "lost.html"):
        with pytest.raises(BadInput, match="in the way"):
            check_own(tmp_path / name)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_tables_are_known_by_their_first_line(tmp_path, ends):
    table = tmp_path / "notes.csv"
    check_table(table, "method,picture,")  # nothing is there
    table.write_bytes(f"method,picture,iou{ends}bundled,a,1{ends}".encode())
    check_table(table, "method,picture,")
    check_table(table, "method,picture,iou\n")
    for begins in ("method,picture\n", "picture,"):
        with pytest.raises(BadInput, match="was not written by this program"):
            check_table(table, begins)
    with pytest.raises(BadInput, match="was not written by this program"):
        check_table(tmp_path, "method,picture,")
