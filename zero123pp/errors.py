"""The errors a caller can meet. Each message holds the value that was got and what to do about it."""


class Zero123ppError(Exception):
    """Base of every error this package raises on purpose."""


class BadInput(Zero123ppError, ValueError):
    """A picture, mesh, camera or argument that cannot be used; the message names it."""


class ConfigError(BadInput):
    """An unknown key, a wrong type or a value out of range in a preset or an override."""


class MissingBackend(Zero123ppError, ImportError):
    """An optional library or a model that was asked for is not here; the message has the install line."""


class StageFailed(Zero123ppError, RuntimeError):
    """A pipeline stage could not produce a result from valid input (for example an empty surface)."""


class Cancelled(Zero123ppError):
    """The caller asked to stop; nothing is returned."""
