"""A parser of the command line that says in one line what is wrong, and what was likely meant."""

import argparse
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

EXIT_BAD_INPUT = 2


class Parser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` whose errors are one line."""

    _typed: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As ever; what was typed is kept for the errors."""
        self._typed = tuple(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """One clear line instead of the whole usage, with the flag that a slip was meant for."""
        if message.startswith(("unrecognized arguments", "the following arguments are required")):
            message = "; ".join((message, *self._meant()))
        self.exit(EXIT_BAD_INPUT, f"{self.prog}: error: {message.removeprefix('argument ')} (see {self.prog} --help)\n")

    def _meant(self) -> Iterator[str]:
        known = [name for name in self._option_string_actions if name.startswith("--")]
        for word in (typed.partition("=")[0] for typed in self._typed if typed.startswith("--")):
            near = get_close_matches(word, known, 1)
            if near and not any(name.startswith(word) for name in known):
                yield f"instead of {word}, did you mean {near[0]}?"
