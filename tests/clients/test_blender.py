"""The Blender extension against a real server, in a Python of its own that has `bpy`.

`ZERO123PP_BPY_PYTHON` names one: `python3.11 -m venv b && b/bin/pip install bpy`; bpy wants another numpy than we do.
"""

import json
import os
import re
import subprocess
import sys
import tomllib

import pytest
from import_graph import imported
from paths import ROOT

FOLDER = ROOT / "clients" / "blender"

SCRIPT = """
import importlib.util, json, sys
import bpy
folder, address, token, picture = sys.argv[1:]
where = folder + "/__init__.py"
spec = importlib.util.spec_from_file_location("zero123pp_blender", where, submodule_search_locations=[])
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
module.register()
bpy.ops.wm.read_factory_settings(use_empty=True)
run = bpy.ops.import_scene.zero123pp
said = {}
for name, more in {"wrong token": {"token": "wrong"}, "no server": {"server": "http://127.0.0.1:9"},
                   "no picture": {"filepath": picture + ".gone"}}.items():
    try:
        run(**({"filepath": picture, "server": address, "token": token} | more))
    except RuntimeError as error:
        said[name] = str(error)
said["objects after refusals"] = len(bpy.data.objects)
asked = {"server": address, "token": token, "triangles": 3000, "texture_size": "512", "height": 2.0}
said["result"] = list(run(filepath=picture, **asked))
mesh = next(each for each in bpy.data.objects if each.type == "MESH")
bpy.context.view_layer.update()
corners = [mesh.matrix_world @ vertex.co for vertex in mesh.data.vertices]
said["low"], said["high"] = ([pick(corner[axis] for corner in corners) for axis in range(3)] for pick in (min, max))
said["name"], said["faces"] = mesh.name, len(mesh.data.polygons)
said["pictures"] = [list(each.size) for each in bpy.data.images if each.size[0]]
said["painted"] = any(node.type == "TEX_IMAGE" for node in mesh.active_material.node_tree.nodes)
module.unregister()
print("SAID " + json.dumps(said))
"""


def bpy_python():
    """A Python that has bpy, or None."""
    for python in filter(None, (os.environ.get("ZERO123PP_BPY_PYTHON"), sys.executable)):
        if subprocess.run([python, "-c", "import bpy"], capture_output=True).returncode == 0:
            return python
    return None


@pytest.mark.slow
def test_the_toy_arrives_upright_and_painted(tmp_path):
    pytest.importorskip("fastapi")
    python = bpy_python()
    if python is None:
        pytest.skip("no Python with bpy; ZERO123PP_BPY_PYTHON can name one")
    from served import served

    token = "a token of the tests"
    with served("--preset", "fast", token=token) as (address, _):
        call = [python, "-c", SCRIPT, FOLDER, address, token, ROOT / "docs" / "toy.png"]
        done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(re.search(r"^SAID (.*)$", done.stdout, re.MULTILINE).group(1))
    assert "token" in said["wrong token"] and "start one: zero123pp serve" in said["no server"]
    assert "cannot read" in said["no picture"] and said["objects after refusals"] == 0
    assert said["result"] == ["FINISHED"] and said["name"] == "toy" and 2900 < said["faces"] <= 3000
    low, high = said["low"], said["high"]
    wide, deep, tall = (b - a for a, b in zip(low, high))
    assert tall == pytest.approx(2.0, abs=1e-3) and tall > wide > deep, "it does not stand upright, front to -Y"
    assert low[2] == pytest.approx(0.0, abs=1e-3), "its bottom is not on the floor"
    assert said["painted"] and [512, 512] in said["pictures"]


@pytest.mark.quick
def test_the_manifest_is_one_that_blender_takes():
    """https://docs.blender.org/manual/en/latest/advanced/extensions/getting_started.html"""
    manifest = tomllib.loads((FOLDER / "blender_manifest.toml").read_text())
    assert manifest["schema_version"] == "1.0.0" and manifest["type"] == "add-on"
    assert re.fullmatch(r"[a-z]\w*", manifest["id"]) and re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert tuple(map(int, manifest["blender_version_min"].split("."))) >= (4, 2, 0)
    assert len(manifest["tagline"]) <= 64 and manifest["tagline"][-1] not in ".!?"
    assert all(each.startswith("SPDX:") for each in manifest["license"])
    for reason in manifest["permissions"].values():
        assert len(reason) <= 64 and reason[-1] not in ".!?"
    assert set(manifest["permissions"]) <= {"files", "network", "clipboard", "camera", "microphone"}


@pytest.mark.quick
def test_it_needs_nothing_but_blender():
    tops = {name.split(".")[0] for name in imported(FOLDER / "__init__.py")}
    assert tops - sys.stdlib_module_names == {"bpy", "bpy_extras"}
