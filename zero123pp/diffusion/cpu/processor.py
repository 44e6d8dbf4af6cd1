"""What the processor of this machine computes fast."""

import torch


def has_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16 products (AVX512-BF16 or AMX).

    Without them torch emulates the type and is slower than in single precision.
    """
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
