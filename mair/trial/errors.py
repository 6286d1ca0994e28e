"""What is wrong with a trial file or its data, said in plain lines."""

import difflib
import functools
import os
import re
import string
import unicodedata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
HANDED = "MAIR_TRIAL"  # environment variable: the file by which a run hands over its trial
_SHOWN = 60


class TrialError(Exception):
    """All problems of a trial file and its data, one line each.

    Parameters
    ----------
    problems : list of str
        Each names the file, the key or column, the row or participant, the
        offending value and what was expected. Repeated lines are dropped.
    """

    def __init__(self, problems):
        lines = [problems] if isinstance(problems, str) else problems
        # an id or a column name may hold a line break; a problem is one line
        self.problems: list[str] = list(dict.fromkeys(" ".join(p.splitlines()) for p in lines))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows where a notebook is run by hand: the lines, and nothing else."""
        return self.problems


def display(path: Path | str) -> str:
    """A path as a person would type it: from the working directory or the repository's root."""
    path = Path(path)
    for base in (Path.cwd(), ROOT):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return str(path)


def shown(value) -> str:
    """A value as an error line quotes it: text in quotes, numbers bare, one short line."""
    if value is None:
        return "empty"
    if isinstance(value, list):
        line = f"[{', '.join('null' if v is None else shown(v) for v in value)}]"
    elif isinstance(value, float) and value.is_integer():
        line = str(int(value))
    else:
        line = value if isinstance(value, str) and NUMBER.fullmatch(value) else repr(value)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def refused(path: Path | str, sentence: str, *values) -> TrialError:
    """The one problem of a file, in a sentence of ``data/sentences.yaml``."""
    return TrialError(f"{display(path)}: {said(sentence, *values)}")


def regular(path: Path, most: int, expected: str) -> None:
    """Refuse, in one line, what is no ordinary file (a device, a pipe), or far too large."""
    if not os.path.exists(path):
        raise refused(path, "no file", expected)
    if not path.is_file():
        raise refused(path, "no ordinary file", expected)
    if (size := path.stat().st_size) > most:
        raise refused(path, "too many bytes", size, expected, most)


def written(text: str) -> bool:
    """Whether text holds no control character, half of a pair or the like, which no file shows."""
    return not any(c in "\ufffe\uffff" or (unicodedata.category(c) in ("Cc", "Cs")
                                           and c not in "\t\n\r") for c in text)


def folded(name: str) -> str:
    """A name without case, accents and blanks."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c) and not c.isspace())


def likeness(one: str, other: str) -> float:
    """How alike two names are, whatever case and accents: 1 the same, 0 nothing in common."""
    return difflib.SequenceMatcher(None, folded(one), folded(other)).ratio()


def nearest(name, known) -> str | None:
    """The known name most like ``name``; None when nothing is known."""
    return max(known, key=lambda k: likeness(str(name), k), default=None)


def listed(names) -> str:
    """Names as a sentence lists them, quoted by nothing: ``a, b or c``."""
    *head, last = [str(name) for name in names] or ["none"]
    return f"{', '.join(head)} or {last}" if head else last


def counted(n: int, what: str) -> str:
    """A number and what it counts: ``1 row``, ``2 rows``."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def some(names, most: int) -> str:
    """The first of many names, and how many more there are."""
    return ", ".join(names[:most]) + f" and {len(names) - most} more" * (len(names) > most)


def few(texts) -> str:
    """A few of a column's values, sorted."""
    held = sorted({*texts} - {None})
    return ", ".join(held[:8] + ["…"] * (len(held) > 8))


class _Sentence(string.Formatter):
    """Besides Python's formats: shown, listed, few, path, and ``of row`` for a number of rows."""

    def format_field(self, value, spec: str) -> str:
        way, _, what = spec.partition(" ")
        ways = {"shown": shown, "listed": listed, "few": few, "path": display,
                "of": functools.partial(counted, what=what)}
        return ways[way](value) if way in ways else format(value, spec)


@functools.cache
def declared(name: str):
    """A list of ``mair/data``, by its file's stem; not to be changed."""
    import yaml

    return yaml.safe_load((ROOT / "mair" / "data" / f"{name}.yaml").read_text("utf-8"))


def said(sentence: str, *values, **named) -> str:
    """A sentence of ``data/sentences.yaml`` with its values in place."""
    return _Sentence().vformat(declared("sentences")[sentence], values, named)
