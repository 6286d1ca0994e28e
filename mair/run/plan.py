"""A run: the notebooks of one trial file, executed where needed, to one directory.

What a notebook depends on is compared by content. An unchanged notebook's files are carried
over from the earlier run, and when nothing at all has changed, nothing is written.
"""

from __future__ import annotations

import ast
import csv
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mair.run import notebook
from mair.run.notebook import ROOT
from mair.run.output import Build, digest, files, sha256
from mair.trial.errors import TrialError, display

LOCK = ROOT / "requirements.lock"


@dataclass(frozen=True)
class Notebook:
    """What a notebook needs of a trial file.

    Attributes
    ----------
    needs : str, Path or None
        The section without which it is left out of a run, or the data it is about.
    ignores : frozenset of str
        Top-level keys that belong to other notebooks alone: a change there does not rerun
        this one. Every other key does, so a key that is new is safe.
    data : bool
        Whether it needs participants' data, or published numbers are enough.
    """

    needs: str | Path | None
    ignores: frozenset[str] = field(default=frozenset())
    data: bool = True


_FLOW = frozenset({"about", "flow", "sample_size"})  # of these, flow makes tables
COHORT = notebook.PACKAGE / "data" / "mair_synthetic.csv"  # what `reconstruction` is about
# `analysis` is not a key here: of it, the values that a notebook uses count one by one.
NOTEBOOKS = {
    "audit": Notebook("published", data=False),
    "flow": Notebook(None, frozenset({"baseline", "responders"})),
    "baseline": Notebook("baseline", _FLOW | {"responders"}),
    "outcomes": Notebook("outcomes", _FLOW | {"baseline", "responders", "biomarkers"}),
    "biomarkers": Notebook("biomarkers", _FLOW | {"baseline", "responders", "outcomes"}),
    "robustness": Notebook(None, _FLOW | {"baseline", "responders"}),
    "nnt": Notebook("responders", _FLOW | {"baseline", "biomarkers"}),
    "power": Notebook("sample_size", frozenset({"about", "flow", "baseline", "responders"})),
    "reconstruction": Notebook(COHORT, frozenset({"about"})),
}
# The module whose `rows` read a key, where it has another name.
READ_BY = {"planning": "sample_size", "nnt": "responders"}
COLUMN_LISTS = frozenset({"covariates", "baseline"})
NOT_SHOWN = frozenset({"published", "data", "extends", "analysis"})
# What the run itself writes; a notebook that writes one of these is refused.
OWN = (
    "index.html", "results.csv", "tables/estimands.csv", "tables/estimands.docx",
    "tables/published_vs_recomputed.csv", "tables/published_vs_recomputed.docx",
)  # fmt: skip


class RunFailed(Exception):
    """A notebook raised, or notebooks contradict each other; ``problems``, one line each."""

    def __init__(self, problems: list[str]):
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass
class Plan:
    """What a run will do: sources and keys of its notebooks, and which it need not execute.

    ``hashes`` are taken before anything runs: what is edited meanwhile is a change for the
    next run.
    """

    trial: object
    published: object
    folder: Path
    sources: dict[str, notebook.Source]
    parameters: dict[str, dict]
    keys: dict[str, str]
    left_out: dict[str, str]
    code: set[Path] = field(default_factory=set)
    hashes: dict[Path, str] = field(default_factory=dict)
    reused: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> list[Path]:
        """The trial file, those it extends, data and published numbers."""
        return [*_chain(self.trial.path), *filter(None, [self.trial.data_path]), *self.printed]

    @property
    def printed(self) -> list[Path]:
        """The published numbers, and the claims that stand beside them."""
        path = self.trial.published
        claims = path and path.with_name("claims.csv")
        return [file for file in (path, claims) if file and file.is_file()]

    def sha(self, path: Path) -> str:
        """The hash of a file as it was when first asked for."""
        if path not in self.hashes:
            self.hashes[path] = sha256(path)
        return self.hashes[path]


