"""A trial file and its data become a `Trial`, or a list of problems."""

from importlib import import_module

_WHERE = {"Feature": "columns", "Variable": "schema", "Trial": "trial", "remembered": "trial",
          "TrialError": "errors", "load": "loading"}  # fmt: skip
__all__ = list(_WHERE)


def __getattr__(name: str):
    """Import on first use, so that a part of the wing does not load pandas."""
    if name in _WHERE:
        return getattr(import_module(f"mair.trial.{_WHERE[name]}"), name)
    raise AttributeError(name)
