"""The report of a run: one self-contained page of its notebooks and its published numbers."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from pathlib import Path

import pandas as pd

from mair.report import cells, comparison
from mair.report.cells import PageError

__all__ = ["PageError", "published", "render"]

HERE = Path(__file__).resolve().parent
VERDICTS = {"reproduced": ("✓", "yes"), "within rounding": ("≈", "near"),
            "not reproduced": ("✗", "no"), "not checkable": ("–", "none")}
SHOWN_PACKAGES = ("numpy", "scipy", "pandas", "statsmodels", "matplotlib", "seaborn",
                  "great-tables", "papermill", "jupytext", "pydantic")


def render(trial, whole: Path, names, left_out, compared, counted, manifest) -> str:
    """The page of a run.

    Parameters
    ----------
    trial : Trial
        Its title, arms and sections head the page.
    whole : Path
        Directory of the run's other files, which the page links to; ``notebooks/<name>.ipynb``
        in it are shown.
    names : sequence of str
        Notebooks in their order.
    left_out : dict of str to str
        Notebook -> why it is not part of the run.
    compared : DataFrame or None
        Published beside recomputed, as ``mair.published.compare.compare`` gives it.
    counted : dict or None
        ``reproduced``, ``checkable`` and ``printed``.
    manifest : dict
        Parameters, versions and hashes of the run.

    Returns
    -------
    str
        HTML without scripts, fonts, styles or pictures from elsewhere.

    Raises
    ------
    PageError
        A picture without a text alternative.
    """
    import jinja2
    import nbformat

    sections = [cells.render(name, nbformat.read(whole / "notebooks" / f"{name}.ipynb", 4), names)
                for name in names]
    sources = published(compared) if compared is not None else []
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("page.html.j2").render(
        css=(HERE / "page.css").read_text(encoding="utf-8"), trial=trial,
        about=_about(trial.about), sections=sections, left_out=left_out, counted=counted,
        verdicts=VERDICTS, sources=sources,
        total=_tally(row for source in sources for row in source["rows"]),
        deviating=[(source["name"], row) for source in sources for row in source["rows"]
                   if row["verdict"] in ("within rounding", "not reproduced")],
        files={folder: _files(whole / folder) for folder in ("tables", "figures", "notebooks")},
        manifest=manifest, wide=cells.wide,
        packages={name: manifest["packages"][name] for name in SHOWN_PACKAGES
                  if name in manifest["packages"]})


def _about(about: dict) -> list[tuple[str, str]]:
    """What the trial file says about the trial in words; its tables are a notebook's to show."""
    found = {key: value if isinstance(value, list) else [value] for key, value in about.items()}
    return [(key.replace("_", " ").capitalize(),
             "; ".join(str(word) for word in words if word is not None))
            for key, words in found.items()
            if words and not any(isinstance(word, (list, dict)) for word in words)]


def published(compared: pd.DataFrame) -> list[dict]:
    """The compared numbers by source, in the order of their first appearance.

    Parameters
    ----------
    compared : DataFrame
        As ``mair.published.compare.compare`` gives it.

    Returns
    -------
    list of dict
        ``name`` and ``anchor`` of a place of the publication, its ``rows``, and a ``tally`` of
        their verdicts.
    """
    shown = map(comparison.shown, compared["computed"], compared["printed"])
    by_source = compared.assign(computed=list(shown)).groupby("source", sort=False)
    found = {name: part.to_dict("records") for name, part in by_source}
    return [{"name": name, "anchor": f"source-{i}", "rows": rows, "tally": _tally(rows)}
            for i, (name, rows) in enumerate(found.items(), start=1)]


def _tally(rows) -> dict[str, int]:
    """How many rows have each verdict."""
    return dict.fromkeys(VERDICTS, 0) | Counter(row["verdict"] for row in rows)


def _files(folder: Path) -> dict[str, list[str]]:
    """A folder's files for a reader: each stem with its formats."""
    return {stem: [path.suffix[1:] for path in paths]
            for stem, paths in groupby(sorted(folder.glob("*")), lambda path: path.stem)}
