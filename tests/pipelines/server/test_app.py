"""The API from end to end: a real server, a real worker, a real picture."""

import io
import json
import re
import zipfile

import numpy as np
import pytest
from paths import ROOT
from PIL import Image
from served import ask
from toy import toy_mesh

from zero123pp.client import Client, _multipart
from zero123pp.errors import BadInput, StageFailed
from zero123pp.images import encode_png, tile_sheet, to_uint8
from zero123pp.recon.render import render
from zero123pp.rigs import RIGS

TOY = ROOT / "docs" / "toy.png"
SMALL = {"target_polycount": 1500, "texture_size": 256}


def post(server, path, **asked):
    """The state of the job that a form begins."""
    body, kind = _multipart(asked)
    status, _, answer = ask(server, "POST", path, body, [("Content-Type", kind)])
    assert status == 202, answer
    return json.loads(answer)


def ended(server, job):
    """The job's states, until it has ended."""
    states = list(Client(server).watch(job["id"], 0.05))
    assert states[-1]["status"] == "SUCCEEDED", states[-1]
    return states


def opened(client, job, name):
    """A picture among a job's files."""
    return Image.open(io.BytesIO(client.file(job["files"][name])))


def tallness(shape):
    """Height over width of what is True."""
    return shape.any(1).sum() / shape.any(0).sum()


@pytest.fixture(scope="module")
def made(server):
    """All states of a finished job of the toy."""
    return ended(server, Client(server).submit(image=TOY, **SMALL))


def test_a_picture_becomes_a_valid_glb_through_all_states(server, made, tmp_path, validate_glb):
    client, last = Client(server), made[-1]
    (tmp_path / "toy.glb").write_bytes(client.file(last["model_urls"]["glb"]))
    validate_glb(tmp_path / "toy.glb")
    progress = [state["progress"] for state in made]
    assert progress == sorted(progress) and progress[-1] == 100
    assert {state["status"] for state in made} >= {"IN_PROGRESS", "SUCCEEDED"}
    assert last["mesh"]["watertight"] and last["mesh"]["faces"] <= 1500 and last["licence"] == "Apache-2.0"
    report = json.loads(client.file(last["files"]["report.json"]))
    assert report["config"]["texture.size"] == 256 and report["seed"] == 0
    assert Image.open(io.BytesIO(client.file(last["thumbnail_url"]))).size == (256, 256)


def test_the_shape_can_be_seen_before_its_texture(server, made, tmp_path, validate_glb):
    with_shape = [state for state in made if "untextured.glb" in state["files"]]
    assert with_shape[0]["status"] == "IN_PROGRESS", "it came with the result only"
    (tmp_path / "shape.glb").write_bytes(Client(server).file(with_shape[0]["files"]["untextured.glb"]))
    validate_glb(tmp_path / "shape.glb")


def test_six_views_can_be_seen_before_their_model(server):
    views = [render(toy_mesh(48), camera) for camera in RIGS["v1.2"].cameras(96)]
    tiles = np.stack([to_uint8(np.dstack([view.rgb, view.alpha])) for view in views])
    sheet = encode_png(tile_sheet(tiles))
    states = ended(server, post(server, "/v1/jobs", sheet=sheet, rig="v1.2", **SMALL))
    with_views = [state for state in states if "views.png" in state["files"]]
    assert with_views[0]["status"] == "IN_PROGRESS" and with_views[0]["stage"] != "pack", "they came with the result"
    shown = Image.open(io.BytesIO(Client(server).file(states[-1]["files"]["views.png"])))
    assert shown.size == (192, 288) and states[-1]["mesh"]["watertight"]


def test_events_say_what_asking_says(server):
    job = Client(server).submit(image=TOY, **SMALL, seed=5)
    status, headers, body = ask(server, "GET", f"/v1/jobs/{job['id']}/events")
    states = [json.loads(line.removeprefix("data: ")) for line in body.decode().split("\n\n") if line]
    assert status == 200 and headers["content-type"].startswith("text/event-stream")
    assert states[-1] == Client(server).state(job["id"]) and states[-1]["status"] == "SUCCEEDED"
    assert {"cutout", "views", "mesh", "texture"} <= {state["stage"] for state in states}


def test_a_corrected_outline_decides_what_is_made(server):
    """The lower half of the toy is taken away; the knobs change the shape without a new cutout."""
    client = Client(server)
    found = ended(server, post(server, "/v1/cutouts", image=TOY))[-1]
    assert found["kind"] == "cutout" and found["model_urls"] == {}
    picture, alpha = (
        Image.open(io.BytesIO(client.file(found["files"][name]))) for name in ("picture.jpg", "alpha.png")
    )
    assert picture.size == alpha.size == (640, 640)
    mask = np.array(alpha)
    assert 0.1 < (mask > 128).mean() < 0.6
    mask[400:] = 0
    job = ended(server, client.submit(image=TOY, mask=encode_png(mask), **SMALL, depth=0.5))[-1]
    cutout = np.array(Image.open(io.BytesIO(client.file(job["files"]["cutout.png"]))))
    whole = np.array(Image.open(io.BytesIO(client.file(found["files"]["cutout.png"]))))
    rows = [np.flatnonzero((each[..., 3] > 128).any(1)) for each in (cutout, whole)]
    shape = [
        len(each) / np.ptp(np.flatnonzero((part[..., 3] > 128).any(0))) for each, part in zip(rows, (cutout, whole))
    ]
    assert shape[0] < 0.85 * shape[1], "the mask was not used"
    report = json.loads(client.file(job["files"]["report.json"]))
    assert report["config"]["preview.depth"] == 0.5 and report["cutout"] == "mask"


