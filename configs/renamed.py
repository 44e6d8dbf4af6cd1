"""Keys of earlier releases: what each is called now, or why it is gone. A preset that names one is told so."""

RENAMED = {
    "harmonise": "align",
    "harmonise.incoherence_px": "align.inconsistency_px",
    "place": "register",
    "fit.rate_sdf": "fit.lr_sdf",
    "fit.rate_color": "fit.lr_color",
    "fit.hull_dissent": "fit.hull_outlier_views",
    "fit.hash.rate": "fit.hash.lr",
    "fit.hash.rate_sharpness": "fit.hash.lr_sharpness",
    "refine.rate": "refine.lr",
    "refine.rate_color": "refine.lr_color",
}
"""Old path to new path; the path of a group stands for all keys below it that are not listed themselves."""

_NO_HELP = "the guess of a network did not help the fit of several views (docs/reconstruction.md)"
_UNMEASURED = "no measurement spoke for it (docs/gpu.md)"
REMOVED: dict[str, str] = {
    "fit.prior": _NO_HELP,
    "fit.weight_guide": _NO_HELP,
    "fit.weight_predicted": _NO_HELP,
    "fit.hash.slope_step": "slopes by differences took half as much time again and gave the same shape (docs/gpu.md)",
    "fit.hash.weight_decay": _UNMEASURED,
    "fit.hash.weight_sparse": _UNMEASURED,
    "fit.hash.kept": _UNMEASURED,
    "fit.hash.kept_mask": _UNMEASURED,
}
"""Old path to the reason, which names the document that has the numbers."""


def advice(path: str) -> str | None:
    """What to do about the key ``path`` (dotted) that no config has; None when no release had it."""
    if path in REMOVED:
        return f"{path} is gone: {REMOVED[path]}"
    head, rest = path, ""
    while head:
        if head in RENAMED:
            return f"{path} is called {RENAMED[head]}{rest} now"
        head, _, last = head.rpartition(".")
        rest = f".{last}{rest}"
    return None
