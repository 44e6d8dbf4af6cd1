"""Linear layers of a network in 8 bit, for processors that have no fast type of 16 bit. Approximate.

Weights get one scale for each output, and inputs one for each call, measured on it ("dynamic"; Jacob et al. 2018,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", arXiv 1712.05877).
"""

import warnings

import torch

from zero123pp.errors import BadInput, MissingBackend


class Int8Linear(torch.nn.Module):
    """A linear layer in 8 bit, from and to float32; its weights are no parameters any more."""

    def __init__(self, linear: torch.nn.Linear):
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight = linear.weight.detach().float()
        scales = weight.abs().amax(dim=1).clamp(min=1e-12) / 127
        zeros = torch.zeros(len(weight), dtype=torch.int64)
        with warnings.catch_warnings():  # of tensors like this one, which torch is about to drop
            warnings.simplefilter("ignore", UserWarning)
            packed = torch.quantize_per_channel(weight, scales.double(), zeros, 0, torch.qint8)
        bias = None if linear.bias is None else linear.bias.detach().float()
        self._packed = torch.ops.quantized.linear_prepack(packed, bias)
        self._is_short = not has_int8_products()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(..., in) to (..., out) float32."""
        return torch.ops.quantized.linear_dynamic(rows, self._packed, self._is_short)


def has_int8_products() -> bool:
    """Whether the processor adds up products of 8 bit in 32 (VNNI); others do in 16, so inputs get 7 bits there."""
    if torch.backends.quantized.engine == "fbgemm":  # chosen by hand: the one for processors without
        return False
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(capabilities.get(name, False) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


def quantize_linear(network: torch.nn.Module) -> None:
    """Put `Int8Linear` in place of the linear layers of the transformer blocks of a float32 UNet on the processor.

    Raises:
        BadInput: a network elsewhere or of another type.
        MissingBackend: a torch that has no quantized tensors any more.
    """
    if not hasattr(torch, "quantize_per_channel"):
        raise MissingBackend(
            f"int8 needs the quantized tensors of torch, and {torch.__version__} has none; leave it out"
        )
    if network.device.type != "cpu" or network.dtype != torch.float32:
        raise BadInput(
            f"the UNet is {str(network.dtype).removeprefix('torch.')} on {network.device}; int8 is made of float32, "
            "on a processor (cpu)"
        )
    for name, module in list(network.named_modules()):
        for child_name, child in list(module.named_children()):
            # The few of the time embedding cost nothing, and every layer hears them.
            if type(child) is torch.nn.Linear and "attentions" in f"{name}.{child_name}":
                setattr(module, child_name, Int8Linear(child))


def is_quantized(network: torch.nn.Module) -> bool:
    """Whether it has layers of `quantize_linear`."""
    return any(isinstance(module, Int8Linear) for module in network.modules())
