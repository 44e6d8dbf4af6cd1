"""Two hundred requests that mean no good: each is refused, nothing is read or fetched, and the server stays small."""

import json
import re
import socket
import time
from itertools import product

import pytest
from paths import ROOT
from served import SCRIPTED, ask, children, raw, resident_mb, served

from zero123pp.client import Client, _multipart
from zero123pp.errors import BadInput
from zero123pp.pipelines.server import INSTALL
from zero123pp.pipelines.server.settings import ServerSettings

pytest.importorskip("fastapi", reason=INSTALL)

TOY = (ROOT / "docs" / "toy.png").read_bytes()
FORGED = "0" * 32

OUTSIDE = (
    "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "....//....//etc/passwd", "/etc/passwd",
    "%00", "a%00.glb", "..\\..\\windows\\win.ini", "file:///etc/passwd", "http://169.254.169.254/", "model.glb/..",
    ".git/config", "constraints.txt", "%c0%ae%c0%ae/etc/passwd", "{{7*7}}", "$(id)", "<script>", "~root/.ssh/id_rsa",
    "%252e%252e%252fetc", "CON", "a" * 3000, "%e2%80%a4%e2%80%a4/etc/passwd",
)  # fmt: skip
"""What stands where a name is expected."""


def paths():
    """Requests for addresses that nobody has."""
    for rest in OUTSIDE:
        for place in ("/", "/static/", "/v1/jobs/", f"/v1/jobs/{FORGED}/files/", f"/v1/jobs/{FORGED}/"):
            yield "GET", place + rest, None, []
    for number, rest in product((FORGED, "1", "-1", "null", "' OR 1=1", "f" * 32), ("", "/events", "/files/model.glb")):
        yield "GET", f"/v1/jobs/{number.replace(' ', '%20')}{rest}", None, []
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"):
        yield method, "/v1/jobs", b"x", []
    for rest in ("cancel", "exports"):
        yield "POST", f"/v1/jobs/{FORGED}/{rest}", b"format=glb", [("Content-Type", FORM)]
    yield "DELETE", f"/v1/jobs/{FORGED}", None, []


FORM = "application/x-www-form-urlencoded"


def forms():
    """Bodies that are no picture, no form, or ask for what no visitor may."""
    for field, value in (
        ("image", b""), ("image", b"text, not a picture"), ("image", b"<svg onload=alert(1)>"), ("image", b"GIF8"),
        ("image", b"\x7fELF" * 50), ("image", b"PK\x03\x04" * 50), ("image", b"%PDF-1.7"), ("sheet", b"{}"),
    ):  # fmt: skip
        yield form(**{field: value})
    for more in (
        {"model": "/etc/passwd"}, {"model": "../weights"}, {"model": "http://evil.example/x"}, {"model": "auto"},
        {"model": "zero123plus-v1.2"}, {"model": "someone/repo"}, {"seed": "-1"}, {"seed": "1e99"}, {"seed": 2**40},
        {"depth": "nan"}, {"depth": "inf"}, {"depth": "-3"}, {"elevation": "1000"}, {"up": "x"}, {"symmetry": "[]"},
        {"target_polycount": "99999999999"}, {"target_polycount": "0"}, {"texture_size": "65536"},
        {"texture_size": "../.."}, {"origin_at": "moon"}, {"topology": "../quad"}, {"rig": "../../etc/passwd"},
        {"mask": b"not a picture"}, {"back": b"/etc/passwd"},
    ):  # fmt: skip
        yield form(image=TOY, **more)
    yield form(model="preview")
    yield form(path="/v1/cutouts", prompt="a toy")
    yield form(path="/v1/cutouts", image=b"http://169.254.169.254/latest/meta-data")
    for kind in ("application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=", FORM, "x"):
        yield "POST", "/v1/jobs", b'{"image": "file:///etc/passwd"}', [("Content-Type", kind)]
    for text in ("http://127.0.0.1:22/", "/etc/passwd", "file:///etc/passwd", "data:image/png;base64,AAAA"):
        body = f"image={text}".encode()
        yield "POST", "/v1/jobs", body, [("Content-Type", FORM)]


def form(path="/v1/jobs", headers=(), **asked):
    """One multipart request."""
    body, kind = _multipart(asked)
    return "POST", path, body, [("Content-Type", kind), *headers]


