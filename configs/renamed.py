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

REMOVED: dict[str, str] = {}
"""Old path to the reason."""


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
