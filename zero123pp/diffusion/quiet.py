"""The diffusion libraries without their own words on stderr: whatever matters in them is checked and said here."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """No progress bars and no warnings from diffusers and transformers meanwhile.

    Those about what is missing come when a class is first looked up, so imports of theirs belong into the block too.
    """
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    logs = (of_transformers, of_diffusers)
    verbosity = [log.get_verbosity() for log in logs]
    bars = [log.is_progress_bar_enabled() for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, level, bar in zip(logs, verbosity, bars):
            log.set_verbosity(level)
            if bar:
                log.enable_progress_bar()