def run(
    params: Path | str,
    out: Path | str | None = None,
    *,
    notebooks: Path = ROOT / "notebooks",
    table: dict[str, Notebook] = NOTEBOOKS,
    echo: Callable[[str], None] = print,
) -> Path:
    """Run a trial file into a directory.

    Parameters
    ----------
    params : path
        A trial file, relative to the working directory or to the repository's root.
    out : path, optional
        Default: ``build/<stem of the file>``.
    notebooks : Path
        Directory of the text notebooks.
    table : dict
        The notebooks in their order, by stem.
    echo : callable
        Receives each line for the user.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    TrialError
        Bad input; nothing was executed or written.
    RunFailed
        A notebook failed; the earlier output is as it was.
    """
    path = _find(params)
    build = Build(Path(out) if out else Path("build") / path.stem)
    index = build.out / "index.html"
    if not _unchanged(build, path, notebooks):
        plan = _plan(path, build, notebooks, table)
        _make(plan, build, echo)
        build = Build(build.out)
    echo(display(index))
    counted = build.manifest.get("published")
    if counted:
        echo(published_line(**counted))
    return index


def published_line(reproduced: int, checkable: int, printed: int) -> str:
    """The last line of ``make``."""
    return f"{reproduced} of {checkable} checkable published numbers reproduced ({printed} printed)"


def _find(params) -> Path:
    """The trial file: from the working directory, else from the repository's root."""
    for path in (Path(params), ROOT / params):
        if path.is_file():
            return path.resolve()
    raise TrialError([f"{params}: no such file; expected a trial file (.yaml)"])


# Inputs are named in the manifest so that they are found again wherever the repository
# lies: from its root, or, with a leading "./", from the trial file's folder.


def _label(path: Path, folder: Path) -> str:
    if path.is_relative_to(ROOT):
        return path.relative_to(ROOT).as_posix()
    return "./" + Path(os.path.relpath(path, folder)).as_posix()


def _located(label: str, folder: Path) -> Path:
    return folder / label if label.startswith("./") else ROOT / label


def _unchanged(build: Build, path: Path, notebooks: Path) -> bool:
    """Whether the earlier run read exactly what a run now would, and stands as it wrote it.

    The files that a run reads are named by files that it reads, so equal contents of all
    of them mean an equal list.
    """
    made = build.manifest
    if not made or made["parameters"]["trial"] != _label(path, path.parent):
        return False
    if made["python"] != platform.python_version() or made["notebook_folder"] != _label(
        notebooks.resolve(), path.parent
    ):
        return False
    for label, claimed in {**made["inputs"], **made["code"]}.items():
        file = _located(label, path.parent)
        if not file.is_file() or sha256(file) != claimed:
            return False
    return build.whole


def _plan(path: Path, build: Build, folder: Path, table: dict) -> Plan:
    """Read trial file, data, published numbers and notebooks; refuse what cannot run."""
    from mair import trial as trials
    from mair.published import numbers

    trial = trials.load(path)
    published = None
    if trial.published is not None:
        try:
            published = numbers.read(trial.published)
        except numbers.PublishedError as error:
            raise TrialError(error.problems) from None
    sources, left_out = {}, {}
    defaults = type(trial.analysis)().model_dump()
    for name, entry in table.items():
        if entry.data and not trial.has_data:
            left_out[name] = "the trial file has no data"
        elif not _has(trial, entry.needs):
            left_out[name] = ("the data are not the synthetic cohort" if entry.needs == COHORT
                              else f"the trial file has no section {entry.needs}")
        elif not (folder / f"{name}.py").is_file():
            raise TrialError([f"{display(folder / name)}.py: no such notebook"])
        else:
            sources[name] = notebook.read(folder / f"{name}.py", defaults)
    problems = [line for source in sources.values() for line in source.problems]
    if problems:
        raise TrialError(problems)
    plan = Plan(trial, published, folder.resolve(), sources, {}, {}, left_out)
    for name in sources:
        _fingerprint(plan, name, table[name])
    plan.code |= notebook.closure(ast.parse("import mair.run.plan, mair.run.kernels")) | {LOCK}
    for file in (*plan.inputs, *plan.code):
        plan.sha(file)
    done = build.manifest.get("notebooks", {})
    plan.reused = [
        name for name, key in plan.keys.items()
        if done.get(name, {}).get("key") == key and build.intact.issuperset(done[name]["files"])
    ]
    return plan


