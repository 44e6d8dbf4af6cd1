"""The client without a server; with one: tests/pipelines/server/test_app.py."""

import email
import subprocess
import sys

import pytest
from paths import ROOT

from zero123pp.client import Client, _multipart
from zero123pp.errors import BadInput

pytestmark = pytest.mark.quick


def test_a_form_is_read_back_by_the_standard_library():
    picture = bytes(range(256)) * 4
    body, kind = _multipart({"image": picture, "seed": 7, "symmetry": "mirror"})
    message = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    parts = {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in message.get_payload()
    }
    assert parts == {"image": picture, "seed": b"7", "symmetry": b"mirror"}


def test_no_server_no_picture_and_no_address_are_one_line():
    with pytest.raises(BadInput, match=r"no server answers at http://127.0.0.1:9 .*zero123pp serve"):
        Client("http://127.0.0.1:9").health()
    with pytest.raises(BadInput, match=r"cannot read image nowhere.png"):
        Client().submit(image="nowhere.png")
    with pytest.raises(BadInput, match="expected http://HOST:PORT"):
        Client("localhost:8000")


def test_it_needs_the_standard_library_only():
    code = "import sys, zero123pp.client; print([each for each in ('numpy', 'fastapi', 'PIL') if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
