"""Pictures to the pixel tensors of the VAE and CLIP, bit for bit as the checkpoints were trained.

Done with Pillow on 8-bit pixels on purpose: the image processors of transformers switch to another resampler where
torchvision is installed, and the numbers with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from zero123pp.errors import BadInput
from zero123pp.images import GRAY_BACKGROUND

MAX_ASPECT = 16
"""Longer pictures are refused: the crop would see a sliver, and resizing 20000x2 px would fill the memory."""


def on_gray(image: Image.Image | np.ndarray, what: str = "image", *, background: int = GRAY_BACKGROUND) -> Image.Image:
    """An RGB or RGBA picture, PIL or (H, W, 3|4) uint8, as RGB on the gray background of Zero123++.

    ``background`` is another gray, for a UNet that was trained on one.
    """
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (3, 4):
            raise BadInput(f"{what} is an array {image.shape} of {image.dtype}; expected (H, W, 3|4) of uint8")
        image = Image.fromarray(image)
    if not isinstance(image, Image.Image):
        raise BadInput(f"{what} is a {type(image).__name__}; expected one PIL picture or one (H, W, 3|4) uint8 array")
    if image.mode == "RGB":
        return image
    if image.mode != "RGBA":
        raise BadInput(f"{what} has mode {image.mode!r}; convert it to 'RGB' or 'RGBA' first")
    canvas = Image.new("RGB", image.size, (background,) * 3)
    canvas.paste(image, mask=image.getchannel("A"))
    return canvas


def resized(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """Square pictures (n, 3, S, S) in [0, 1] at another size: antialiased bicubic, as in InstantMesh."""
    if pictures.shape[-1] == size:
        return pictures
    return torch.nn.functional.interpolate(pictures, (size, size), mode="bicubic", antialias=True).clamp(0, 1)


@dataclass(frozen=True)
class ImagePreprocessor:
    """Resize the shorter side, crop the centre, rescale and normalise: a ``preprocessor_config.json`` made runnable."""

    size: int
    """Length to which the shorter side is resized, px."""
    crop: tuple[int, int]
    """Height and width of the centre crop, px."""
    resample: int
    """Pillow's resampling filter: 2 bilinear, 3 bicubic."""
    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]
    """Of pixels in [0, 1]; one number, or one for each channel."""

    @classmethod
    def from_config(cls, config: Mapping) -> "ImagePreprocessor":
        """From the keys of a CLIPImageProcessor; BadInput when it does anything but resize, crop and normalise."""
        off = [f"do_{step}" for step in ("resize", "center_crop", "normalize") if not config.get(f"do_{step}", True)]
        if off:
            raise BadInput(f"preprocessor_config.json switches off {', '.join(off)}; Zero123++ needs all three steps")
        try:
            size, crop = config["size"], config["crop_size"]
            # Older files hold plain numbers where newer ones hold named sides.
            size = size["shortest_edge"] if isinstance(size, Mapping) else size
            crop = (crop["height"], crop["width"]) if isinstance(crop, Mapping) else (crop, crop)
            mean, std = (tuple(v) if isinstance(v, list) else v for v in (config["image_mean"], config["image_std"]))
            made = cls(int(size), (int(crop[0]), int(crop[1])), int(config.get("resample", 3)), mean, std)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"preprocessor_config.json has no usable size, crop, mean and std ({error!r})") from error
        if not 0 < max(made.crop) <= made.size <= 4096 or min(made.crop) <= 0 or made.resample not in range(6):
            raise BadInput(
                f"preprocessor_config.json asks for size {made.size}, crop {made.crop}, filter {made.resample}"
            )
        return made

    def to_config(self) -> dict:
        """The ``preprocessor_config.json`` from which this was made, in its newer form."""
        mean, std = (list(v) if isinstance(v, tuple) else v for v in (self.mean, self.std))
        return {
            "crop_size": {"height": self.crop[0], "width": self.crop[1]},
            "do_center_crop": True,
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": mean,
            "image_processor_type": "CLIPImageProcessor",
            "image_std": std,
            "resample": self.resample,
            "rescale_factor": 1 / 255,
            "size": {"shortest_edge": self.size},
        }

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """Normalised pixels (1, 3, crop height, crop width) float32 of an RGB picture."""
        width, height = image.size
        short, long = min(width, height), max(width, height)
        if long > MAX_ASPECT * short:
            raise BadInput(f"image is {width}x{height} px; expected a square one")
        resized_long = int(self.size * long / short)
        size = (self.size, resized_long) if width <= height else (resized_long, self.size)
        pixels = np.asarray(image.resize(size, resample=self.resample))  # (h, w, 3) uint8
        top, left = (pixels.shape[0] - self.crop[0]) // 2, (pixels.shape[1] - self.crop[1]) // 2
        pixels = pixels[top : top + self.crop[0], left : left + self.crop[1]]
        # Rescaled in double precision, normalised in single: the order in which the last bit is right.
        values = (pixels.astype(np.float64) * (1 / 255)).astype(np.float32)
        values = (values - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1))[None])
