"""Trial files: YAML read strictly, `extends` followed, keys validated, problems located."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from mair.trial.errors import display, likeness, nearest, shown
from mair.trial.schema import Analysis, TrialFile, known_keys

PATHS = ("data", "published")


class _Loader(yaml.SafeLoader):
    """YAML 1.2's scalars: yes, no, on, off, dates, 12:30 and 007 stay text; 1e-3 is a number."""

    def __init__(self, stream):
        super().__init__(stream)
        self.problems: list[str] = []


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first)
    )


def _mapping(loader, node, deep=False):
    """A mapping with text keys; a key that stands twice is a problem with its lines."""
    first: dict[str, int] = {}
    for key_node, _ in node.value:
        line = key_node.start_mark.line + 1
        if key_node.tag.endswith(":merge"):
            continue
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":null"):
            loader.problems.append(f"line {line}: expected a name as key")
        elif key_node.value in first:
            loader.problems.append(
                f"line {line}: key {key_node.value} stands twice (first on line "
                f"{first[key_node.value]}), expected once"
            )
        else:
            first[key_node.value] = line
    loader.flatten_mapping(node)
    return {
        str(key.value): loader.construct_object(value, deep=True)
        for key, value in node.value
        if isinstance(key, yaml.ScalarNode)
    }


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))


def read_yaml(path: Path) -> tuple[dict | None, list[str]]:
    """One YAML file as a dict with text keys.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict or None
        None when the file cannot be used.
    list of str
        Problems, each beginning with the file.
    """
    name = display(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None, [f"{name}: no such file, expected a trial file (.yaml)"]
    except IsADirectoryError:
        return None, [f"{name}: is a folder, expected a trial file (.yaml)"]
    except (OSError, UnicodeDecodeError) as error:
        return None, [f"{name}: cannot be read as UTF-8 text ({error})"]
    try:
        loader = _Loader(text)
        content = loader.get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        return None, [f"{name}: {where}not valid YAML ({what})"]
    except RecursionError:
        return None, [f"{name}: an anchor contains itself, expected plain YAML"]
    problems = [f"{name}: {problem}" for problem in loader.problems]
    if not isinstance(content, dict):
        held = "the file is empty" if content is None else f"{shown(content)} stands there"
        return None, [*problems, f"{name}: {held}, expected keys of a trial file such as arm:"]
    return content, problems


@dataclass
class Source:
    """A trial file with all it extends: its keys, and which file states each."""

    path: Path
    raw: dict = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    origins: dict[tuple, Path] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    by_hand: set[str] = field(default_factory=set)  # keys of analysis given to load()

    def where(self, location: tuple) -> str:
        """The file that states the key at ``location``, or the nearest key above it."""
        for end in range(len(location), 0, -1):
            if location[:end] in self.origins:
                return display(self.origins[location[:end]])
        return display(self.path)

    def line(self, location: tuple, message: str) -> str:
        """One problem as one line: file, key, message."""
        return f"{self.where(location)}: {self.key(location)}: {message}"

    def key(self, location: tuple) -> str:
        """A key as a person names it: ``baseline.sex.kind``, ``visits, entry 2``."""
        words, here = "", self.raw
        for part in location:
            inside = _get(here, part)
            if isinstance(part, int):
                named = _get(inside, "name")
                words += f".{named}" if named is not None else f", entry {part + 1}"
            else:
                words += f".{part}" if words else str(part)
            here = inside
        by_hand = location[:1] == ("analysis",) and set(location[1:2]) & self.by_hand
        return f"{words} (given by hand)" if by_hand else words


def _get(container, part):
    try:
        return container[part]
    except (KeyError, IndexError, TypeError):
        return None


def read_source(path: Path) -> Source:
    """Read a trial file and what it extends, the nearest file winning.

    Mappings merge, lists and scalars are replaced, null takes a key away. ``data`` and
    ``published`` are relative to the file that states them.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Source
        With ``problems`` and an empty ``raw`` where the file cannot be used.
    """
    source = Source(path)
    chain, files, here = [], [], path
    while True:
        files.append(here.resolve())
        content, problems = read_yaml(here)
        source.problems += problems
        if content is None:
            return source if len(files) == 1 else _unreadable_base(source, files, chain)
        chain.append((here, content))
        base = content.get("extends")
        if not isinstance(base, str):
            break
        here = here.parent / base
        if here.resolve() in files:
            turn = " -> ".join(display(p) for p in [*files, here.resolve()])
            source.problems.append(
                f"{display(chain[-1][0])}: extends: {base!r} leads back to itself ({turn}), "
                "expected a trial file that does not extend this one"
            )
            return source
    for stated, content in reversed(chain):
        _merge(source, source.raw, content, stated, ())
    return source


def _unreadable_base(source, files, chain):
    stated, content = chain[-1]
    source.problems.append(
        f"{display(stated)}: extends: {content['extends']!r}, expected a trial file that can "
        f"be read ({display(files[-1])})"
    )
    return source


def _merge(source: Source, into: dict, content: dict, stated: Path, above: tuple) -> None:
    """Merge one file's keys over those of the file it extends, noting who states what."""
    for key, value in content.items():
        location = (*above, key)
        if value is None and key in into and above != ("analysis", "fdr_families"):
            del into[key]  # there null is a value: no correction
            if not above:
                source.paths.pop(key, None)
            continue
        source.origins[location] = stated
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(source, into[key], value, stated, location)
            continue
        into[key] = copy.deepcopy(value)
        _note(source, value, stated, location)
        if not above and key in PATHS and isinstance(value, str):
            source.paths[key] = stated.parent / value


def _note(source, value, stated, location):
    """Every key below now comes from this file."""
    if isinstance(value, dict):
        for key, inside in value.items():
            source.origins[*location, key] = stated
            _note(source, inside, stated, (*location, key))


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "list_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
}


