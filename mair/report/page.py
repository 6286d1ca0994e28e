"""The report of a run: one self-contained page of its notebooks and its published numbers."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pandas as pd

from mair.published.consistency import WORDS
from mair.report import cells, comparison, words, written
from mair.report.cells import PageError
from mair.report.summary import summary

__all__ = ["PageError", "printed", "render"]

SHOWN_PACKAGES = ("numpy", "scipy", "pandas", "statsmodels", "matplotlib", "seaborn",
                  "great-tables", "papermill", "jupytext", "pydantic")
COUNTED = re.compile(r"(Table|Figure) №([\w·-]+)")
REFERRED = re.compile(r'<a href="#((?:table|figure)-[\w-]+|map|numbers)">(.*?)</a>')
BOX = re.compile(r'data-box="(height:[\d.]+em;vertical-align:-?[\d.]+em)"')  # a formula's


def render(trial, whole: Path, names, left_out, rows, compared, manifest) -> str:
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
    rows : DataFrame
        Columns of ``results.csv``.
    compared : DataFrame or None
        Published beside recomputed, as ``mair.published.compare.compare`` gives it.
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
    import nbformat

    said, plain = set(), words.plain(trial)
    sections = [cells.render(name, nbformat.read(whole / "notebooks" / f"{name}.ipynb", 4), names,
                             said, plain) for name in names]
    lead, moved = _lead(sections), [chapter for one in sections for chapter in one.moved]
    bodies = "".join(one.body for one in sections)
    boxes = sorted(set(BOX.findall("".join([bodies, *(one.body for one in moved)]))))
    style = _read("page.css") + "".join(  # a rule a size of formula: no style but this is allowed
        f'[data-box="{box}"]{{{box}}}\n' for box in boxes)
    script = _read("page.js")
    written.templates().filters["unbroken"] = cells.unbroken
    html = written.filled(
        "page.html.j2", trial=trial, first=summary(trial, rows, compared), lead=lead,
        style=style, script=script,
        policy=f"default-src 'none'; img-src data:; script-src {_hash(script)}; "
               f"style-src {_hash(style)}; base-uri 'none'; form-action 'none'",
        plain=plain, names=names, bodies=bodies,
        sections=[one for one in sections if not one.appendix],
        appendices=[*moved, *(one for one in sections if one.appendix)],
        left_out={name: plain(why) for name, why in left_out.items()},
        follows=WORDS, met=words.MET, table=printed(trial, compared),
        files={folder: _files(whole / folder)
               for folder in ("tables", "figures", "notebooks", "check")},
        manifest=manifest,
        packages={name: manifest["packages"][name] for name in SHOWN_PACKAGES
                  if name in manifest["packages"]})
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


def _lead(sections) -> str:
    """The figure of the primary outcome, taken out of its section for the first screen."""
    for i, section in enumerate(sections):
        if found := re.search(r'<figure class="picture" id="figure-primary">.*?</figure>',
                              section.body, re.DOTALL):
            sections[i] = replace(section, body=section.body.replace(found[0], ""))
            return found[0]
    return ""


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
    from mair.sections import audit

    if not trial.published:
        return []
    found, plain = [], words.plain(trial)
    for i, one in enumerate(audit.judged(trial).to_dict("records")):
        keys = (one[key] for key in ("variable", "arm", "time")
                if one[key] not in ("", "overall", "difference"))
        row = {"source": one["source"], "printed": plain(one["printed"]), "follows": one["verdict"],
               "number": ", ".join(words.label(trial, key) for key in keys),
               "statistic": ", ".join(filter(None, (words.label(trial, one["statistic"]),
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
