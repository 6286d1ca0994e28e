"""Trial files: YAML read strictly, `extends` followed, keys validated, problems located."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from functools import cache, cached_property, reduce
from pathlib import Path

import yaml
from pydantic import ValidationError

from mair.trial import checks, scales
from mair.trial.errors import ROOT, TrialError, display, likeness, nearest, regular, shown, written
from mair.trial.schema import TrialFile, known_keys
from mair.trial.tables import text_of

MOST_VALUES, MOST_BYTES, DEEPEST = 100_000, 5_000_000, 40
SCALES = ROOT / "mair" / "data" / "scales"
A_FILE = "a trial file (YAML in UTF-8)"
BY_HAND = "given by hand"
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # the faster one where it was built
_TAGS = {"scalar": "str", "sequence": "seq", "mapping": "map"}
_EXPECTED = {
    "string": "text", "int": "a whole number", "float": "a number", "bool": "true or false",
    "list": "a list", "dict": "keys with values", "model": "keys with values",
    "finite": "a finite number", "greater_than": "a number above {gt}",
    "greater_than_equal": "a number, {ge} or more", "less_than": "a number below {lt}",
    "less_than_equal": "a number, {le} or less",
    "literal": "{expected}", "value": "{error}"}


def read_yaml(path: Path, expected: str = A_FILE) -> tuple[dict, list[str]]:
    """One YAML file as mappings, lists, text and None, whatever a scalar looks like.

    Parameters
    ----------
    path : Path
    expected : str
        What the file is to be, as an error says it.

    Returns
    -------
    dict
    list of str
        Problems inside the file: keys that stand twice, tags. Each begins with the file.

    Raises
    ------
    TrialError
        The file cannot be read, or holds no keys.
    """
    name, problems = display(path), []
    try:
        regular(path, MOST_BYTES, expected)
        text = path.read_text(encoding="utf-8-sig")
        _shallow(text)
        node = yaml.compose(text, Loader=_LOADER)
        content = None if node is None else _plain(node, problems, itertools.count())
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        what = getattr(error, "strerror", None) or getattr(error, "problem", None) or (
            "an anchor stands within itself" if isinstance(error, RecursionError) else str(error))
        raise TrialError(f"{name}: {line}{what.splitlines()[0]}, expected {expected}") from error
    if not isinstance(content, dict):
        held = "the file is empty" if content is None else f"{shown(content)} stands there"
        raise TrialError(f"{name}: {held}, expected keys of a trial file such as arm:")
    return content, [f"{name}: {problem}" for problem in problems]


def _shallow(text: str) -> None:
    """Refuse what is nested so deeply that reading it may overflow the parser's stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = event.start_mark.line + 1
            raise yaml.YAMLError(f"line {line}: nested more than {DEEPEST} deep")


def _plain(node, problems: list[str], count) -> dict | list | str | None:
    """The value of a YAML node; 7.0 is "7", as it is in a cell of the data."""
    line = f"line {node.start_mark.line + 1}"
    if next(count) > MOST_VALUES:
        raise yaml.YAMLError(f"{line}: more than {MOST_VALUES} values")
    if node.tag != f"tag:yaml.org,2002:{_TAGS[node.id]}":
        problems.append(f"{line}: tag {node.tag!r}, expected plain YAML")
    if node.id == "sequence":
        return [_plain(inside, problems, count) for inside in node.value]
    if node.id == "scalar":
        if not written(node.value):
            problems.append(f"{line}: {shown(node.value)}, expected text without control "
                            "characters")
        if node.style:  # quoted, or a block of text
            return node.value
        return None if node.value in ("", "~", "null", "Null", "NULL") else text_of(node.value)
    found, first = {}, {}
    for key_node, inside in node.value:
        at, key = key_node.start_mark.line + 1, _plain(key_node, problems, count)
        if not isinstance(key, str):
            problems.append(f"line {at}: {shown(key)}, expected a name as key")
            continue
        first.setdefault(key, at)
        if key in found:
            problems.append(f"line {at}: key {key} stands twice (first on line {first[key]}), "
                            "expected once")
        found[key] = _plain(inside, problems, count)
    return found


@dataclass
class Source:
    """A trial file with all it extends: nearest first, each with its name, path and keys."""

    files: list[tuple[str, Path, dict]]

    @cached_property
    def raw(self) -> dict:
        """The keys, the nearest file winning."""
        return reduce(_merged, [content for *_, content in reversed(self.files)], {})

    def stating(self, location: tuple) -> tuple[str, Path]:
        """Name and path of the file that states a key, or else the nearest key above it."""
        stated = ((name, path) for end in range(len(location), 0, -1) for name, path, keys in
                  self.files if _get(keys, location[:end]) is not None)
        return next(stated, self.files[0][:2])

    def relative(self, key: str) -> Path | None:
        """The file that a top-level key names, relative to the file that states it."""
        value = self.raw.get(key)
        return None if value is None else Path(
            os.path.normpath(self.stating((key,))[1].parent / value))

    def key(self, location: tuple) -> str:
        """A key as a person names it: ``baseline.sex.kind``, ``visits, entry 2``."""
        words = ""
        for i, part in enumerate(location):
            if isinstance(part, int):
                here = _get(self.raw, location[: i + 1])
                named = _get(here, ("name",)) if isinstance(here, dict) else here
                entry = location[0] == "baseline" and named
                words += f".{named}" if entry else f", entry {part + 1}"
            elif part != "[key]":  # pydantic's word for a mapping's key itself
                words += f".{part}" if words else part
        return words

    def line(self, location: tuple, message: str) -> str:
        """One problem as one line: file, key, message."""
        return f"{self.stating(location)[0]}: {self.key(location)}: {message}"