def describe_error(source: Source, error: dict) -> str:
    """A pydantic error as one plain line."""
    kind, location = error["type"], tuple(error["loc"])
    if kind == "extra_forbidden":
        return source.line(location, _unknown(location))
    if kind == "missing":
        return source.line(location, "required key missing")
    if kind == "value_error":
        expected = str(error["ctx"]["error"])
    elif kind == "literal_error":
        expected = "expected " + error["ctx"]["expected"].replace("'", "")
    else:
        expected = "expected " + _EXPECTED.get(kind, error["msg"])
    return source.line(location, f"{shown(error['input'])}, {expected}")


def _unknown(location: tuple) -> str:
    """What to say of an unknown key: the nearest known one, or where the key belongs."""
    key = str(location[-1])
    near = nearest(key, known_keys(location[:-1]))
    for section in ("", *known_keys(())):
        below = (section,) if section else ()
        elsewhere = below != location[:-1] and key in known_keys(below)
        if elsewhere and likeness(key, near) < 0.8:
            return f"unknown key here; did you mean {'.'.join([*below, key])}?"
    return f"unknown key; did you mean {near}?"


def validate(source: Source) -> tuple[TrialFile | None, list[str]]:
    """The keys as a model, with a line for every key that is wrong.

    Keys that are wrong are left out and the rest is validated again, so that what the
    data have wrong can be said in the same run.

    Parameters
    ----------
    source : Source

    Returns
    -------
    TrialFile or None
        None when what is left is not a trial.
    list of str
    """
    raw, problems = copy.deepcopy(source.raw), []
    for attempt in range(10):
        try:
            return TrialFile.model_validate(raw), problems
        except ValidationError as refused:
            errors = refused.errors(include_url=False)
            if attempt == 0:  # later ones only follow from what was left out
                problems = [describe_error(source, error) for error in errors]
            if not _prune(raw, errors):
                break
    return None, problems


def _prune(raw: dict, errors: list[dict]) -> bool:
    """Leave out what the errors name; False when that would be the file itself."""
    targets = set()
    for error in errors:
        location = tuple(error["loc"])
        if error["type"] == "missing":
            location = location[:-1]
        position = next((i for i, part in enumerate(location) if isinstance(part, int)), None)
        if position is not None:  # an entry of baseline goes alone, any other list whole
            location = location[: position + (location[0] == "baseline")]
        if not location:
            return False
        targets.add(location)
    for *above, key in sorted(targets, key=lambda t: [str(p).zfill(6) for p in t], reverse=True):
        container: Any = raw
        for part in above:
            container = _get(container, part)
        if isinstance(container, (dict, list)):
            try:
                del container[key]
            except (KeyError, IndexError):
                continue  # its container went already
    return True


def override(source: Source, analysis: dict) -> list[str]:
    """Put keyword values over the file's `analysis`, and say which differ.

    Parameters
    ----------
    source : Source
        Changed: its ``raw["analysis"]`` holds the keyword values afterwards.
    analysis : dict
        Keys of `analysis` with the values to use.

    Returns
    -------
    list of str
        One line for each value that differs from the file's.
    """
    stated = source.raw.get("analysis") or {}
    if not isinstance(stated, dict):
        return []
    try:
        before = Analysis.model_validate(stated).model_dump()
    except ValidationError:
        before = {}
    merged = {**stated, **analysis}
    try:
        after = Analysis.model_validate(merged).model_dump()
    except ValidationError:
        after = {}
    if analysis:
        source.raw["analysis"] = merged
        source.by_hand = set(analysis)
    return [
        f"analysis.{key}: {_bare(after[key])} is used here, {_bare(before[key])} stands in "
        f"{display(source.path)}"
        for key in analysis
        if key in before and key in after and before[key] != after[key]
    ]


def _bare(value) -> str:
    return value if isinstance(value, str) else shown(value)
