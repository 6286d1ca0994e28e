"""A trial file and its data become a `Trial`, or a list of problems."""

from importlib import import_module

_EXPORTED = ("Feature", "Trial", "TrialError", "Variable", "check", "load")
__all__ = list(_EXPORTED)


def __getattr__(name: str):
    """Import on first use, so that a part of the wing does not load pandas."""
    if name in _EXPORTED:
        return getattr(import_module("mair.trial.trial"), name)
    raise AttributeError(name)
