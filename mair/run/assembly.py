"""The notebooks' files put together: results, comparison with the published, page, manifest."""

from __future__ import annotations

import platform
import re
import shutil
from contextlib import suppress
from pathlib import Path

from mair.run.notebook import PACKAGE, ROOT
from mair.run.output import Build, RunFailed, files

LOCK = ROOT / "requirements.lock"
# What the run itself writes; a notebook that writes one of these is refused.
OWN = ("index.html", "results.csv", "tables/estimands.csv", "tables/estimands.docx",
       "tables/published_vs_recomputed.csv", "tables/published_vs_recomputed.docx",
       "tables/provenance.csv", "tables/audit.xlsx", "tables/manuscript.docx",
       "tables/checklist.csv", "tables/checklist.docx", "check/check.R", "check/check.sps")


def package() -> list[Path]:
    """What a run may read of the package; of the studies, only what notebooks opened counts."""
    studies, code = PACKAGE / "studies", (".py", ".css", ".j2", ".mplstyle", ".yaml")
    return [path for path in PACKAGE.rglob("*") if path.suffix in code
            and studies not in path.parents]


def place(source: Path, target: Path) -> None:
    """Copy a file, its folders made where they are missing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def assemble(plan, parts: dict[str, Path], whole: Path) -> None:
    """Put the notebooks' files together, and note whose they are.

    Raises
    ------
    RunFailed
        Two notebooks wrote one file, or two values under one key.
    """
    owner: dict[str, str] = dict.fromkeys(OWN, "the run itself")
    problems = []
    for name, folder in parts.items():
        plan.made[name] = {**plan.made[name], "files": files(folder)}
        for file in plan.made[name]["files"]:
            if file in owner:
                problems.append(f"{file} is written by notebook {name} and by {owner[file]}")
            else:
                owner[file] = name
                place(folder / file, whole / file)
    if problems:
        raise RunFailed(problems)
    _merge([whole / "rows" / f"{name}.csv" for name in parts], whole / "results.csv")


def _merge(sources: list[Path], target: Path) -> None:
    """``results.csv`` of the notebooks' rows, as text, so that no digit changes."""
    import pandas as pd

    from mair.results import COLUMNS, KEYS

    rows = pd.concat([pd.DataFrame(columns=[*COLUMNS, "by"]), *(
        pd.read_csv(source, dtype=str, keep_default_na=False).assign(by=source.stem)
        for source in filter(Path.is_file, sources))])
    if problems := [f"notebooks {' and '.join(by)} both write the row {','.join(key)}"
                    for key, by in rows[rows.duplicated(KEYS, keep=False)].groupby(KEYS)["by"]]:
        raise RunFailed(problems)
    rows[COLUMNS].to_csv(target, index=False, lineterminator="\n")


def prepared(plan) -> None:
    """What the report takes of the trial alone, computed while notebooks run."""
    import matplotlib.figure
    import matplotlib.mathtext  # noqa: F401, slow to load, as are the next

    from mair.report import comparison, manuscript, page, scripts, summary  # noqa: F401
    from mair.sections import audit

    with suppress(Exception):  # the report raises it again
        if plan.published is not None:
            audit.checks(plan.trial)


def report(plan, whole: Path) -> None:
    """Published beside recomputed, the documents, the page and the manifest."""
    from mair import results
    from mair.report import comparison, manuscript, page, scripts, show, summary, word, words

    trial, compared, counted, sheets = plan.trial, None, None, {}
    frame, plain = results.read(whole / "results.csv"), words.plain(trial)
    if trial.has_data:
        from mair.sections import estimands

        estimated = estimands.table(trial, frame)
        if len(estimated):
            sheets["Estimands"] = estimated
            show.write(comparison.estimands(estimated, trial).put(plain), whole, trial.synthetic,
                       trial)
        show.save(whole, "check", scripts.scripts(trial))
    if plan.published is not None:
        from mair.published import compare, provenance
        from mair.sections import audit

        checked = audit.checks(trial)
        compared = compare.compare(plan.published, frame, checked)
        counted = {**compare.counts(compared, checked), "synthetic": trial.synthetic}
        sheets |= {"Published beside recomputed": compared, "Consistency": checked}
        show.write(comparison.published(compared).put(plain), whole, trial.synthetic, trial)
        if provenance.has(trial):
            results.write(provenance.table(trial, frame), whole / "tables" / "provenance.csv",
                          numbers=("low", "high"))
    first = summary.summary(trial, frame, compared)
    if trial.has_data:
        show.write(manuscript.checklist(trial, whole, first), whole, trial.synthetic, trial)
    if sheets:
        show.save(whole, "tables", {"audit.xlsx": comparison.workbook(sheets, trial.synthetic)})
    manifest = _manifest(plan)
    if counted:
        manifest["published"] = counted
    if trial.has_data:
        show.save(whole, "tables", {"manuscript.docx": manuscript.manuscript(
            trial, whole, frame, first, manifest)})
    try:
        html = page.render(trial, whole, list(plan.keys), plan.left_out, frame, compared, manifest)
    except page.PageError as error:
        raise RunFailed([str(error)]) from None
    word.number(whole / "tables", html)
    (whole / "index.html").write_text(html, encoding="utf-8")
    Build.write_manifest(whole, manifest)


def published_line(printed, follow, linked, met=0, compared=0, synthetic=True, **_) -> str:
    """The last line of ``make`` (`mair.published.compare.counts`)."""
    how = "met by the cohort, by construction" if synthetic else "reproduced from the data"
    return f"{printed} printed: {follow} of {linked} follow from one another" + (
        f"; {met} of {compared} {how}" if compared else "")


def _manifest(plan) -> dict:
    """What a run was made of. No times: two equal runs have equal manifests."""
    trial = plan.trial
    code = {plan.label(path): sha for path, sha in plan.code.items()}
    for made in plan.made.values():
        code = {**made["opened"], **code}
    return {
        "title": trial.title,
        "synthetic": trial.synthetic,
        "blinded": plan.blind,
        "primary": trial.primary.name if trial.outcomes or trial.biomarkers else "",
        "visits": dict(trial.visit_labels),
        "parameters": {"trial": plan.label(trial.path), "injected": plan.parameters,
                       "analysis": trial.analysis.model_dump()},
        "seed": trial.analysis.seed,
        "python": platform.python_version(),
        "packages": packages(),
        "inputs": {plan.label(path): sha for path, sha in plan.inputs.items()},
        "code": dict(sorted(code.items())),
        "notebook_folder": plan.label(plan.folder),
        "notebooks": {name: plan.made[name] for name in plan.keys},
        "left_out": plan.left_out,
        "notices": list(trial.notices),
    }


def packages() -> dict[str, str]:
    """Versions of the packages of requirements.lock that are installed, by name."""
    from importlib.metadata import distributions

    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", LOCK.read_text("utf-8"), re.MULTILINE))
    found = {re.sub(r"[-_.]+", "-", one.name).lower(): one.version for one in distributions()}
    return {name: found[name] for name in sorted(locked & found.keys())}