def _get(content, location: tuple):
    try:
        return reduce(lambda inside, part: inside[part], location, content)
    except (KeyError, IndexError, TypeError):
        return None


def _merged(below: dict, above: dict, nulls: bool = False) -> dict:
    """Mappings merge, lists and text are replaced, null takes a key away.

    Under ``fdr_families`` null is a value: no correction.
    """
    merged = dict(below)
    for key, value in above.items():
        keep = nulls or key == "fdr_families"
        if value is None and key in below and not keep:
            del merged[key]
        elif isinstance(value, dict) and isinstance(below.get(key), dict):
            merged[key] = _merged(below[key], value, keep)
        else:
            merged[key] = value
    return merged


def chain(path: Path) -> tuple[Source, list[str]]:
    """A trial file and those it extends, with the problems inside them.

    Raises
    ------
    TrialError
        A file cannot be read, or extends itself.
    """
    files, problems, expected = [], [], A_FILE
    while True:
        content, found = read_yaml(path, expected)
        files.append((display(path), path, content))
        problems += found
        base = content.get("extends")
        if not isinstance(base, str) or "\0" in base:
            return Source([*files, *_scales(Source(files).raw)]), problems
        asking, path = display(path), Path(os.path.normpath(path.parent / base))
        expected = f"the trial file that {asking} extends"
        if path in (way := [file for _, file, _ in files]):
            turn = " -> ".join(map(display, [*way, path]))
            raise TrialError(f"{asking}: extends: {base!r} leads back to itself ({turn}), expected "
                             "a trial file that does not extend this one")


@cache
def shipped() -> dict[str, tuple[str, Path, dict]]:
    """The scales that come with mair, each by its own and its subscales' names."""
    found = {}
    for path in sorted(SCALES.glob("*.yaml")):
        key = read_yaml(path)[0]
        for name in (path.stem, *key.get("subscales", {})):
            found[name] = display(path), path, {"scales": {path.stem: key}}
    return found


def _scales(raw: dict) -> list[tuple[str, Path, dict]]:
    """Those of them that a trial file names; what it says of them itself goes before."""
    asked = [*_dict(raw.get("scales"))]
    for section in checks.SECTIONS:
        asked += [_dict(measure).get("scale") for measure in _dict(raw.get(section)).values()]
    asked = [name for name in asked if isinstance(name, str)]
    return [*{of[0]: of for name in asked if (of := shipped().get(name))}.values()]


def _dict(value) -> dict:
    return value if isinstance(value, dict) else {}


def read(path: Path, by_hand: dict | None = None) -> tuple[TrialFile, Source, list[str]]:
    """A trial file, validated.

    Parameters
    ----------
    path : Path
        Absolute.
    by_hand : dict, optional
        Keys of `analysis` whose values go before the file's.

    Returns
    -------
    TrialFile
    Source
    list of str
        Where values given by hand differ from the file's: one line that names them all.

    Raises
    ------
    TrialError
        With all problems of the trial file; those of values given by hand once it is sound.
    """
    source, problems = chain(path)
    spec = _validated(source, problems)
    stated = spec.analysis.model_dump()
    spec = _validated(Source([(BY_HAND, path, {"analysis": by_hand or {}}), *source.files]), [])
    used = spec.analysis.model_dump()
    other = [key for key in by_hand or {} if used[key] != stated[key]]
    here, there = (", ".join(f"{key} {of[key]}" for key in other) for of in (used, stated))
    spec = scales.expanded(spec, source, shipped())
    return spec, source, [f"Analysed here with {here}; {display(path)} declares {there}. A "
                          "parameter that is None follows the trial file."] if other else []


def _validated(source: Source, problems: list[str]) -> TrialFile:
    spec, wrong = None, []
    try:
        spec = TrialFile.model_validate(source.raw)
    except ValidationError as refused:
        wrong = [((at := _stated(source.raw, error["loc"])), _said(error | {"loc": at}))
                 for error in refused.errors(include_url=False)]
    # a rule on a key is left out where pydantic refuses that key, one above or one below it
    wrong += [said for said in checks.problems(source.raw) if not any(
        all(a == b for a, b in zip(said[0], where, strict=False)) for where, _ in wrong)]
    if wrong or problems:
        raise TrialError([*problems, *(source.line(where, message) for where, message in wrong)])
    return spec


def _stated(raw: dict, location: tuple) -> tuple:
    """A location without the place in a list of which a single entry stands by itself."""
    return tuple(part for i, part in enumerate(location)
                 if not (isinstance(part, int) and isinstance(_get(raw, location[:i]), dict)))


def _said(error: dict) -> str:
    """What is wrong at a key, from pydantic's error."""
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown(error["loc"])
    if kind == "missing":
        return checks.MISSING
    expected = _EXPECTED.get(kind) or _EXPECTED.get(kind.split("_")[0], error["msg"])
    limits = {key: shown(limit) if isinstance(limit, (int, float)) else str(limit).replace("'", "")
              for key, limit in error.get("ctx", {}).items()}
    return f"{shown(error['input'])}, expected {expected.format(**limits)}"


def _unknown(location: tuple) -> str:
    """What to say of an unknown key: the nearest known one, or where the key belongs."""
    *above, key = location
    near = nearest(key, known_keys(tuple(above)))
    homes = [[], *([section] for section in known_keys(()))]
    home = next((h for h in homes if h != above and key in known_keys(tuple(h))), None)
    if home is not None and likeness(key, near) < 0.8:
        return f"unknown key here; did you mean {'.'.join([*home, key])}?"
    return f"unknown key; did you mean {near}?"