def test_an_obj_can_have_quads(server, made):
    pytest.importorskip("pymeshlab", reason="the extra meshlab")
    url = f"/v1/jobs/{made[-1]['id']}/exports"
    job = ended(server, post(server, url, format="obj", topology="quad"))[-1]
    text = zipfile.ZipFile(io.BytesIO(Client(server).file(job["files"]["model.obj.zip"]))).read("model.obj").decode()
    corners = [len(line.split()) - 1 for line in text.splitlines() if line.startswith("f ")]
    assert set(corners) == {3, 4} and corners.count(4) > len(corners) / 4


def test_quads_in_a_format_without_them_are_refused(server, made):
    url = f"/v1/jobs/{made[-1]['id']}/exports"
    with pytest.raises(StageFailed, match=r"\.obj"):
        failed = list(Client(server).watch(post(server, url, format="stl", topology="quad")["id"], 0.05))[-1]
        raise StageFailed(failed["task_error"]["message"])


@pytest.mark.parametrize(("format", "name"), [("stl", "model.stl"), ("obj", "model.obj.zip")])
def test_other_formats_are_made_of_the_same_mesh(server, made, format, name):
    job = ended(server, post(server, f"/v1/jobs/{made[-1]['id']}/exports", format=format, origin_at="bottom"))[-1]
    assert list(job["files"]) == [name]
    content = Client(server).file(job["files"][name])
    if format == "stl":
        assert len(content) == 84 + 50 * made[-1]["mesh"]["faces"]
    else:
        assert sorted(zipfile.ZipFile(io.BytesIO(content)).namelist()) == [
            "model.mtl",
            "model.obj",
            "model_texture.png",
        ]


def test_the_same_key_and_content_are_one_job(server):
    client = Client(server)
    one = client.submit(image=TOY, **SMALL, seed=11, idempotency_key="a")
    assert client.submit(image=TOY, **SMALL, seed=11, idempotency_key="a")["id"] == one["id"]
    assert client.submit(image=TOY, **SMALL, seed=12, idempotency_key="a")["id"] != one["id"]
    assert client.submit(image=TOY, **SMALL, seed=11)["id"] != one["id"]
    ended(server, one)


def test_a_cancelled_job_ends_and_the_next_one_is_made(server):
    client = Client(server)
    first, second = client.submit(image=TOY, seed=21), client.submit(image=TOY, **SMALL, seed=22)
    assert second["position"] >= 1
    client.cancel(first["id"])
    assert list(client.watch(first["id"], 0.05))[-1]["status"] == "CANCELED"
    ended(server, second)


def test_a_deleted_job_and_its_files_are_gone(server):
    client = Client(server)
    job = ended(server, client.submit(image=TOY, **SMALL, seed=31))[-1]
    client.delete(job["id"])
    for path in (f"/v1/jobs/{job['id']}", job["model_urls"]["glb"]):
        assert ask(server, "GET", path)[0] == 404


def test_a_picture_that_shows_nothing_fails_in_one_line(server):
    with pytest.raises(StageFailed, match=r"no object was found|transparent") as error:
        Client(server).make(encode_png(np.full((200, 200, 3), 255, np.uint8)))
    assert "/" not in str(error.value).replace("and/or", ""), "no place of this machine is told"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"depth": "9"}, "depth is '9': should be less than or equal to 4"),
        ({"seed": "x"}, "seed is 'x'"),
        ({"model": "/etc/passwd"}, "model is '/etc/passwd'; this server has preview, inflated"),
        ({"topology": "quad"}, "topology is 'quad'"),
        ({"model": "inflated", "depth": "2"}, "depth are knobs of preview, not of inflated"),
        ({"rig": "v1.2"}, "rig belongs to a sheet"),
        ({"sheet": b"GIF89a"}, "both of image and sheet given"),
        ({"back": b"text"}, "back is not a picture"),
    ],
)
def test_what_cannot_be_made_is_refused_in_the_words_that_were_sent(server, asked, words):
    with pytest.raises(BadInput, match=re.escape(words)):
        Client(server).submit(image=TOY, **asked)


def test_health_tells_what_the_server_offers(server):
    health = Client(server).health()
    assert health["worker"] == "ready" and health["models"] == ["preview", "inflated"] and not health["prompts"]
    assert {"glb", "obj", "stl"} <= set(health["formats"])
    for path in health["examples"]:
        assert Image.open(io.BytesIO(ask(server, "GET", path)[2])).format == "WEBP"


def test_the_api_is_described_and_its_description_loads_nothing(server):
    status, _, body = ask(server, "GET", "/v1/openapi.json")
    paths = json.loads(body)["paths"]
    assert status == 200 and {"/v1/jobs", "/v1/cutouts", "/v1/jobs/{number}/events"} <= set(paths)
    fields = json.dumps(json.loads(body)["components"])
    assert all(f'"{name}"' in fields for name in ("target_polycount", "origin_at", "topology", "mask"))
    assert ask(server, "GET", "/docs")[0] == ask(server, "GET", "/redoc")[0] == 404
