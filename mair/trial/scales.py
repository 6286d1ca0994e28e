"""Scores from answers to items, by the key of a scale."""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import numpy as np

from mair.trial.errors import TrialError, nearest
from mair.trial.schema import Key, TrialFile


def keys(spec: TrialFile) -> dict[str, Key]:
    """The key of every scale and subscale that the trial file may name."""
    found = {}
    for name, key in spec.scales.items():
        found[name] = key
        for sub, items in key.subscales.items():
            inside = {part: own for part, own in key.together.items() if {*own} <= {*items}}
            label = f"{key.label or name}, {sub.removeprefix(name).strip('- ') or sub}"
            found[sub] = key.model_copy(update={
                "items": items, "together": inside, "label": label, "subscales": {}})
    return found


def expanded(spec: TrialFile, source, shipped) -> TrialFile:
    """The trial file with each item's column named, and of each scale its label and range.

    ``source`` is the `file.Source` that names its keys, ``shipped`` the scales that come with mair.

    Raises
    ------
    TrialError
        With every unknown scale, unknown item, and wrong number of columns.
    """
    known, out = keys(spec), {}
    problems = [source.line(("scales", name, what), *sentence)
                for name, key in spec.scales.items() for what, *sentence in _wrong(key)]
    for where, measure in spec.measures().items():
        key, scale = known.get(measure.scale), {}
        if measure.scale and not key:
            problems.append(source.line((*where, "scale"), "unknown scale", nearest(
                measure.scale, [*known, *shipped])))
            continue
        if key:
            scale = {"label": measure.label or key.label or measure.scale,
                     "range": measure.range or bounds(key), "better": measure.better
                     if "better" in measure.model_fields_set else key.better or "lower"}
        n, sentence = (len(key.items), "columns of items") if key else (1, "columns of a score")
        stated = measure.columns or [measure.column] * len(spec.visits)
        held = [_columns(names, key) if names and key else names for names in stated]
        wrong = [names for names in held if names and len(names) != n]
        problems += [source.line((*where, "columns" if measure.columns else "column"),
                                 sentence, names, n, measure.scale) for names in wrong[:1]]
        out.setdefault(where[0], {})[where[1]] = measure.model_copy(
            update={"columns": held if any(held) else None, **scale})
    if problems:
        raise TrialError(problems)
    return spec.model_copy(update=out)


def _wrong(key: Key) -> Iterator[tuple]:
    """What the parts of a key must agree on: where, the sentence and what it names."""
    for what in ("items", "reversed", "ranges", "together", "subscales"):
        held = getattr(key, what)
        items = chain(*held.values()) if what in ("together", "subscales") else held
        for item, n in Counter(items).items():
            if item not in key.items:
                yield what, "unknown item", item, key.items
            elif n > 1 and what in ("items", "together"):
                yield what, "stands twice", item, n, "item"
    widths = [end - start for start, end in (key.range, key.stored or key.range)]
    if not math.isclose(*widths):
        yield "stored", "stored range", [*key.stored], [*key.range]


def _columns(names: list[str], key: Key) -> list[str]:
    """The columns of the items, a pattern filled in."""
    pattern = names[0] if len(names) == 1 and "{item}" in names[0] else None
    return [pattern.replace("{item}", item) for item in key.items] if pattern else names


def ranges(key: Key, stored: bool = False) -> np.ndarray:
    """Lowest and highest answer to each item, (items, 2); ``stored``: as the file has them."""
    out = np.array([key.ranges.get(item, key.range) for item in key.items], dtype=float)
    return out + (key.stored[0] - key.range[0] if stored and key.stored else 0)


def parts(answers: np.ndarray, key: Key) -> np.ndarray:
    """What the score adds up: answers as they count, some of them averaged into one part.

    Parameters
    ----------
    answers : array (people, items)
        As stored; nan where there is none.
    key : Key

    Returns
    -------
    array (people, parts)
        The higher, the more of what the scale measures; nan where too little was answered.
    """
    low, high = ranges(key).T
    counted = answers - (ranges(key, stored=True) - ranges(key))[:, 0]
    flipped = np.isin(key.items, key.reversed)
    counted = np.where(flipped, low + high - counted, counted)
    if key.rescale:
        start, end = key.rescale
        counted = start + (counted - low) * (end - start) / (high - low)
    part_of = {item: part for part, items in key.together.items() for item in items}
    groups: dict = {}
    for i, item in enumerate(key.items):
        groups.setdefault(part_of.get(item, (item,)), []).append(i)
    return np.column_stack([_mean(counted[:, own], key.answered) for own in groups.values()])


def _mean(answers: np.ndarray, least: float) -> np.ndarray:
    """The mean of what is there, where enough is; alone it is exact."""
    n = (~np.isnan(answers)).sum(axis=1)
    sums = np.nansum(answers, axis=1)
    return np.where(n >= max(least * answers.shape[1], 1), sums / np.maximum(n, 1), np.nan)


def score(answers: np.ndarray, key: Key) -> np.ndarray:
    """The score of each person, (people,); nan where too little was answered."""
    of = parts(answers, key)
    mean = _mean(of, key.answered)
    if key.score == "mean":
        return mean
    whole = ~np.isnan(of).any(axis=1)  # a sum of whole numbers stays one
    return np.where(whole, np.nansum(of, axis=1), mean * of.shape[1])


def bounds(key: Key) -> tuple[float, float]:
    """Lowest and highest possible score."""
    low, high = ranges(key, stored=True).T
    flipped = np.isin(key.items, key.reversed)
    ends = score(np.array([np.where(flipped, high, low), np.where(flipped, low, high)]), key)
    return float(ends[0]), float(ends[1])


def shifted(held: np.ndarray, key: Key) -> tuple[list[float], bool] | None:
    """The range that answers seem to be stored in, where it is the key's moved by one.

    Parameters
    ----------
    held : array (people, items)
        As stored.
    key : Key

    Returns
    -------
    (list of float, bool) or None
        The range, and whether there are answers that do not fit the key's. Where all fit, it is
        one higher, and nobody gives the lowest answer to any item in 50 answers or more.
    """
    limits = ranges(key, stored=True)
    low, high = limits[:, 0], limits[:, 1]
    outside = bool(((held < low) | (held > high)).any())
    for by in (1, -1):
        fits = (np.isnan(held) | ((held >= low + by) & (held <= high + by))).all()
        if fits and (outside or (by == 1 and (~np.isnan(held)).sum() >= 50)):
            return [end + by for end in key.stored or key.range], outside
    return None
