"""Single pictures through the whole pipeline: what is measured on each, and what is shown of it."""

import time
from pathlib import Path

import numpy as np

from zero123pp.cameras import orbit_camera
from zero123pp.pipelines.asset import Asset
from zero123pp.pipelines.evaluation.report import Row
from zero123pp.pipelines.image_to_mesh import ImageTo3D
from zero123pp.pipelines.inputs import read_image
from zero123pp.recon.metrics import roughness_deg
from zero123pp.recon.render import render
from zero123pp.rigs import RIGS

VIEWS_DEG = {"front": (0, 0), "45": (45, 15), "right": (90, 10), "back": (180, 10), "left": (270, 10), "top": (0, 75)}
"""Columns of the contact sheet: azimuth and elevation."""

TILE_PX = 200
"""Side of a picture on it: large enough to judge."""


def measured(pipe: ImageTo3D, path: Path, seed: int) -> tuple[Row, Asset]:
    """What a picture became, and its row: seconds of each stage, likeness to the picture, soundness of the mesh."""
    start = time.perf_counter()
    asset = pipe(path, seed=seed)
    seconds = time.perf_counter() - start
    picture, mesh = asset.report["picture"], asset.report["mesh"]
    row: dict[str, float | str] = {"object": path.stem, "seconds": seconds}
    row |= {f"{stage}_s": took for stage, took in asset.report["seconds"].items()}
    unknown = float("nan")  # no camera was found from which the object looks like the picture
    row["front_IoU"] = picture.get("silhouette_iou", unknown)
    row["front_PSNR"] = picture.get("foreground_psnr_db", unknown)
    row |= {"watertight": float(mesh["watertight"]), "manifold": float(mesh["manifold"])}
    return row | {"roughness_deg": roughness_deg(asset.mesh)}, asset


def pictures_of(path: Path, asset: Asset) -> list[np.ndarray]:
    """The input, its cutout, the mesh from the `VIEWS_DEG`, and its normals from 45 degrees."""
    rig = RIGS["v1.2"]
    tiles = [read_image(path)] + ([] if asset.cutout is None else [asset.cutout.rgba])
    for azimuth, elevation in VIEWS_DEG.values():
        view = render(asset.textured, orbit_camera(azimuth, elevation, rig.distance, rig.fov_deg, TILE_PX))
        tiles.append(np.dstack([view.rgb, view.alpha]))
    azimuth, elevation = VIEWS_DEG["45"]
    view = render(asset.mesh, orbit_camera(azimuth, elevation, rig.distance, rig.fov_deg, TILE_PX))
    return [*tiles, np.dstack([view.normal / 2 + 0.5, view.alpha])]