def _has(trial, needs: str | None) -> bool:
    """Whether a trial has the section that a notebook needs."""
    if needs == COHORT:
        return bool(trial.synthetic and trial.published and trial.data_path == COHORT)
    if needs == "published":
        return trial.published is not None
    return needs is None or bool(trial.sections.get(needs))


def _fingerprint(plan: Plan, name: str, entry: Notebook) -> None:
    """Note what a notebook is given, what code it runs, and one hash of all it depends on."""
    source, trial = plan.sources[name], plan.trial
    values = trial.analysis.model_dump()
    code = notebook.closure(*source.code)
    used = {key: values[key] for key in values
            if key in source.parameters or key in notebook.mentioned(code)}
    # A notebook that calls another section's rows, or reads its key, depends on it after all.
    named = {READ_BY.get(word, word) for word in source.names}
    ignored = entry.ignores - named
    families = [name for name in values["fdr_families"].values() if name is not None]
    if "fdr_families" in used and len(set(families)) < len(families):
        ignored -= {"outcomes", "biomarkers"}  # one correction over both sections
    keys = sorted(set(trial.sections) - ignored - NOT_SHOWN)
    runner = notebook.PACKAGE / "run" / "kernels.py"
    parts = {
        "source": plan.sha(source.path.resolve()),
        "code": {_label(path, ROOT): plan.sha(path) for path in code | {runner}},
        # Of keys that are plain words, `said` holds all there is.
        "trial": trial.fingerprint(
            key for key in keys if isinstance(trial.sections[key], dict) or key in COLUMN_LISTS
        ),
        "said": {key: trial.sections[key] for key in keys},
        "analysis": used,
        "published": [plan.sha(path) for path in plan.printed
                      if entry.needs in ("published", COHORT)],
        "lock": plan.sha(LOCK),
        "python": platform.python_version(),
    }
    plan.parameters[name] = {key: values[key] for key in source.parameters if key in values}
    plan.keys[name] = digest(parts)
    plan.code |= code | {source.path.resolve()}


def _make(plan: Plan, build: Build, echo) -> None:
    """Execute what has to be, assemble the whole beside the target, and swap it in."""
    with build.staging() as staging:
        parts = {name: staging / "parts" / name for name in plan.keys}
        for folder in parts.values():
            folder.mkdir(parents=True)
        for name in plan.reused:
            for file in build.manifest["notebooks"][name]["files"]:
                target = parts[name] / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(build.out / file, target)
        if plan.reused:
            echo(f"unchanged: {', '.join(plan.reused)}")
        _execute(plan, build, parts, staging / "scratch")
        whole = staging / "whole"
        whole.mkdir()
        owned = _assemble(parts, whole)
        by_source = _report(plan, whole, owned)
        build.swap(whole)
        if by_source:
            echo(by_source)
        build.forget_failed(plan.keys)


def _execute(plan: Plan, build: Build, parts: dict[str, Path], scratch: Path) -> None:
    """Run the notebooks that changed, each into its own part."""
    todo = [name for name in plan.keys if name not in plan.reused]
    if not todo:
        return
    notebook.quick_jupyter()
    import nbformat

    from mair.run import kernels as execute

    path = plan.trial.path
    shown = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
    tasks = [
        execute.Task(
            plan.sources[name],
            {"trial": str(path), "out": str(parts[name]), **plan.parameters[name]},
            {"trial": shown, "out": None},
        )
        for name in todo
    ]
    executed, failures = execute.run(tasks, scratch, execute.Progress(len(tasks)))
    lines = []
    for failure in failures:
        line = f"notebook {failure.name} failed: {failure.error}"
        if failure.notebook:
            line += f"; kept at {display(build.keep_failed(failure.notebook))}"
        lines.append(line)
    if lines:
        raise RunFailed(lines)
    for name, node in executed.items():
        target = parts[name] / "notebooks" / f"{name}.ipynb"
        target.parent.mkdir(exist_ok=True)
        nbformat.write(node, target)


