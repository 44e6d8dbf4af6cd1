"""EfficientNet-Lite0 once more, by functional calls alone: what the product's encoder is compared with."""

import torch
from feature_weights import random_weights
from torch.nn import functional

# (kernel, stride, expansion, channels) of the blocks; Tan and Le, "EfficientNet", ICML 2019, table 1, without
# squeeze-and-excitation.
BLOCKS = (
    (3, 1, 1, 16), (3, 2, 6, 24), (3, 1, 6, 24), (5, 2, 6, 40), (5, 1, 6, 40), (3, 2, 6, 80), (3, 1, 6, 80),
    (3, 1, 6, 80), (5, 1, 6, 112), (5, 1, 6, 112), (5, 1, 6, 112), (5, 2, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192),
    (5, 1, 6, 192), (3, 1, 6, 320),
)  # fmt: skip
TAPS = (0, 2, 4, 10, 15)


def features(tensors, x):
    """Of pictures (1, 3, H, W), (255 x - 127) / 128, at strides 2 to 32; the normalisations are left unfolded."""
    taps, x, before = [], functional.relu6(normal(tensors, "_bn0", same(x, tensors["_conv_stem.weight"], 2))), 32
    for number, (_, stride, expansion, channels) in enumerate(BLOCKS):
        block, y = f"_blocks.{number}.", x
        if expansion > 1:
            y = functional.relu6(normal(tensors, f"{block}_bn0", same(y, tensors[f"{block}_expand_conv.weight"])))
        y = functional.relu6(
            normal(tensors, f"{block}_bn1", same(y, tensors[f"{block}_depthwise_conv.weight"], stride))
        )
        y = normal(tensors, f"{block}_bn2", same(y, tensors[f"{block}_project_conv.weight"]))
        x = x + y if stride == 1 and before == channels else y
        before = channels
        if number in TAPS:
            taps.append(x)
    return taps


def normal(tensors, name, x):
    """Batch normalisation with TensorFlow's epsilon."""
    mean, variance, weight, bias = (
        tensors[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return functional.batch_norm(x, mean, variance, weight, bias, eps=1e-3)


def same(x, weight, stride=1):
    """Convolution with TensorFlow's SAME padding: what is odd goes to the right and the bottom."""
    kernel = weight.shape[-1]
    wanted = [max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in x.shape[2:]]
    (top, left), (bottom, right) = ([pad // 2 for pad in wanted], [pad - pad // 2 for pad in wanted])
    groups = x.shape[1] if weight.shape[1] == 1 and x.shape[1] > 1 else 1
    return functional.conv2d(functional.pad(x, (left, right, top, bottom)), weight, None, stride, groups=groups)


def random_tensors():
    """Weights of the right names and shapes."""
    shapes, before = {"_conv_stem": (32, 3, 3, 3)}, 32
    norms = {"_bn0": 32}
    for number, (kernel, _, expansion, channels) in enumerate(BLOCKS):
        block, wide = f"_blocks.{number}.", before * expansion
        if expansion > 1:
            shapes[f"{block}_expand_conv"], norms[f"{block}_bn0"] = (wide, before, 1, 1), wide
        shapes[f"{block}_depthwise_conv"], norms[f"{block}_bn1"] = (wide, 1, kernel, kernel), wide
        shapes[f"{block}_project_conv"], norms[f"{block}_bn2"] = (channels, wide, 1, 1), channels
        before = channels
    tensors = random_weights({f"{name}.weight": shape for name, shape in shapes.items()})
    for name, count in norms.items():
        tensors |= {f"{name}.{part}": torch.rand(count) + 0.5 for part in ("weight", "running_var")}
        tensors |= {f"{name}.{part}": 0.1 * torch.randn(count) for part in ("bias", "running_mean")}
    return tensors
