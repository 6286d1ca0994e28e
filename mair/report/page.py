"""The report of a run: one self-contained page of its notebooks and its published numbers."""

import base64
import hashlib
import io
import re
from collections import Counter
from dataclasses import replace
from functools import cache, partial
from itertools import groupby
from pathlib import Path

import pandas as pd

from mair import results
from mair.published import compare
from mair.published.consistency import WORDS
from mair.report import cells, comparison, words, written
from mair.report.summary import Summary, summary
from mair.sections import audit
from mair.trial import remembered

COUNTED = re.compile(r"(Table|Figure) №([\w·-]+)")
REFERRED = re.compile(r'<a href="#((?:table|figure)-[\w-]+|map|numbers)">(.*?)</a>')
PRIMARY = re.compile(r'<figure class="picture" id="figure-primary">.*?</figure>', re.DOTALL)
BOX = re.compile(r'data-box="(height:[\d.]+em;vertical-align:-?[\d.]+em)"')  # a formula's


@remembered
def findings(trial, text: str) -> tuple[pd.DataFrame, pd.DataFrame | None, Summary, list[dict]]:
    """What a run's ``results.csv`` of this content comes to.

    Returns
    -------
    tuple
        Its rows, published beside recomputed (None where nothing is), the first screen, and every
        printed number (`printed`).
    """
    rows, compared = results.read(io.StringIO(text)), None
    if trial.published:
        compared = compare.compare(audit.published(trial), rows, audit.checks(trial))
    return rows, compared, summary(trial, rows, compared), printed(trial, compared)


def sections(trial, folder: Path, names) -> list[cells.Section]:
    """The executed notebooks of a folder as sections of the page, in a reader's order."""
    found, said = [], frozenset()
    for name in names:
        text = (folder / f"{name}.ipynb").read_text("utf-8")
        section, said = _section(trial, name, text, tuple(names), said)
        found.append(section)
    return found


@remembered
def _section(trial, name, text, names, said) -> tuple[cells.Section, frozenset[str]]:
    """A notebook of this content, after what was said; what has been said then."""
    from nbformat import v4

    known = set(said)
    section = cells.render(name, v4.reads(text), names, known, words.plain(trial))
    return section, frozenset(known)


def render(trial, whole: Path, names, left_out, first, table, manifest) -> str:
    """The page of a run.

    Parameters
    ----------
    trial : Trial
        Its title, arms and sections head the page.
    whole : Path
        Directory of the run's other files, which the page links to; ``notebooks/<name>.ipynb``
        in it are shown.
    names : sequence of str
        Notebooks in a reader's order.
    left_out : dict of str to str
        Notebook -> why it is not part of the run.
    first : Summary
    table : list of dict
        As `findings` gives them.
    manifest : dict
        Parameters, versions and hashes of the run.

    Returns
    -------
    str
        HTML with one script and one style of its own, and nothing from elsewhere.

    Raises
    ------
    PageError
        A picture without a text alternative.
    """
    shown, plain = sections(trial, whole / "notebooks", names), words.plain(trial)
    lead = (PRIMARY.search("".join(one.body for one in shown)) or [""])[0]  # to the first screen
    shown = [replace(one, body=one.body.replace(lead, "")) for one in shown]
    moved = [chapter for one in shown for chapter in one.moved]
    bodies = "".join(one.body for one in shown)
    boxes = sorted(set(BOX.findall("".join([bodies, *(one.body for one in moved)]))))
    style = _read("page.css") + "".join(  # a rule a size of formula: no style but this is allowed
        f'[data-box="{box}"]{{{box}}}\n' for box in boxes)
    script = _read("page.js")
    written.templates().filters["unbroken"] = cells.unbroken
    html = written.filled(
        "page.html.j2", trial=trial, first=first, lead=lead,
        style=style, script=script,
        policy=f"default-src 'none'; img-src data:; script-src {_hash(script)}; "
               f"style-src {_hash(style)}; base-uri 'none'; form-action 'none'",
        plain=plain, names=names, bodies=bodies,
        sections=[one for one in shown if not one.appendix],
        appendices=[*moved, *(one for one in shown if one.appendix)],
        left_out={name: plain(why) for name, why in left_out.items()},
        follows=WORDS, met=words.MET, table=table,
        files={folder: _files(whole / folder)
               for folder in ("tables", "figures", "notebooks", "check")},
        manifest=manifest)
    return _numbered(html)


def _numbered(html: str) -> str:
    """The page with its tables and figures counted, and links to them in prose by number."""
    counts, found = Counter(), COUNTED.findall(html)
    said = [f"{kind} {counts.update([kind]) or counts[kind]}" for kind, _ in found]
    numbers = {anchor.replace("·", "_"): own for (_, anchor), own in zip(found, said, strict=True)}
    in_order = iter(said)
    return REFERRED.sub(
        lambda link: link[0].replace(link[2], numbers[link[1]]) if link[1] in numbers else link[2],
        COUNTED.sub(lambda _: next(in_order), html))


def _read(name: str) -> str:
    return (written.HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A script or style as a content-security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def printed(trial, compared: pd.DataFrame | None) -> list[dict]:
    """Every printed number in a reader's words, with the audit's and the run's judgement.

    Parameters
    ----------
    trial : Trial
    compared : DataFrame or None
        As ``mair.published.compare.compare`` gives it; None without data.

    Returns
    -------
    list of dict
        ``source``, ``number``, ``statistic``, ``printed``, ``follows`` (a key of ``WORDS``), and
        with data ``computed``, ``met`` (of ``words.MET``) and ``why``.
    """
    if not trial.published:
        return []
    found, plain, label = [], words.plain(trial), cache(partial(words.label, trial))
    for i, one in enumerate(audit.judged(trial).to_dict("records")):
        keys = (one[key] for key in ("variable", "arm", "time")
                if one[key] not in ("", "overall", "difference"))
        row = {"source": one["source"], "printed": plain(one["printed"]), "follows": one["verdict"],
               "number": ", ".join(map(label, keys)),
               "statistic": ", ".join(filter(None, (label(one["statistic"]),
                                                    words.method(one["method"]))))}
        if compared is not None:
            beside = compared.iloc[i]
            row |= {"computed": plain(comparison.shown(beside["computed"], one["printed"])),
                    "met": beside["verdict"], "why": plain(beside["why"])}
        found.append(row)
    return found


def _files(folder: Path) -> dict[str, list[str]]:
    """A folder's files for a reader: each stem with its formats."""
    return {stem: [path.suffix[1:] for path in paths]
            for stem, paths in groupby(sorted(folder.glob("*")), lambda path: path.stem)}
