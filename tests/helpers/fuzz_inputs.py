"""Coverage-guided fuzzing of what reads files from strangers: the picture loader and the list reader.

    pip install atheris
    python tests/helpers/fuzz_inputs.py pictures -max_total_time=1200 tests/security/corpus/pictures
    python tests/helpers/fuzz_inputs.py lists -max_total_time=600 tests/security/corpus/lists

The arguments after the target are libFuzzer's; new inputs go into the first folder that is named. What a target
promises: a sound result or BadInput with one line, nothing else, and no more than 1.5 GB. test_fuzz_corpus.py replays
the corpus without atheris.
"""

import os
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def _watched() -> object:
    """While this is entered, imported modules tell atheris which lines run."""
    if __name__ != "__main__":
        return nullcontext()
    import atheris

    return atheris.instrument_imports(include=["PIL", "zero123pp"])


with _watched():
    import numpy as np
    from PIL import Image

    from zero123pp.errors import BadInput
    from zero123pp.pipelines.batch.items import Item, inside, read_items
    from zero123pp.pipelines.batch.make import decode
    from zero123pp.pipelines.inputs.read_image import MAX_PIXELS, MIN_SIDE_PX

    Image.init()  # the decoders are imported here

CORPUS = Path(__file__).resolve().parents[1] / "security" / "corpus"
RSS_LIMIT_MB = 1500


def one_picture(data: bytes) -> str:
    """'read' or the reason why not; AssertionError when a promise is broken."""
    try:
        pixels = decode(data, "fuzz.png")
    except BadInput as error:
        assert str(error) and "\n" not in str(error) and "/dev/fd" not in str(error)
        return str(error)
    height, width, channels = pixels.shape
    assert pixels.dtype == np.uint8 and channels in (3, 4)
    assert min(height, width) >= MIN_SIDE_PX and height * width <= MAX_PIXELS
    return "read"


def one_list(data: bytes) -> str:
    """'read' or the reason why not. The first byte chooses the format."""
    suffix = ".csv" if data[:1] < b"\x80" else ".jsonl"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"list{suffix}"
        path.write_bytes(data[1:])
        try:
            items, root = read_items(path, Item(0))
        except BadInput as error:
            assert str(error) and "\n" not in str(error).replace(str(path), "").strip()
            return str(error)
        home = root.resolve()
        for item in items:
            assert item.problem or sum(x is not None for x in (item.image, item.views, item.prompt)) == 1
            assert item.seed >= 0 and (item.steps is None or item.steps > 0)
            for text in (item.image, item.views):
                if text is not None and not item.problem:
                    try:
                        assert inside(root, text).is_relative_to(home)
                    except BadInput:
                        pass
    return "read"


TARGETS = {"pictures": one_picture, "lists": one_list}


def main() -> None:
    import atheris

    target = TARGETS[sys.argv[1]]
    atheris.Setup(
        [sys.argv[0], f"-rss_limit_mb={RSS_LIMIT_MB}", "-timeout=10", *sys.argv[2:]], lambda data: target(data)
    )
    atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
