"""Errors of this package that say what is wrong with what somebody gave it."""


class CheckpointError(ValueError):
    """A file is not a checkpoint of ResEmoteNet: which key, what was found, what was expected."""
