"""Published beside recomputed: every printed number joined to ``results.csv``, with a verdict.

The verdicts are those of the contract: ``reproduced``, ``within rounding``,
``not reproduced`` and ``not checkable``. Only the first counts as reproduced. What the paper's
own numbers say of a number (`consistency`) comes first: there is one judgement on each.
"""

import math
from collections import defaultdict
from typing import NamedTuple

import pandas as pd

from mair.published.consistency.engine import WORDS, run, worst
from mair.published.consistency.sheet import Sheet
from mair.published.numbers import Number
from mair.published.rounding import prints_so, rule_of
from mair.results import KEYS

COUNTS = {"n", "n_known", "responders", "n_rows"}
AGAINST = ("other convention", "impossible")


class Verdict(NamedTuple):
    """A verdict on one printed number, with its reason (empty where none is needed)."""

    verdict: str
    why: str


def judge(value: float, printed: str, statistic: str = "") -> Verdict:
    """The verdict on one printed number, without looking at other methods.

    Parameters
    ----------
    value : float
        Recomputed value, full precision; nan when not estimable.
    printed : str
        As in ``published.csv``.
    statistic : str
        Counts are exact: a count off by one is not rounding.

    Examples
    --------
    >>> judge(78.947, "78.94")
    Verdict(verdict='within rounding', why='truncated: 78.947')
    """
    if value != value:
        return Verdict("not checkable", "not estimable")
    if prints_so(value, printed):
        return Verdict("reproduced", "")
    number, rule = Number(printed), rule_of(value, printed)
    shown = f"{value:.{number.decimals + 3}f}".rstrip("0").rstrip(".")
    if number.relation or statistic in COUNTS:
        return Verdict("not reproduced", "")
    if rule == "rounded twice":
        once = math.copysign(abs(number.value) - number.half, value)
        return Verdict("within rounding", f"{rule}: {shown}, then {once:.{number.decimals + 1}f}")
    if rule:
        return Verdict("within rounding", f"{rule}: {shown}")
    near = abs(value - number.value) <= 2 * number.half * (1 + 1e-6)
    return Verdict("not reproduced", f"one unit off, no rule found: {shown}" if near else "")


def compare(published: pd.DataFrame, results: pd.DataFrame, checked=None) -> pd.DataFrame:
    """Join published numbers to computed ones, and to the paper's own consistency.

    Parameters
    ----------
    published : DataFrame
        The columns of ``published.csv``, all text.
    results : DataFrame
        The columns of ``results.csv``; ``value`` numeric, nan when not estimable.
    checked : DataFrame, optional
        As `mair.published.consistency.consistency` gives it; without it, what the data say.

    Returns
    -------
    DataFrame
        One row a row of ``published``, in its order: keys, ``printed``, ``computed`` (empty
        for what is given), ``verdict``, ``why``, ``source`` and ``word``, the judgement for
        readers (`WORDS`). Where the checks have found against a number as printed, or that it
        obeys another convention, agreement of data made to meet it does not overrule them.
    """
    by_method = defaultdict(dict)
    for *key, method, statistic, value in results[[*KEYS, "value"]].assign(
            value=pd.to_numeric(results["value"])).itertuples(index=False, name=None):
        by_method[*key, statistic][method] = value
    rows, numbers = [], published[[*KEYS, "printed", "source"]].to_numpy().tolist()
    checked = run(Sheet(published)).query("check == 'input'") if checked is None else checked
    for (*key, printed, source), own in zip(numbers, worst(checked, len(numbers)).itertuples(),
                                            strict=True):
        ways, value = by_method[*key[:4], key[5]], math.nan
        found = Verdict("not checkable", own.given or "no such row: this run does not compute it")
        if not own.given and key[4] in ways:
            value = ways[key[4]]
            found = _with_methods(judge(value, printed, key[5]), value, printed,
                                  {m: v for m, v in ways.items() if m != key[4] and v == v})
        word = own.given if own.given and own.verdict not in AGAINST else own.verdict
        rows.append((*key, printed, value, *_joined(found, own), source, WORDS.get(word, word)))
    return pd.DataFrame(rows, columns=[*KEYS, "printed", "computed", "verdict", "why", "source",
                                       "word"])


def _joined(found: Verdict, own) -> Verdict:
    """The verdict with that of the paper's own consistency quoted."""
    if own.verdict == "not checkable":
        return found
    because = own.convention or (own.computation if own.verdict in AGAINST else "")
    quoted = f"consistency: {own.verdict}" + (f" ({because})" if because else "")
    verdict = "not reproduced" if own.verdict in AGAINST else found.verdict
    met = "the data meet it" if found.verdict == "reproduced" and verdict != found.verdict else ""
    return Verdict(verdict, "; ".join(filter(None, (found.why, met, quoted))))


def _with_methods(found: Verdict, value, printed, others: dict[str, float]) -> Verdict:
    """The verdict with the other methods that print so, or what they give."""
    if found.verdict in ("reproduced", "not checkable"):
        return found
    others = {method or "the plain row": other for method, other in others.items()}
    same = ", ".join(method for method, other in others.items() if prints_so(other, printed))
    if same and found.why.startswith("truncated"):
        found = Verdict("not reproduced", "")  # a method that rounds comes before cut digits
    said = [found.why, f"prints so under {same}" if same else ""]
    if not any(said):
        listed = "; ".join(f"{method} {other:.4g}" for method, other in others.items())
        said = [f"computed {value:.4g}; no method here prints {printed}"
                + (f" ({listed})" if listed else "")]
    return found._replace(why="; ".join(part for part in said if part))


def counts(compared: pd.DataFrame, checked: pd.DataFrame) -> dict[str, int]:
    """The counts of the last line of ``make``.

    Returns
    -------
    dict
        ``printed``; ``given``, which stand in no other count but the first; ``follow`` of
        ``linked``: of the numbers that others of the paper determine, those that follow from
        them, perhaps with rounding; ``met`` of ``compared``: of those that the data determine,
        the ones they reproduce. A number may be both linked and compared.
    """
    own = worst(checked, len(compared))
    own = own[own["given"] == ""]
    return {"printed": len(compared), "given": len(compared) - len(own),
            "follow": int(own["verdict"].isin(["exact", "within rounding"]).sum()),
            "linked": int((own["verdict"] != "not checkable").sum()),
            "met": int((compared["verdict"] == "reproduced").sum()),
            "compared": int(compared["computed"].notna().sum())}
