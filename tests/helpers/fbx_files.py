"""A small FBX file in text form: one tetrahedron, moved by its node, plain or with a texture."""

from pathlib import Path

import numpy as np

CORNERS = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 3]], float)
SHIFT = (10, 0, 0)
FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
UVS = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])


def write_fbx(path: Path, texture: str | None = None) -> Path:
    """The tetrahedron `CORNERS` + `SHIFT`; with a texture, corner i at ``UVS[i]``."""
    indices = ",".join(str(i) for a, b, c in FACES for i in (a, b, -c - 1))
    layer = layers = ""
    objects = 'Material: 3000, "Material::m", "" { ShadingModel: "lambert" Properties70: { '
    objects += 'P: "DiffuseColor", "Color", "", "A",1,0,0 } }\n'
    links = 'C: "OO",2000,0\nC: "OO",1000,2000\nC: "OO",3000,2000\n'
    if texture:
        layer = 'LayerElementUV: 0 { Version: 101 Name: "uv" MappingInformationType: "ByPolygonVertex" '
        layer += f'ReferenceInformationType: "IndexToDirect" UV: *8 {{ a: {",".join(map(str, UVS.reshape(-1)))} }} '
        layer += f"UVIndex: *12 {{ a: {','.join(map(str, FACES.reshape(-1)))} }} }}\n"
        layers = 'LayerElement: { Type: "LayerElementUV" TypedIndex: 0 }\n'
        objects += f'Texture: 4000, "Texture::t", "" {{ Type: "TextureVideoClip" FileName: "{texture}" '
        objects += f'RelativeFilename: "{texture}" }}\n'
        links += 'C: "OP",4000,3000, "DiffuseColor"\n'
    path.write_text(
        "; FBX 7.3.0 project file\n"
        "FBXHeaderExtension: { FBXHeaderVersion: 1003 FBXVersion: 7300 }\n"
        'GlobalSettings: { Version: 1000 Properties70: { P: "UpAxis", "int", "Integer", "",1\n'
        'P: "FrontAxis", "int", "Integer", "",2\nP: "CoordAxis", "int", "Integer", "",0\n'
        'P: "UnitScaleFactor", "double", "Number", "",1\n} }\n'
        f'Objects: {{\nGeometry: 1000, "Geometry::", "Mesh" {{\n'
        f"Vertices: *12 {{ a: {','.join(map(str, CORNERS.reshape(-1)))} }}\n"
        f"PolygonVertexIndex: *12 {{ a: {indices} }}\nGeometryVersion: 124\n"
        'LayerElementMaterial: 0 { Version: 101 Name: "" MappingInformationType: "AllSame" '
        'ReferenceInformationType: "IndexToDirect" Materials: *1 { a: 0 } }\n'
        f'{layer}Layer: 0 {{ Version: 100 LayerElement: {{ Type: "LayerElementMaterial" TypedIndex: 0 }}\n{layers}}}\n'
        '}\nModel: 2000, "Model::tetra", "Mesh" { Version: 232 Properties70: { '
        f'P: "Lcl Translation", "Lcl Translation", "", "A",{",".join(map(str, SHIFT))} }} }}\n'
        f"{objects}}}\nConnections: {{\n{links}}}\n"
    )
    return path
