"""``--shard I/N``: the part of a list that one of several processes does."""

from dataclasses import dataclass

from zero123pp.errors import BadInput


@dataclass(frozen=True)
class Shard:
    """The part ``number`` (from 1) of ``count`` of a list: every count-th row."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """From a text like '3/16'; BadInput for anything else."""
        number, _, count = text.partition("/")
        if not (number.isascii() and number.isdigit() and count.isascii() and count.isdigit()):
            raise BadInput(f"shard {text!r} is not of the form i/n, for example 3/16")
        if len(text) > 20 or not 1 <= int(number) <= int(count):
            raise BadInput(f"shard {text!r} is out of range; i of i/n goes from 1 to n")
        return cls(int(number), int(count))

    def has(self, row: int) -> bool:
        """Whether a row (from 0) belongs to it."""
        return row % self.count == self.number - 1
