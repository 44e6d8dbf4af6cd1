"""USDZ (https://openusd.org/release/spec_usdz.html): the format of AR Quick Look, and of tools of film."""

import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.images import srgb_to_linear
from zero123pp.recon.export.options import MATERIALS, FileOptions
from zero123pp.recon.export.texture_file import encode_texture
from zero123pp.recon.meshing import smooth_normals
from zero123pp.types import Part, TexturedMesh

if TYPE_CHECKING:
    from pxr import Sdf, Usd, UsdGeom, UsdShade

_ALIGNED = 64
"""Bytes at a multiple of which every file in the package begins."""


def check_usd() -> ModuleType:
    """The library; MissingBackend where it is not installed."""
    try:
        import pxr
    except ImportError as error:
        raise MissingBackend(".usdz needs usd-core: pip install 'zero123pp[usd]'") from error
    return pxr


def encode_usdz(asset: Part, stem: str, extras: Mapping, options: FileOptions = FileOptions()) -> dict[str, bytes]:
    """A package of the scene and its textures, equal bytes for equal input; see `zero123pp.recon.export.EXPORTERS`."""
    suffix = {"png": "png", "jpeg": "jpg"}[options.texture_format or "jpeg"]
    textures = {}
    if isinstance(asset, TexturedMesh):
        textures["color"] = (
            f"textures/color.{suffix}",
            encode_texture(asset.base_color, options.texture_format or "jpeg"),
        )
        if asset.normal_map is not None:
            content = encode_texture(asset.normal_map, options.texture_format or "jpeg", is_color=False)
            textures["normal"] = (f"textures/normal.{suffix}", content)
    scene = _scene(asset, {kind: name for kind, (name, _) in textures.items()}, extras, options)
    files = {"scene.usdc": scene} | dict(textures.values())
    return {f"{stem}.usdz": _package(files)}


def _scene(asset: Part, textures: Mapping[str, str], extras: Mapping, options: FileOptions) -> bytes:
    """The stage as a binary file: one mesh with one material under a root that has the picture's name."""
    check_usd()
    from pxr import Kind, Tf, Usd, UsdGeom, UsdShade

    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "scene.usdc"))
        try:
            stage = Usd.Stage.CreateNew(file)
            UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
            UsdGeom.SetStageMetersPerUnit(stage, 1.0)
            root = UsdGeom.Xform.Define(stage, "/" + Tf.MakeValidIdentifier(options.name))
            root.GetPrim().SetDisplayName(options.name)
            Usd.ModelAPI(root).SetKind(Kind.Tokens.component)
            stage.SetDefaultPrim(root.GetPrim())
            stage.GetRootLayer().customLayerData = {str(key): str(value) for key, value in extras.items()}
            shape = UsdGeom.Mesh.Define(stage, root.GetPath().AppendChild("mesh"))
            _describe(shape, asset)
            if textures:
                material = _material(stage, root.GetPath().AppendChild("material"), textures, options.material)
                UsdShade.MaterialBindingAPI.Apply(shape.GetPrim()).Bind(material)
            stage.GetRootLayer().Save()
        except Tf.ErrorException as error:
            raise BadInput(f"cannot write the scene of a .usdz into {folder}: is the disk full?") from error
        return Path(file).read_bytes()


def _describe(shape: "UsdGeom.Mesh", asset: Part) -> None:
    """Points, triangles, normals, and texture coordinates or colours."""
    from pxr import Sdf, UsdGeom, Vt

    is_textured = isinstance(asset, TexturedMesh)
    mesh = asset.mesh if is_textured else asset
    normals = asset.normals if is_textured and asset.normals is not None else smooth_normals(mesh)
    vertices, faces = np.array(mesh.vertices), np.array(mesh.faces)
    shape.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(vertices))
    shape.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(faces), 3, np.int32)))
    shape.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(faces.reshape(-1)))
    shape.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([vertices.min(0), vertices.max(0)])))
    shape.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    shape.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(np.array(normals)))
    shape.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    if is_textured:
        kind = Sdf.ValueTypeNames.TexCoord2fArray
        at = UsdGeom.PrimvarsAPI(shape).CreatePrimvar("st", kind, UsdGeom.Tokens.vertex)
        at.Set(Vt.Vec2fArray.FromNumpy(np.array(asset.uvs)))
    elif mesh.colors is not None:
        colors = srgb_to_linear(mesh.colors / 255).astype(np.float32)
        shape.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex).Set(Vt.Vec3fArray.FromNumpy(colors))


def _material(stage: "Usd.Stage", path: "Sdf.Path", textures: Mapping[str, str], preset: str) -> "UsdShade.Material":
    """A UsdPreviewSurface with textures by kind, color and perhaps normal."""
    from pxr import Gf, Sdf, UsdShade

    kinds = Sdf.ValueTypeNames
    material = UsdShade.Material.Define(stage, path)

    def shader(name: str, what: str) -> UsdShade.Shader:
        made = UsdShade.Shader.Define(stage, path.AppendChild(name))
        made.CreateIdAttr(what)
        return made

    surface, reader = shader("surface", "UsdPreviewSurface"), shader("uv", "UsdPrimvarReader_float2")
    for name, value in zip(("metallic", "roughness"), MATERIALS[preset]):
        surface.CreateInput(name, kinds.Float).Set(value)
    material.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    reader.CreateInput("varname", kinds.String).Set("st")
    reader.CreateOutput("result", kinds.Float2)
    for kind, name in textures.items():
        sampler = shader(kind, "UsdUVTexture")
        sampler.CreateInput("file", kinds.Asset).Set(name)
        sampler.CreateInput("st", kinds.Float2).ConnectToSource(reader.ConnectableAPI(), "result")
        for wrap in ("wrapS", "wrapT"):
            sampler.CreateInput(wrap, kinds.Token).Set("clamp")
        sampler.CreateInput("sourceColorSpace", kinds.Token).Set("sRGB" if kind == "color" else "raw")
        sampler.CreateOutput("rgb", kinds.Float3)
        if kind == "normal":  # 0..1 stands for -1..1
            sampler.CreateInput("scale", kinds.Float4).Set(Gf.Vec4f(2, 2, 2, 1))
            sampler.CreateInput("bias", kinds.Float4).Set(Gf.Vec4f(-1, -1, -1, 0))
        wanted = ("normal", kinds.Normal3f) if kind == "normal" else ("diffuseColor", kinds.Color3f)
        surface.CreateInput(*wanted).ConnectToSource(sampler.ConnectableAPI(), "rgb")
    return material


def _package(files: Mapping[str, bytes]) -> bytes:
    """A ZIP archive without compression whose files begin at multiples of `_ALIGNED` bytes, the first one the scene."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)  # always of 1980: equal bytes
            start = content.tell() + 30 + len(name) + 4  # a local header, its name, the head of an extra field
            padding = -start % _ALIGNED
            entry.extra = (0x1986).to_bytes(2, "little") + padding.to_bytes(2, "little") + bytes(padding)
            archive.writestr(entry, data)
    return content.getvalue()
