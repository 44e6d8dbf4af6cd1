"""Licences of the weights, said to the user once: before a first download. A cached model says nothing again."""

import sys

OFFICIAL = "CC-BY-NC 4.0 (weights; no commercial use)"
"""Of every Zero123++ checkpoint and ControlNet by its authors, as their repository states it."""

OTHER = "as stated by the checkpoint's publisher"

_OFFICIAL_OWNER = "sudo-ai/"


def licence_of(repo_id: str, stated: str | None = None) -> str:
    """The licence of a repository on the hub, ``stated`` being the one of its model card."""
    return OFFICIAL if repo_id.startswith(_OFFICIAL_OWNER) else stated or OTHER


def announce(repo_id: str, stated: str | None = None) -> None:
    """Say on stderr what is downloaded and under which licence; see `zero123pp.diffusion.hub.OnDownload`."""
    sys.stderr.write(f"downloading {repo_id} from the Hugging Face hub; licence: {licence_of(repo_id, stated)}\n")
