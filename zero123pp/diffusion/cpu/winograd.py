"""3x3 convolutions with fewer products: Winograd's minimal filtering F(2x2, 3x3).

A tile of 2x2 results needs 16 products a channel pair instead of 36 (Lavin and Gray 2016, "Fast algorithms for
convolutional neural networks", section 4.1): ``Y = A^T [(G g G^T) . (B^T d B)] A``. In single precision the result is
the direct one to about 1e-6; in bfloat16 the transforms round once more, to about 0.7 % of a layer's output instead
of 0.3 %. Channels come last throughout, so that every step works on contiguous vectors and the products are plain
matrix products.
"""

import torch

from zero123pp.diffusion.cpu.threads import as_many_as_torch, bits

_G = ((1.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.0, 0.0, 1.0))

_BLOCK_BYTES = 6 * 2**20
"""Transformed input that is worked on at a time: about what stays in the outer cache."""


def transform_weight(weight: torch.Tensor) -> torch.Tensor:
    """Filters (out, in, 3, 3) to their transforms (16, in, out), computed in single precision, in the filters' type."""
    g = torch.tensor(_G, device=weight.device)
    transformed = torch.einsum("ai,ocij,bj->abco", g, weight.float(), g)
    return transformed.reshape(16, weight.shape[1], weight.shape[0]).to(weight.dtype)


def convolve(pixels: torch.Tensor, transformed: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """The convolution of ``pixels`` with stride 1 and a border of zeros.

    Args:
        pixels: (batch, in, height, width).
        transformed: (16, in, out) of `transform_weight`.
        bias: (out,), or None.

    Returns:
        (batch, out, height, width), channels last in memory.
    """
    rows, columns = (pixels.shape[2] + 1) // 2, (pixels.shape[3] + 1) // 2
    row_bytes = 16 * columns * max(transformed.shape[1:]) * pixels.element_size()
    step = max(1, _BLOCK_BYTES // row_bytes)
    batch, _, height, width = pixels.shape
    padding = (0, 0, 1, 2 * columns + 1 - width, 1, 2 * rows + 1 - height)
    padded = torch.nn.functional.pad(pixels.permute(0, 2, 3, 1), padding)  # (b, 2 rows + 2, 2 columns + 2, in)
    if pixels.dtype == torch.bfloat16:
        result = pixels.new_empty(batch, height, width, transformed.shape[2])
        _convolve_bfloat16(padded, transformed, bias, step, result)
        return result.permute(0, 3, 1, 2)
    result = pixels.new_empty(batch, 2 * rows, 2 * columns, transformed.shape[2])
    for image in range(batch):
        for top in range(0, rows, step):
            count = min(step, rows - top)
            block = padded[image, 2 * top : 2 * (top + count) + 2]
            target = result[image, 2 * top : 2 * (top + count)].view(count, 2, columns, 2, -1)
            _convolve_block(block, transformed, bias, target)
    return result[:, :height, :width].contiguous().permute(0, 3, 1, 2)


def _convolve_block(
    block: torch.Tensor, transformed: torch.Tensor, bias: torch.Tensor | None, target: torch.Tensor
) -> None:
    """A band (2 r + 2, 2 c + 2, in) of padded input to ``target`` (r, 2, c, 2, out)."""
    rows, _, columns, _, outputs = target.shape
    channels = block.shape[-1]
    down = block.new_empty(4, rows, 2 * columns + 2, channels)
    _input_transform([block[i : i + 2 * rows : 2] for i in range(4)], down)
    both = block.new_empty(4, 4, rows, columns, channels)
    _input_transform([down[:, :, j : j + 2 * columns : 2] for j in range(4)], both.transpose(0, 1))
    products = torch.bmm(both.view(16, rows * columns, channels), transformed).view(4, 4, rows, columns, outputs)
    down = products.new_empty(2, 4, rows, columns, outputs)
    _output_transform(products, down[0], down[1])
    if bias is not None:
        # The corner where all the transforms' signs are positive reaches each of the four results exactly once.
        down[:, 1] += bias
    _output_transform(down.transpose(0, 1), *target.permute(3, 1, 0, 2, 4))


def _convolve_bfloat16(
    padded: torch.Tensor, transformed: torch.Tensor, bias: torch.Tensor | None, step: int, result: torch.Tensor
) -> None:
    """The same into ``result`` (b, h, w, out) with each transform in one pass over memory, ``step`` rows at a time.

    Rows of tiles are counted through all the batch, so that small pictures share a product: each reads all filters.
    """
    from zero123pp.diffusion.cpu import winograd_kernels as kernels

    if not padded.is_contiguous():
        padded = padded.contiguous()
    batch, height, width, channels = padded.shape
    rows, columns = batch * (height // 2 - 1), width // 2 - 1
    constant = kernels.zero_bias(transformed.shape[2]) if bias is None else bits(bias)
    for first in range(0, rows, step):
        count = min(step, rows - first)
        both = padded.new_empty(4, 4, count, columns, channels)
        with as_many_as_torch():
            kernels.transform_input(bits(padded), first, bits(both))
        products = torch.bmm(both.view(16, count * columns, channels), transformed).view(4, 4, count, columns, -1)
        with as_many_as_torch():
            kernels.transform_output(bits(products), constant, first, bits(result))


def _input_transform(d: list[torch.Tensor], out: torch.Tensor) -> None:
    """``B^T d`` along one axis: four shifted inputs to four outputs."""
    torch.sub(d[0], d[2], out=out[0])
    torch.add(d[1], d[2], out=out[1])
    torch.sub(d[2], d[1], out=out[2])
    torch.sub(d[1], d[3], out=out[3])


def _output_transform(m: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> None:
    """``A^T m`` along the first axis: four inputs to two outputs."""
    torch.add(m[1], m[2], out=first)
    first += m[0]
    torch.sub(m[1], m[2], out=second)
    second -= m[3]
