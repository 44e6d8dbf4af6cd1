"""3MF files by the standard library alone, as the specification has them: one object with vertex colours."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

CORE = "{http://schemas.microsoft.com/3dmanufacturing/core/2015/02}"
MATERIAL = "{http://schemas.microsoft.com/3dmanufacturing/material/2015/02}"
RELATIONSHIP = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"


def read_3mf(path: str | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (N, 3) in millimetres, faces (F, 3) and their corners' colours (F, 3, 3) uint8."""
    with zipfile.ZipFile(path) as archive:
        (start,) = ElementTree.fromstring(archive.read("_rels/.rels")).iter(RELATIONSHIP)
        model = ElementTree.fromstring(archive.read(start.get("Target").lstrip("/")))
    assert model.get("unit") == "millimeter"
    (item,) = model.iter(f"{CORE}item")
    (body,) = (each for each in model.iter(f"{CORE}object") if each.get("id") == item.get("objectid"))
    (group,) = model.iter(f"{MATERIAL}colorgroup")
    palette = np.array([list(bytes.fromhex(color.get("color")[1:7])) for color in group], np.uint8)
    vertices = np.array([[float(each.get(axis)) for axis in "xyz"] for each in body.iter(f"{CORE}vertex")])
    triangles = list(body.iter(f"{CORE}triangle"))
    assert {each.get("pid") for each in triangles} == {group.get("id")}
    faces = np.array([[int(each.get(corner)) for corner in ("v1", "v2", "v3")] for each in triangles])
    return vertices, faces, palette[[[int(each.get(corner)) for corner in ("p1", "p2", "p3")] for each in triangles]]
