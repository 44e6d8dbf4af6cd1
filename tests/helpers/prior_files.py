"""A network of the shape prior as the files that the package would ship."""

from pathlib import Path


def exported(weights: dict, folder: Path):
    """The run-time prior of a state dict, exported into ``folder`` as at the end of a training."""
    import torch

    from zero123pp.recon.prior.runtime import Prior
    from zero123pp.train.prior.export import export_prior

    torch.save({"step": 30_000, "master": weights, "mean": weights, "optimiser": {}}, folder / "checkpoint.pt")
    return Prior(export_prior(folder / "checkpoint.pt", folder).parent)
