"""Only pages of ours may be replaced."""

import pytest

from zero123pp.errors import BadInput
from zero123pp.pages import MARK, check_page

pytestmark = pytest.mark.quick


def test_pages_of_others_stay(tmp_path):
    ours, theirs = tmp_path / "ours.html", tmp_path / "theirs.html"
    ours.write_text(f"<!doctype html>{MARK}")
    theirs.write_bytes(b"\xff\xfe<html>" + b" " * 500 + MARK.encode())
    check_page(ours)
    check_page(tmp_path / "missing.html")
    with pytest.raises(BadInput, match="was not written by this program"):
        check_page(theirs)
    (tmp_path / "lost.html").symlink_to("nowhere")
    for name in ("", "lost.html"):
        with pytest.raises(BadInput, match="in the way"):
            check_page(tmp_path / name)