def strangers():
    """Requests that would be fine, from where they may not come."""
    for origin in ("http://evil.example", "null", "https://localhost.evil.example", "http://127.0.0.1:1", "file://"):
        yield form(image=TOY, headers=[("Origin", origin)])
        yield "GET", "/v1/health", None, [("Origin", origin)]
    for host in (
        "evil.example",
        "evil.example:80",
        "127.0.0.1.nip.io",
        "localhost.evil.example",
        "",
        "169.254.169.254",
    ):
        yield "GET", "/v1/health", None, [("Host", host)]
        yield "GET", "/", None, [("Host", host)]
    for site in ("cross-site", "same-site"):
        yield form(image=TOY, headers=[("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "no-cors")])
    for length in ("-1", "1e9", "99999999999", "0x10", "26214401"):
        yield "POST", "/v1/jobs", b"", [("Content-Length", length), ("Content-Type", FORM)]


@pytest.fixture(scope="module")
def scripted():
    """A server with a worker that does what its pictures say; no model is loaded."""
    with served(program=SCRIPTED, wait=False) as (address, process):
        yield address, process


def test_two_hundred_hostile_requests_are_refused_and_cost_nothing(scripted):
    address, process = scripted
    requests = [*paths(), *forms(), *strangers()]
    assert len(requests) >= 200
    before = None
    for round_ in range(2):
        for method, path, body, headers in requests:
            status, answer_headers, answer = ask(address, method, path, body, headers)
            shown = f"{method} {path[:80]} {headers}: {status} {answer[:200]}"
            assert 400 <= status < 500, shown
            assert "root:" not in answer.decode("latin-1") and "Traceback" not in answer.decode("latin-1"), shown
            if answer_headers["content-type"] == "application/json":
                assert 0 < len(json.loads(answer)["error"]["message"]) <= 500, shown
        before = resident_mb(process.pid) if round_ == 0 else before
    assert resident_mb(process.pid) < before + 10
    health = Client(address).health()
    assert health["status"] == "ok" and health["waiting"] == health["in_progress"] == 0, "one of them became a job"


def test_a_body_that_is_too_large_is_not_read(scripted):
    """Chunked, so that its size is not known before: whoever goes on sending is cut off, and nothing of it is kept."""
    address, process = scripted
    before, most, is_cut = resident_mb(process.pid), 0.0, False
    host, port = address.removeprefix("http://").split(":")
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode())
        end = time.monotonic() + 30
        try:
            while time.monotonic() < end:
                connection.sendall(16 * (b"10000\r\n" + b"x" * 65536 + b"\r\n"))
                most = max(most, resident_mb(process.pid))
        except OSError:
            is_cut = True
    assert is_cut and most < before + 80
    assert Client(address).health()["status"] == "ok"


@pytest.mark.parametrize("size", [26 * 2**20, 100 * 2**20])
def test_one_who_sends_too_much_is_told_so(scripted, size):
    with pytest.raises(BadInput, match="more than 25 MB"):
        Client(scripted[0]).submit(image=b"\x89PNG\r\n\x1a\n" + bytes(size))


def test_slow_headers_and_bodies_are_given_up():
    """Sixty connections that say a little and wait: all are closed, and meanwhile others are served."""
    with served("--body-seconds", "1.5", program=SCRIPTED, wait=False) as (address, _):
        host, port = address.removeprefix("http://").split(":")
        begun = [
            b"",
            b"GET / HT",
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-A: ",
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: 900\r\n\r\nx",
        ]
        open_ = [socket.create_connection((host, int(port)), timeout=30) for _ in range(60)]
        for number, connection in enumerate(open_):
            connection.sendall(begun[number % len(begun)])
        assert Client(address).health()["status"] == "ok"
        answers = []
        for connection in open_:
            with connection:
                found = b""
                while chunk := connection.recv(4096):
                    found += chunk
                answers.append(found)
        assert all(each == b"" or each.startswith((b"HTTP/1.1 408", b"HTTP/1.1 400")) for each in answers), set(answers)
        assert sum(each.startswith(b"HTTP/1.1 408") for each in answers) == 15


def test_a_header_twice_is_refused(scripted):
    address, _ = scripted
    answer = raw(
        address, b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    )
    assert re.match(rb"HTTP/1.1 4\d\d", answer), answer


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/v1/health", f"/v1/jobs/{FORGED}", "/nowhere"])
def test_every_answer_says_what_browsers_may_do_with_it(scripted, path):
    headers = ask(scripted[0], "GET", path)[1]
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and "unsafe-inline" not in headers["content-security-policy"]
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'" and policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers and "server" not in headers


def test_a_browser_of_the_page_itself_is_served(scripted):
    address = scripted[0]
    for headers in ([("Origin", address)], [("Sec-Fetch-Site", "same-origin")], [("Sec-Fetch-Site", "none")], []):
        assert ask(address, "GET", "/v1/health", None, headers)[0] == 200
    assert ask(address, "GET", "/", None, [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")])[0] == 200


def test_a_token_is_asked_for_by_the_api_and_not_by_the_page():
    with served(program=SCRIPTED, wait=False, token="open sesame") as (address, _):
        assert ask(address, "GET", "/")[0] == 200
        for given in (
            "",
            "Bearer",
            "Bearer open",
            "Bearer open sesame2",
            "Basic open sesame",
            "open sesame",
            "Bearer \xe9",
        ):
            status, headers, _ = ask(address, "GET", "/v1/health", None, [("Authorization", given)] if given else [])
            assert status == 401 and headers["www-authenticate"] == "Bearer"
        assert ask(address, "GET", "/v1/health?token=open%20sesame")[0] == 401, "a token in an address ends in logs"
        assert Client(address, "open sesame").health()["status"] == "ok"


def test_nobody_listens_for_others_without_a_token():
    for host in ("0.0.0.0", "::", "192.168.1.2", "example.org"):
        with pytest.raises(ValueError, match="--token"):
            ServerSettings(host=host)
        assert not ServerSettings(host=host, token="long enough").is_local
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert ServerSettings(host=host).is_local


def test_the_worker_dies_with_its_server():
    with served(program=SCRIPTED) as (_, process):
        (worker,) = children(process.pid)
        process.kill()
        process.wait()
        end = time.monotonic() + 10
        while resident_alive(worker) and time.monotonic() < end:
            time.sleep(0.05)
        assert not resident_alive(worker)


def resident_alive(pid):
    """Whether a process is there and no zombie."""
    try:
        return resident_mb(pid) > 0
    except FileNotFoundError:
        return False
