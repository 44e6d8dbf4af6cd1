"""The vendored viewer: as it was published, with its licences, and with nowhere else to ask."""

import hashlib
import re

import pytest
from paths import ROOT

from zero123pp.pipelines.viewer import ELEMENT, OFFLINE, viewer_file

pytestmark = pytest.mark.quick

PUBLISHED = "18b2e711035aa4705ee281530a55dc2338ff05eed3d70ae16d54105282a75ed5"
"""SHA-256 of dist/model-viewer.min.js in @google/model-viewer 4.4.0."""
ONLY_NAMES = r"schema\.org|www\.w3\.org|www\.apache\.org|jcgt\.org|github\.com|101arrowz\.github\.io"
"""Hosts in comments and names of markup, which nobody asks for anything."""


def test_it_is_the_published_file():
    assert hashlib.sha256(viewer_file(ELEMENT)).hexdigest() == PUBLISHED


def test_every_decoder_it_would_fetch_is_switched_off():
    """A new version with a further address fails here, before a page of ours asks for it."""
    text = viewer_file(ELEMENT).decode()
    addresses = {
        url for url in re.findall(r"https?://[\w./-]+", text) if not re.match(rf"https?://({ONLY_NAMES})", url)
    }
    assert {url.split("/")[2] for url in addresses} == {"www.gstatic.com", "cdn.jsdelivr.net"} and len(addresses) == 3
    settings = re.findall(r"(\w+Location): \"(\S+)\"", viewer_file(OFFLINE).decode())
    assert [value[:5] for _, value in settings] == ["data:"] * 3
    assert all(f"ModelViewerElement.{name}" in text or f".{name}||" in text for name, _ in settings)


def test_the_licences_of_what_is_in_it_are_beside_it():
    folder = ROOT / "pipelines" / "viewer" / "static"
    notice = (folder / "NOTICE.md").read_text()
    assert "Apache License" in (folder / "model-viewer.LICENSE").read_text()
    for name in ("three.js", "lit", "gainmap-js", "fflate", "meshoptimizer"):
        assert re.search(rf"^## .*{re.escape(name)}$", notice, re.MULTILINE), name
