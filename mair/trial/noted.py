"""What of a trial was asked for, so that a run knows which change concerns which notebook.

A part is ``(kind, *path)``: the path leads from the `Trial` through attributes, keys and names;
the kind says what was asked: the ``value``, the ``names`` of a mapping or of features, whether
there is ``any`` entry, or whether a name is ``in`` it. What a notebook does follows from the
parts it asked for, so equal parts mean an equal notebook.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path

import pandas as pd

_ABSENT = object()


def noted(value, path: tuple[str, ...], parts: dict):
    """A value as its reader gets it: a scalar or data noted at once, a structure when read.

    Parameters
    ----------
    value : object
        At ``path`` of a trial.
    path : tuple of str
    parts : dict
        Receives the parts as keys; a dict, so that they stay in order.

    Returns
    -------
    object
        ``value``, or a view of it that notes what is read.
    """
    if isinstance(value, dict):
        return NotedMapping(value, path, parts)
    if _has_fields(value):
        return NotedFields(value, path, parts)
    if isinstance(value, tuple) and value and all(map(_has_fields, value)):
        parts["names", *path] = None
        return tuple(NotedFields(one, (*path, one.name), parts) for one in value)
    parts["value", *path] = None
    return value


def _has_fields(value) -> bool:
    return is_dataclass(value) or hasattr(type(value), "model_fields")


class _Noted:
    """Part of a trial, of which what is read is noted."""

    def __init__(self, of, path: tuple[str, ...], parts: dict):
        self._of, self._path, self._parts = of, path, parts

    def _asked(self, kind: str = "value", *key):
        self._parts[kind, *self._path, *key] = None
        return self._of

    def __repr__(self):
        return repr(self._asked())


class NotedMapping(_Noted, Mapping):
    """A mapping of which each entry that is read is noted."""

    def __getitem__(self, key):
        if key not in self._of:
            self._asked("value", key)
        return noted(self._of[key], (*self._path, key), self._parts)

    def __iter__(self):
        return iter(self._asked("names"))

    def __len__(self):
        return len(self._asked("names"))

    def __bool__(self):
        return bool(self._asked("any"))

    def __contains__(self, key):
        return key in self._asked("in", key)


class NotedFields(_Noted):
    """A variable, a feature or the choices of the analysis; each field that is read is noted."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self._of, name)
        if callable(value):  # a method may read every field
            return getattr(self._asked(), name)
        return noted(value, (*self._path, name), self._parts)

    def __eq__(self, other):
        return self._asked() == (other._of if isinstance(other, NotedFields) else other)

    def __hash__(self):
        return hash(self._asked())

    def __reduce__(self):
        return _itself, (self._asked(),)


def _itself(value):
    return value


def digest(content: dict, part: tuple[str, ...]) -> str:
    """SHA-256 of what a part holds now.

    Parameters
    ----------
    content : dict
        The trial's fields, as ``vars(trial)`` gives them.
    part : tuple of str
        Kind and path.

    Returns
    -------
    str
        64 hexadecimal digits; another hash where there is no such part any more.
    """
    kind, *path = part
    here = content
    for key in path:
        if isinstance(here, tuple):
            here = {one.name: one for one in here}
        here = here.get(key, _ABSENT) if isinstance(here, dict) else getattr(here, key, _ABSENT)
    if kind in ("in", "any"):
        here = here is not _ABSENT and (kind == "in" or bool(here))
    elif kind == "names" and here is not _ABSENT:
        here = [one if isinstance(one, str) else one.name for one in here]
    said = "absent" if here is _ABSENT else json.dumps(here, default=_plain)
    return hashlib.sha256(said.encode()).hexdigest()


def _plain(value):
    """Data as JSON holds them, index and order included; of a file, that it is named."""
    if isinstance(value, pd.Series):
        return [value.index.tolist(), value.tolist()]
    if isinstance(value, pd.DataFrame):
        return [value.index.tolist(), {str(key): value[key].tolist() for key in value}]
    return "a file" if isinstance(value, Path) else vars(value)