def _assemble(parts: dict[str, Path], whole: Path) -> dict[str, list[str]]:
    """Put the notebooks' files together; returns whose they are.

    Raises
    ------
    RunFailed
        Two notebooks wrote one file, or two values under one key.
    """
    owned: dict[str, list[str]] = {name: files(folder) for name, folder in parts.items()}
    owner: dict[str, str] = {}
    problems = []
    for name, folder in parts.items():
        for file in owned[name]:
            if file in owner or file in OWN:
                other = owner.get(file, "the run itself")
                problems.append(f"{file} is written by notebook {name} and by {other}")
                continue
            owner[file] = name
            target = whole / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / file, target)
    if problems:
        raise RunFailed(problems)
    _merge([whole / "rows" / f"{name}.csv" for name in parts], whole / "results.csv")
    return owned


def _merge(sources: list[Path], target: Path) -> None:
    """``results.csv`` of the notebooks' rows, as text, so that no digit changes."""
    from mair.results import COLUMNS

    rows: list[list[str]] = []
    seen: dict[tuple, str] = {}
    for source in sources:
        if not source.is_file():
            continue
        with source.open(encoding="utf-8", newline="") as file:
            header, *body = list(csv.reader(file))
        if header != COLUMNS:
            raise RunFailed([f"rows/{source.name}: columns {','.join(header)}; "
                             f"expected {','.join(COLUMNS)}"])
        for row in body:
            key = tuple(row[:-1])
            if key in seen:
                raise RunFailed([f"notebooks {seen[key]} and {source.stem} both write the row "
                                 f"{','.join(key)}"])
            seen[key] = source.stem
        rows += body
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


def _report(plan: Plan, whole: Path, owned: dict[str, list[str]]) -> str:
    """Published beside recomputed, the page and the manifest; the counts place by place."""
    from mair import results
    from mair.report import comparison, page

    trial, compared, counted = plan.trial, None, None
    frame = results.read(whole / "results.csv")
    if trial.has_data:
        from mair.sections import estimands

        estimated = estimands.table(trial, frame)
        if len(estimated):
            comparison.write(comparison.estimands(estimated, trial.synthetic), whole)
    if plan.published is not None:
        from mair.published import compare

        compared = compare.compare(plan.published, frame)
        counted = dict(zip(("reproduced", "checkable", "printed"), compare.counts(compared),
                           strict=True))
        comparison.write(comparison.published(compared, trial.synthetic), whole)
    manifest = _manifest(plan, owned)
    if counted:
        manifest["published"] = counted
    try:
        html = page.render(trial, whole, list(plan.keys), plan.left_out, compared, counted,
                           manifest)
    except page.PageError as error:
        raise RunFailed([str(error)]) from None
    (whole / "index.html").write_text(html, encoding="utf-8")
    Build.write_manifest(whole, manifest)
    return "" if compared is None else compare.by_source(compared)


def _manifest(plan: Plan, owned: dict[str, list[str]]) -> dict:
    """What a run was made of. No times: two equal runs have equal manifests."""
    trial = plan.trial
    folder = trial.path.parent
    return {
        "title": trial.title,
        "parameters": {
            "trial": _label(trial.path, folder),
            "analysis": trial.analysis.model_dump(),
            "injected": plan.parameters,
        },
        "seed": trial.analysis.seed,
        "python": platform.python_version(),
        "packages": packages(),
        "inputs": {_label(path, folder): plan.sha(path) for path in plan.inputs},
        "code": {_label(path, folder): plan.sha(path) for path in sorted(plan.code)},
        "notebook_folder": _label(plan.folder, folder),
        "notebooks": {name: {"key": plan.keys[name], "files": owned[name]} for name in owned},
        "left_out": plan.left_out,
    }


def _chain(path: Path) -> list[Path]:
    """A trial file and those it extends."""
    from mair.trial.file import read_yaml

    found = [path]
    while isinstance(base := (read_yaml(found[-1])[0] or {}).get("extends"), str):
        found.append((found[-1].parent / base).resolve())
    return found


def packages() -> dict[str, str]:
    """Versions of the packages of requirements.lock that are installed, by name."""
    import re
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        pin = re.match(r"([A-Za-z0-9._-]+)==", line)
        if pin:
            try:
                found[pin[1]] = version(pin[1])
            except PackageNotFoundError:  # a pin for another platform
                continue
    return found
