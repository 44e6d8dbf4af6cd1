"""A small store of objects to train the one-picture network on."""

import numpy as np


def stored(folder, count=4):
    """A `SolidStore` of boxes painted by chance; at least one is held out."""
    import trimesh

    from zero123pp.train.held_out import is_held_out
    from zero123pp.train.one_view import Solid, SolidStore, StoredPaint

    store, rng = SolidStore(folder), np.random.default_rng(0)
    names = [f"box{i}" for i in range(1000)]
    held = [n for n in names if is_held_out(n)][:1]
    for name in held + [n for n in names if not is_held_out(n)][: count - 1]:
        mesh = trimesh.creation.box(rng.uniform(0.3, 1, 3))
        faces = len(mesh.faces)
        rgb = np.repeat(rng.integers(30, 255, (faces, 1, 3)), 3, 1).astype(np.uint8)
        texture = rng.integers(0, 255, (8, 8, 3)).astype(np.uint8)
        owner = np.where(np.arange(faces) < 4, 0, -1).astype(np.int16)
        paint = StoredPaint(rng.random((faces, 3, 2), np.float32), rgb, owner, (texture,))
        store.save("kit", name, Solid.of(np.array(mesh.vertices), np.array(mesh.faces), paint, "kit"))
    return store


LIGHTS = np.stack([np.array([[11.0] * 3] + [[0.5] * 3] * 8)])
