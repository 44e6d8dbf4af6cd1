"""The page's files: all there, none from elsewhere, no script or style within the markup."""

import re
from pathlib import Path

import pytest
from paths import ROOT

from zero123pp.pipelines.server.page import EXAMPLES, example, page_files, style_hashes

pytestmark = pytest.mark.quick

STATIC = ROOT / "pipelines" / "server" / "static"
MARKUP = (STATIC / "index.html").read_text()
SCRIPTS = {path.name: path.read_text() for path in STATIC.glob("*.js")}


def test_every_address_in_the_page_is_a_file_of_it():
    text = "\n".join([MARKUP, *SCRIPTS.values()])
    asked = {path for path in re.findall(r"[\"'`(](/static/[\w.-]+)", text)}
    assert len(asked) >= 8 and asked <= set(page_files()) | {"/static/example-"}
    ours = {f"/static/{path.name}" for path in STATIC.iterdir()} - {"/static/index.html"}
    assert set(page_files()) == {"/", "/static/model-viewer.min.js", "/static/model-viewer.offline.js"} | ours


def test_nothing_comes_from_elsewhere_and_nothing_runs_within_the_markup():
    css = (STATIC / "page.css").read_text()
    for text in (MARKUP, css, *SCRIPTS.values()):
        assert not re.findall(r"(?:https?:)?//[\w-]+\.\w+", re.sub(r"//[^\n]*|http://www.w3.org/\S+", "", text)), (
            "an address"
        )
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:", MARKUP)
    assert "eval(" not in "".join(SCRIPTS.values()) and "innerHTML" not in "".join(SCRIPTS.values())


def test_scripts_find_the_elements_that_they_name():
    ids = set(re.findall(r'\sid="([\w-]+)"', MARKUP))
    named = set(re.findall(r'\$\("([\w-]+)"\)', SCRIPTS["page.js"]))
    assert len(named) > 40 and named <= ids


def test_every_control_has_a_name_for_those_who_cannot_see_it():
    for tag in re.findall(r"<(?:input|select|canvas|progress)\b[^>]*>", MARKUP):
        number = re.search(r'id="([\w-]+)"', tag)
        in_label = any(tag in label for label in re.findall(r"<label\b.*?</label>", MARKUP, re.DOTALL))
        by_label = number is not None and f'for="{number[1]}"' in MARKUP
        assert in_label or by_label or "aria-label=" in tag, tag
    assert MARKUP.startswith('<!doctype html>\n<html lang="en">')


def test_the_policy_knows_the_style_sheets_of_the_viewer():
    assert len(style_hashes()) == 1


def test_examples_are_pictures_and_every_file_has_a_tag():
    for name in EXAMPLES:
        assert example(name)[8:12] == b"WEBP" and len(example(name)) < 60_000
    tags = [file.tag for file in page_files().values()]
    assert len(set(tags)) == len(tags)
    assert {Path(path).suffix for path in page_files()} == {"", ".css", ".js", ".svg", ".webp"}
