"""A USDZ as Pixar's library reads it."""

import io
import zipfile

import numpy as np

from zero123pp.types import Mesh, TexturedMesh


def read_usdz(path) -> TexturedMesh | Mesh:
    """Its one mesh in the frame of the file, with the texture of its material."""
    from PIL import Image
    from pxr import Usd, UsdGeom

    stage = Usd.Stage.Open(str(path))
    (prim,) = (each for each in stage.Traverse() if each.IsA(UsdGeom.Mesh))
    shape = UsdGeom.Mesh(prim)
    faces = np.array(shape.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)
    mesh = Mesh(np.array(shape.GetPointsAttr().Get()), faces.astype(np.int32))
    st = UsdGeom.PrimvarsAPI(shape).GetPrimvar("st")
    if not st:
        return mesh
    with zipfile.ZipFile(path) as archive:
        (name,) = (each for each in archive.namelist() if "color" in each)
        texels = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"))
    return TexturedMesh(mesh, np.array(st.Get()), texels)
