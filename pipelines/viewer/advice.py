"""What a warning of a run means to whoever looks at its result, and what can be done."""

import re

ADVICE = (
    (
        "outline overlap by",
        "Something that the picture shows is missing in the mesh, or stands elsewhere. Try --preset quality, a larger "
        "picture of the object, or one without wires and thin straps.",
    ),
    (
        "agrees badly with its views",
        "The views do not show one object from the sides that were expected, so the shape is a compromise. Check that "
        "the sheet has 3 rows and 2 columns, a plain background, and the cameras that --rig names.",
    ),
    (
        "there is no normal map",
        "A normal map holds what triangles are too coarse for. A mesh that was refined on the views' normals is as "
        "fine as the surface it would be made from, so it has none.",
    ),
    (
        "loose specks or a soft shadow",
        "Tiny or faint remains around the object were taken for dirt. If something is missing, give a picture whose "
        "background is transparent and whose object is not.",
    ),
    (
        "see-through all over",
        "Glass and ghosts become solid: a mesh has a surface or none. Nothing is wrong if that is what you want.",
    ),
    (
        "transparent rim is taken",
        "Only a narrow border of the picture is transparent. If the object fills less than all the rest, run again "
        "with --set cutout.method=bundled.",
    ),
    (
        "nearly opaque picture was found",
        "The background remover kept little of the picture. If parts of the object are gone, run again with --set "
        "cutout.method=alpha, or give a cutout.",
    ),
    (
        "separate objects are in the picture",
        "Each was made, but their places in depth are guessed. Crop the picture to one object for a better mesh.",
    ),
)
"""Words of a warning, and what they mean."""


def advice(warning: str) -> str:
    """What the warning means and what to do; empty where there is nothing to add."""
    return next((meaning for words, meaning in ADVICE if re.search(words, warning)), "")
