"""Cutout methods against true alphas: pairs of photo and alpha, and what is measured on each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.images import to_float


def find_pairs(folder: str | Path) -> list[tuple[Path, Path]]:
    """Photos with their true alphas; BadInput when there are none."""
    alphas = sorted(Path(folder).glob("*_alpha.png"))
    pairs = []
    for alpha in alphas:
        photos = [alpha.with_name(alpha.name.replace("_alpha.png", f"_photo.{kind}")) for kind in ("jpg", "png")]
        pairs += [(photo, alpha) for photo in photos if photo.is_file()][:1]
    if not pairs:
        raise BadInput(f"{folder} has no pairs NAME_photo.jpg and NAME_alpha.png")
    return pairs


def timed_alpha(photo: Path, method: str) -> tuple[np.ndarray, float]:
    """Alpha (H, W) of a photo at its own size by ``bundled`` or ``rembg:MODEL``, and the CPU seconds it took."""
    import time

    from zero123pp.pipelines.cutout import CUTOUTS, CutoutConfig
    from zero123pp.pipelines.inputs import read_image

    name, _, model = method.partition(":")
    if name not in CUTOUTS:
        raise MissingBackend(f"unknown cutout method {method!r}; choose bundled or rembg:MODEL")
    config = CutoutConfig(method=name, rembg_model=model or CutoutConfig.rembg_model)
    picture = read_image(photo)[..., :3]
    CUTOUTS[name](picture[:64, :64], config)  # loads the model, which is not timed
    start = time.process_time()
    alpha, _ = CUTOUTS[name](picture, config)
    return alpha, time.process_time() - start


def score(alpha: np.ndarray, truth: Path) -> dict[str, float]:
    """Intersection over union at 0.5, mean absolute error, and the same in the 10 px round the true outline."""
    from scipy import ndimage

    from zero123pp.pipelines.inputs import read_image

    true = to_float(read_image(truth)[..., 0])
    if true.shape != alpha.shape:
        raise BadInput(f"{truth} has {true.shape[1]}x{true.shape[0]} px; its photo {alpha.shape[1]}x{alpha.shape[0]}")
    a, b = alpha > 0.5, true > 0.5
    error = np.abs(alpha - true)
    band = ndimage.maximum_filter(true, 21) - ndimage.minimum_filter(true, 21) > 0.5
    return {
        "iou": float((a & b).sum() / max((a | b).sum(), 1)),
        "mae": float(error.mean()),
        "edge_mae": float(error[band].mean()) if band.any() else 0.0,
    }


def summary(method: str, rows: Sequence[dict]) -> str:
    """One line of means and of the worst picture."""
    mean = {key: float(np.mean([row[key] for row in rows])) for key in ("iou", "mae", "edge_mae", "seconds")}
    median, worst = float(np.median([row["iou"] for row in rows])), min(rows, key=lambda row: row["iou"])
    return (
        f"{method:<14} {len(rows)} pictures  IoU mean {mean['iou']:.4f} median {median:.4f}  MAE {mean['mae']:.4f}  "
        f"edge MAE {mean['edge_mae']:.4f}  {mean['seconds']:.2f} CPU s  worst {worst['picture']} {worst['iou']:.3f}"
    )
