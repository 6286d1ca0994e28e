"""The notebooks' files put together: results, comparison with the published, page, manifest."""

import platform
import re
import shutil
from contextlib import suppress
from functools import cache
from pathlib import Path

from mair.run.notebook import PACKAGE, ROOT
from mair.run.output import Build, RunFailed, digest, files, place, sha256

LOCK = ROOT / "requirements.lock"


def package() -> list[Path]:
    """What a run may read of the package; of the studies, only what notebooks opened counts."""
    studies, code = PACKAGE / "studies", (".py", ".css", ".j2", ".js", ".mplstyle", ".yaml")
    return [path for path in PACKAGE.rglob("*") if path.suffix in code
            and studies not in path.parents]


def assemble(plan, parts: dict[str, Path], whole: Path) -> None:
    """Put the notebooks' files together, and note whose they are.

    Raises
    ------
    RunFailed
        Two notebooks wrote one file, or two values under one key.
    """
    owner, problems = dict.fromkeys(("index.html", "results.csv"), "the run itself"), []
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


def ahead(plan, build: Build) -> None:
    """What the report takes of the trial alone, computed while notebooks run.

    Where nothing but notebooks changed, also what it takes of the earlier run's files: of those
    that come out the same it is remembered.
    """
    import matplotlib.figure
    import matplotlib.mathtext  # noqa: F401, slow to load

    from mair.report import page
    from mair.sections import audit

    with suppress(Exception):  # the report raises it again
        packages()
        if plan.trial.published:
            audit.checks(plan.trial)
        if build.manifest["documents"]["of"] == plan.key:
            page.findings(plan.trial, (build.out / "results.csv").read_text("utf-8"))
            page.sections(plan.trial, build.out / "notebooks", list(plan.keys))


def report(plan, whole: Path, build: Build) -> None:
    """The run's own documents, the page and the manifest."""
    from mair.published import compare
    from mair.report import cells, page, word
    from mair.sections import audit

    found = page.findings(plan.trial, (whole / "results.csv").read_text("utf-8"))
    manifest, (_, compared, *shown) = _manifest(plan), found
    if compared is not None:
        manifest["published"] = {"synthetic": plan.trial.synthetic,
                                 **compare.counts(compared, audit.checks(plan.trial))}
    made, folder = files(whole), whole.with_name("documents")
    key = digest([plan.key, {name: name.endswith((".csv", ".png")) and sha256(whole / name)
                             for name in made}])
    earlier = build.manifest.get("documents", {})
    if earlier.get("key") != key or not build.given(earlier, folder):
        documents(plan.trial, whole, folder, manifest, *found)
    manifest["documents"] = {"of": plan.key, "key": key, "files": files(folder)}
    if twice := {*made}.intersection(manifest["documents"]["files"]):
        raise RunFailed([f"{file} is written by a notebook and by the run itself"
                         for file in sorted(twice)])
    shutil.copytree(folder, whole, dirs_exist_ok=True)
    try:
        html = page.render(plan.trial, whole, list(plan.keys), plan.left_out, *shown, manifest)
    except cells.PageError as error:
        raise RunFailed([str(error)]) from None
    word.number(whole / "tables", html)
    (whole / "index.html").write_text(html, encoding="utf-8")
    Build.write_manifest(whole, manifest)


def documents(trial, whole: Path, folder: Path, manifest, rows, compared, first, _) -> None:
    """The tables, documents and scripts that the run itself makes of notebooks' files."""
    from mair import results
    from mair.published import provenance
    from mair.report import comparison, manuscript, scripts, show, words
    from mair.sections import audit, estimands

    def write(table):
        show.write(table, folder, trial.synthetic, trial)

    plain, sheets = words.plain(trial), {}
    if trial.has_data and len(estimated := estimands.table(trial, rows)):
        sheets["Estimands"] = estimated
        write(comparison.estimands(estimated, trial).put(plain))
    if trial.published:
        sheets |= {"Published beside recomputed": compared,
                   "Consistency": audit.checks(trial)}
        write(comparison.published(compared).put(plain))
    if provenance.has(trial):
        results.write(provenance.table(trial, rows), folder / "tables" / "provenance.csv",
                      numbers=("low", "high"))
    if sheets:
        show.save(folder, "tables", {"audit.xlsx": comparison.workbook(sheets, trial.synthetic)})
    if trial.has_data:
        show.save(folder, "check", scripts.scripts(trial))
        write(manuscript.checklist(trial, {*files(whole), *files(folder)}, first))
        show.save(folder, "tables", {"manuscript.docx": manuscript.manuscript(
            trial, whole, rows, first, manifest)})


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


@cache
def packages() -> dict[str, str]:
    """Versions of the packages of requirements.lock that are installed, by name."""
    from importlib.metadata import distributions

    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", LOCK.read_text("utf-8"), re.MULTILINE))
    found = {re.sub(r"[-_.]+", "-", one.name).lower(): one.version for one in distributions()}
    return {name: found[name] for name in sorted(locked & found.keys())}
