"""Trial files: YAML read strictly, `extends` followed, keys validated, problems located."""

import itertools
import os
from dataclasses import dataclass
from functools import cache, cached_property, reduce
from pathlib import Path

import yaml

from mair.trial import checks, errors, scales
from mair.trial.checks import at, single
from mair.trial.errors import TrialError, declared, display, nearest, refused, said, shown
from mair.trial.schema import SECTIONS, TrialFile, known_keys
from mair.trial.tables import text_of

MOST_VALUES, MOST_BYTES, DEEPEST = 100_000, 5_000_000, 40
SCALES = errors.ROOT / "mair" / "data" / "scales"
A_FILE = "a trial file (YAML in UTF-8)"
BY_HAND = "given by hand"
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # the faster one where it was built
_TAGS = {"scalar": "str", "sequence": "seq", "mapping": "map"}


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
    problems = []
    try:
        errors.regular(path, MOST_BYTES, expected)
        text = path.read_text(encoding="utf-8-sig")
        _shallow(text)
        node = yaml.compose(text, Loader=_LOADER)
        content = None if node is None else _plain(node, problems, itertools.count())
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        what = getattr(error, "strerror", None) or getattr(error, "problem", None) or (
            "an anchor stands within itself" if isinstance(error, RecursionError) else str(error))
        raise refused(path, "unread", line, what.splitlines()[0], expected) from error
    if not isinstance(content, dict):
        raise refused(path, "empty file" if content is None else "no keys", content)
    return content, [f"{display(path)}: {problem}" for problem in problems]


def _shallow(text: str) -> None:
    """Refuse what is nested so deeply that reading it may overflow the parser's stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.YAMLError(said("too deep", event.start_mark.line + 1, DEEPEST))


def _plain(node, problems: list[str], count) -> dict | list | str | None:
    """The value of a YAML node; 7.0 is "7", as it is in a cell of the data."""
    line = node.start_mark.line + 1
    if next(count) > MOST_VALUES:
        raise yaml.YAMLError(said("too many values", line, MOST_VALUES))
    if node.tag != f"tag:yaml.org,2002:{_TAGS[node.id]}":
        problems.append(said("tag", line, node.tag))
    if node.id == "sequence":
        return [_plain(inside, problems, count) for inside in node.value]
    if node.id == "scalar":
        if not errors.written(node.value):
            problems.append(said("control character", line, node.value))
        if node.style:  # quoted, or a block of text
            return node.value
        return None if node.value in ("", "~", "null", "Null", "NULL") else text_of(node.value)
    found, first = {}, {}
    for key_node, inside in node.value:
        line, key = key_node.start_mark.line + 1, _plain(key_node, problems, count)
        if not isinstance(key, str):
            problems.append(said("no name", line, key))
            continue
        first.setdefault(key, line)
        if key in found:
            problems.append(said("key twice", line, key, first[key]))
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
                  self.files if at(keys, location[:end]) is not None)
        return next(stated, self.files[0][:2])

    def relative(self, *location: str) -> Path | None:
        """The file that a key names, relative to the file that states it; None where none is."""
        value = at(self.raw, location)
        return Path(os.path.normpath(self.stating(location)[1].parent / value)) if isinstance(
            value, str) else None

    def key(self, location: tuple) -> str:
        """A key as a person names it: ``baseline.sex.kind``, ``visits, entry 2``."""
        words, location = "", single(self.raw, location)
        for i, part in enumerate(location):
            if isinstance(part, int):
                here = at(self.raw, location[: i + 1])
                named = at(here, ("name",)) if isinstance(here, dict) else here
                entry = location[0] == "baseline" and named
                words += f".{named}" if entry else f", entry {part + 1}"
            elif part != "[key]":  # pydantic's word for a mapping's key itself
                words += f".{part}" if words else part
        return words

    def line(self, location: tuple, sentence: str, *values, **named) -> str:
        """One problem as one line: file, key, and a sentence in which ``stated`` is its value."""
        location = single(self.raw, location)
        message = said(sentence, *values, **{"stated": at(self.raw, location), **named})
        return f"{self.stating(location)[0]}: {self.key(location)}: {message}"


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
            raise TrialError(said("circle", asking, base, " -> ".join(map(display, [*way, path]))))


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
    asked = [*(raw.get("scales") or ())]
    for section in SECTIONS:
        asked += [at(raw, (section, name, "scale")) for name in raw.get(section) or ()]
    held = [shipped().get(name) for name in asked if isinstance(name, str)]
    return [*{of[0]: of for of in held if of}.values()]


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
    return scales.expanded(spec, source, shipped()), source, [
        said("by hand", here, display(path), there)] if other else []


def _validated(source: Source, problems: list[str]) -> TrialFile:
    stated, refusals = checks.sound(source.raw)
    wrong = [*problems, *(_refused(source, error) for error in refusals)]
    for where, *sentence in checks.problems(stated):
        # a rule is left out where pydantic refuses its key, one above or one below it
        where = single(source.raw, where)
        if not any(all(a == b for a, b in zip(where, error["loc"], strict=False))
                   for error in refusals):
            wrong.append(source.line(where, *sentence))
    if wrong:
        raise TrialError(wrong)
    return TrialFile.model_validate(source.raw)


def _refused(source: Source, error: dict) -> str:
    """What is wrong at a key, from pydantic's error."""
    kind, where = error["type"], error["loc"]
    if kind == "extra_forbidden":
        return source.line(where, *_unknown(where))
    limits = {key: shown(limit) if isinstance(limit, (int, float)) else str(limit).replace("'", "")
              for key, limit in error.get("ctx", {}).items()}
    known = declared("sentences")
    sentence = next((one for one in (kind, kind.split("_")[0]) if one in known), "refused")
    return source.line(where, sentence, error["msg"], **{"stated": error["input"], **limits})


def _unknown(location: tuple) -> tuple[str, str | None]:
    """What to say of an unknown key: the nearest known one, or where the key belongs."""
    *above, key = location
    near = nearest(key, known_keys(tuple(above)))
    homes = [[], *([section] for section in known_keys(()))]
    home = next((h for h in homes if h != above and key in known_keys(tuple(h))), None)
    if home is not None and errors.likeness(key, near) < 0.8:
        return "key elsewhere", ".".join([*home, key])
    return "unknown key", near
