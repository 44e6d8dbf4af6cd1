"""The node of ComfyUI against a real server whose worker gives the picture back."""

import asyncio
import importlib.util
import io
import json
import sys
import time
import tomllib

import comfy_stand_in
import numpy as np
import pytest
from import_graph import imported
from paths import ROOT
from PIL import Image

pytest.importorskip("fastapi")
torch = pytest.importorskip("torch")

from served import SCRIPTED, served  # noqa: E402

TOKEN = "a token of the tests"


@pytest.fixture
def progress(monkeypatch):
    return comfy_stand_in.install(monkeypatch)


@pytest.fixture
def nodes(progress):
    spec = importlib.util.spec_from_file_location("zero123pp_nodes", ROOT / "clients" / "comfyui" / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def address():
    with served(program=SCRIPTED, token=TOKEN) as (address, _):
        yield address


def given(nodes, **more):
    """What ComfyUI would hand to `execute`: the defaults of the schema, and these."""
    schema = nodes.PictureTo3D.define_schema()
    values = {each.id: each.default for each in schema.inputs if each.default is not None}
    return values | more


def test_the_schema_is_what_execute_takes(nodes):
    schema = nodes.PictureTo3D.define_schema()
    names = {each.id for each in schema.inputs}
    code = nodes.PictureTo3D.execute.__func__.__code__
    assert names == set(code.co_varnames[1 : code.co_argcount]) and "ComfyUI" not in schema.node_id
    required = {each.id for each in schema.inputs if not each.optional}
    assert required == {"image", "triangles", "texture_size", "origin", "seed", "depth"}
    assert asyncio.run(asyncio.run(nodes.comfy_entrypoint()).get_node_list()) == [nodes.PictureTo3D]
    about = tomllib.loads((ROOT / "clients" / "comfyui" / "pyproject.toml").read_text())
    assert about["tool"]["comfy"]["PublisherId"] and "comfyui" not in about["project"]["name"]


def test_a_picture_goes_and_the_file_comes(nodes, progress, address, monkeypatch):
    monkeypatch.setenv("ZERO123PP_TOKEN", TOKEN)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 24, 40, 3), np.uint8)
    tensor = torch.from_numpy(pixels).float() / 255
    mask, back = torch.ones(1, 24, 40), tensor[:1]
    asked = given(nodes, image=tensor, mask=mask, back=back, server=f" {address}/ ", origin="bottom", depth=0.5)
    file, report = nodes.PictureTo3D.execute(**asked).args
    assert file.format == "glb" and json.loads(report)["warnings"] == []
    sent = file.get_bytes().removeprefix(b"glTF")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(sent))), pixels[0])
    assert all(0 <= each <= 1 for each in progress)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_pictures_are_pngs(nodes, shape):
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 1.4 - 0.2
    decoded = np.asarray(Image.open(io.BytesIO(nodes.png(values))), float) / 255
    np.testing.assert_allclose(decoded.reshape(shape), values.clamp(0, 1).numpy(), atol=0.5 / 255 + 1e-6)


def test_what_goes_wrong_is_one_line_of_the_servers(nodes, address, monkeypatch):
    monkeypatch.setenv("ZERO123PP_TOKEN", "wrong")
    tensor = torch.zeros(1, 24, 40, 3)
    with pytest.raises(RuntimeError, match="token"):
        nodes.PictureTo3D.execute(**given(nodes, image=tensor, server=address))
    monkeypatch.setenv("ZERO123PP_TOKEN", TOKEN)
    with pytest.raises(RuntimeError, match="seed"):
        nodes.PictureTo3D.execute(**given(nodes, image=tensor, server=address, seed=-1))
    with pytest.raises(RuntimeError, match="start one: zero123pp serve"):
        nodes.PictureTo3D.execute(**given(nodes, image=tensor, server="http://127.0.0.1:9"))
    with pytest.raises(RuntimeError, match="expected http://HOST:PORT"):
        nodes.PictureTo3D.execute(**given(nodes, image=tensor, server="file:///etc/passwd"))


def test_stop_ends_the_job_on_the_server(nodes, address, monkeypatch):
    """ComfyUI raises in the progress when its user presses stop."""
    talk, states = nodes.Server(address, TOKEN), []

    def stop(state):
        states.append(state["id"])
        if state["status"] == "IN_PROGRESS":
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        talk.made({}, {"image": b"GIF89a sleep 60"}, stop)
    assert time.monotonic() - start < 50
    with pytest.raises(RuntimeError):
        talk.ask("GET", f"/v1/jobs/{states[0]}")


def test_it_needs_nothing_but_the_standard_library_and_comfyui(nodes):
    tops = {name.split(".")[0] for name in imported(ROOT / "clients" / "comfyui" / "__init__.py")}
    assert tops - sys.stdlib_module_names == {"comfy_api", "comfy"}
