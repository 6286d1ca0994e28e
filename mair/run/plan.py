"""A run: the notebooks of one trial file, executed where needed, to one directory.

While a notebook runs, its kernel notes what it asked of the trial, which files it opened and
which modules it loaded. The next run looks at these again: where all are as they were, the
notebook's files are carried over, and when nothing at all has changed, nothing is written.
"""

import os
import platform
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Thread
from urllib.parse import quote, unquote

from mair.run import notebook
from mair.run.assembly import LOCK, ahead, assemble, package, packages, published_line, report
from mair.run.notebook import PACKAGE, ROOT
from mair.run.output import Build, RunFailed, as_claimed, digest, lock_of, place, sha256
from mair.trial.errors import TrialError, display


@dataclass(frozen=True)
class Notebook:
    """What a notebook needs of a trial file, without which it is left out of a run."""

    needs: str | Path | None  # a section, or the data it is about
    long: int = 0  # the highest are started first, so that none is left over at the end
    change: bool = False  # whether it is about a primary outcome seen at baseline and later


BESIDE = ("cells.csv", "claims.csv", "provenance.csv")  # of the published numbers
COHORT = PACKAGE / "data" / "mair_synthetic.csv"  # what `reconstruction` is about
NOTEBOOKS = {  # in a reader's order
    "flow": Notebook(None),
    "baseline": Notebook("baseline"),
    "outcomes": Notebook("outcomes", long=3),
    "one_visit": Notebook("one_visit"),
    "nnt": Notebook("responders"),
    "biomarkers": Notebook("biomarkers", long=2),
    "robustness": Notebook(None, long=4, change=True),
    "audit": Notebook("published", long=3),
    "power": Notebook("sample_size", long=5, change=True),
    "reconstruction": Notebook(COHORT, long=1),
}
FAILED = "it failed, by a fault of the program; {}.ipynb, beside this page, shows how far it came"
# What executes a notebook: with another, it is another notebook.
RUNNER = ("kernels.py", "kernel.py", "notebook.py")


@dataclass
class Plan:
    """What a run will do: its notebooks, and which of them need not be executed.

    Attributes
    ----------
    trial : Trial
    folder : Path
        Of the text notebooks.
    inputs : dict of Path to str
        Trial file, those it extends, data and published numbers; hashes of what was read.
    code : dict of Path to str
        Package and notebooks before anything ran: what is edited meanwhile is a change for
        the next run.
    sources : dict of str to Source
        By notebook.
    left_out : dict of str to str
        Notebook to reason.
    """

    trial: object
    folder: Path
    inputs: dict[Path, str]
    code: dict[Path, str] = field(default_factory=dict)
    sources: dict[str, notebook.Source] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    made: dict[str, dict] = field(default_factory=dict)  # the notebooks' entries in the manifest
    blind: bool = False
    _digests: dict[str, str] = field(default_factory=dict)

    def label(self, path: Path) -> str:
        """How the manifest names a file."""
        return _label(path, self.trial.path.parent)

    def digest(self, asked: list[str]) -> str:
        """One hash of what parts of the trial hold now."""
        from mair.trial.noted import digest as of_part

        content = vars(self.trial)
        for name in asked:
            if name not in self._digests:
                self._digests[name] = of_part(content, tuple(map(unquote, name.split("/"))))
        return digest([self._digests[name] for name in asked])

    @property
    def shown(self) -> str:
        """The trial file as a reader of a notebook would name it: where it lies stays here."""
        path = self.trial.path
        return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name

    @property
    def roots(self) -> set[Path]:
        """Folders whose files count where a notebook reads them."""
        return {ROOT, *(file.parent for file in self.inputs)}

    @cached_property
    def parameters(self) -> dict[str, dict]:
        """By notebook, what is injected: of the choices of the analysis, those it declares."""
        values = vars(self.trial)["analysis"].model_dump()
        return {name: {key: values[key] for key in source.parameters if key in values}
                for name, source in self.sources.items()}

    @cached_property
    def keys(self) -> dict[str, str]:
        """By notebook, one hash of all it depends on that does not show only while it runs."""
        common = [platform.python_version(), self.code[LOCK],
                  *(self.code[PACKAGE / "run" / name] for name in RUNNER)]
        return {name: digest([self.code[self.folder / f"{name}.py"], injected, *common])
                for name, injected in self.parameters.items()}

    @cached_property
    def key(self) -> str:
        """One hash of all that the report depends on, but the notebooks."""
        read = {self.label(file): sha for file, sha in {**self.code, **self.inputs}.items()
                if file.parent != self.folder or file in self.inputs}
        return digest([platform.python_version(), packages(), self.blind, read])

    def stands(self, name: str, made: dict) -> bool:
        """Whether a notebook would come out as it did in an earlier run."""
        return (made.get("key") == self.keys[name]
                and self.digest(made["asked"]) == made["asked_digest"]
                and as_claimed(made["opened"], self.trial.path.parent))


def run(params: Path | str, out: Path | str | None = None, *, blind: bool = False,
        notebooks: Path = ROOT / "notebooks", table: dict[str, Notebook] = NOTEBOOKS,
        echo: Callable[[str], None] = print) -> Path:
    """Run a trial file into a directory.

    Parameters
    ----------
    params : path
        A trial file, relative to the working directory or to the repository's root.
    out : path, optional
        Default: ``build/<stem of the file>``, blinded ``build/<stem of the file>-blinded``.
    blind : bool
        Deal the people to the arms anew first.
    notebooks, table
        As of `plan`.
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
        A notebook failed; the earlier output is as it was, and the report of the others stands
        beside it in ``<out>.failed``.
    """
    path = find(params)
    build = Build(Path(out) if out else Path("build") / f"{path.stem}{'-blinded' * blind}")
    if not _unchanged(build, path, notebooks, blind):
        from mair.run.kernels import Server

        with closing(Server()) as server:
            found = plan(path, notebooks, table, blind)
            for notice in found.trial.told:
                print(f"notice: {notice}", file=sys.stderr, flush=True)
            with build.alone(echo):
                if not _unchanged(build, path, notebooks, blind):
                    _make(found, build, server, echo)
    index = build.out / "index.html"
    echo(display(index))
    if counted := build.manifest.get("published"):
        echo(published_line(**counted))
    return index


def main(params: str, out: str | None = None, blind: bool = False) -> None:
    """``python -m mair run``."""
    run(params, out, blind=blind, echo=lambda line: print(line, flush=True))


def find(params) -> Path:
    """The trial file: from the working directory, else from the repository's root."""
    for path in (Path(params), ROOT / params):
        if os.path.isfile(path):
            return path.resolve()
    raise TrialError([f"{params}: no such file; expected a trial file (.yaml)"])


# Files are named in the manifest so that they are found again wherever the repository
# lies: from its root, or, with a leading "./", from the trial file's folder.


def _label(path: Path, folder: Path) -> str:
    if path.is_relative_to(ROOT):
        return path.relative_to(ROOT).as_posix()
    return "./" + Path(os.path.relpath(path, folder)).as_posix()


def _unchanged(build: Build, path: Path, notebooks: Path, blind: bool) -> bool:
    """Whether the earlier run read exactly what a run now would, and stands as it wrote it.

    The files that a run reads are named by files that it reads, so equal contents of all
    of them mean an equal list.
    """
    made, folder = build.manifest, path.parent
    return bool(
        made and made["parameters"]["trial"] == _label(path, folder)
        and made.get("blinded", False) == blind
        and (not (lock := lock_of(path)).is_file() or _label(lock, folder) in made["inputs"])
        and made["python"] == platform.python_version()
        and made["notebook_folder"] == _label(notebooks.resolve(), folder)
        and as_claimed({**made["inputs"], **made["code"]}, folder) and build.whole)


def plan(path: Path, folder: Path = ROOT / "notebooks", table: dict = NOTEBOOKS,
         blind: bool = False) -> Plan:
    """Read trial file, data, published numbers and notebooks; refuse what cannot run.

    Parameters
    ----------
    path, folder : Path
        Of the trial file and of the notebooks.
    table : dict
    blind : bool

    Returns
    -------
    Plan

    Raises
    ------
    TrialError
    """
    found = _read(path, blind)
    trial = found.trial
    found.folder = folder.resolve()
    found.code = {file: sha256(file) for file in (LOCK, *package())}
    defaults = type(vars(trial)["analysis"])().model_dump()
    for name, entry in table.items():
        if (why := _lacks(trial, entry, blind)) is not None:
            found.left_out |= {name: why} if why else {}
        elif not (source := found.folder / f"{name}.py").is_file():
            raise TrialError([f"{display(source)}: no such notebook"])
        else:
            found.code[source] = sha256(source)
            found.sources[name] = notebook.read(source, defaults)
    problems = [line for source in found.sources.values() for line in source.problems]
    if problems:
        raise TrialError(problems)
    return found


def _read(path: Path, blind: bool) -> Plan:
    """The trial and its published numbers, with the hashes of what was read."""
    from mair import trial as trials
    from mair.published import numbers
    from mair.run import locked

    before = {file: sha256(file) for file in _named(path) if file.is_file()}
    trial = locked.planned(trials.load(path))
    if blind:
        trial = locked.blinded(trial)
    if trial.published is not None:
        numbers.read(trial.published)
    for file, was in before.items():
        if not file.is_file() or sha256(file) != was:
            raise TrialError([f"{display(file)}: edited while it was read; run again"])
    return Plan(trial, path.parent, before, blind=blind)


def _named(path: Path) -> list[Path]:
    """A trial file, those it extends, data, published numbers, what is kept beside them."""
    from mair.trial.file import chain

    source, _ = chain(path)
    keys = ("harms", "data"), ("data",), ("published",)
    named = [file.resolve() for key in keys if (file := source.relative(*key))]
    beside = [file.with_name(name) for name in BESIDE for file in named[-1:]]
    return [*(stated for _, stated, _ in source.files), lock_of(path), *named, *beside]


def _lacks(trial, entry: Notebook, blind) -> str | None:
    """Why a notebook has nothing to say of a trial; empty where another notebook says it."""
    from mair.sections import measures

    needs, section = entry.needs, f"the trial file has no section {entry.needs}"
    if blind and needs in ("published", COHORT):
        return "a blinded run is held against nothing published"
    if needs == "published":
        return None if trial.published is not None else section
    if not trial.has_data:
        return "the trial file has no data"
    if needs == COHORT:
        own = trial.synthetic and trial.published and trial.data_path == COHORT
        return None if own else "the data are not the synthetic cohort"
    if needs in (*measures.SECTIONS, measures.ONCE):
        told = needs == measures.ONCE or trial.declares(needs)  # in the other one's notebook
        return None if measures.variables(trial, needs) else "" if told else section
    if needs and not trial.declares(needs):
        return section
    if entry.change and (trial.primary is None or len(trial.primary.visits) == 1):
        return "no primary outcome is seen at baseline and later, so there is no change to model"
    if entry.change and trial.primary.family:
        return "the primary outcome is no score, and its alternatives are not of this kind"
    return None


def _make(plan: Plan, build: Build, server, echo) -> None:
    """Execute what has to be, assemble the whole beside the target, and swap it in."""
    with build.staging() as staging:
        done = build.manifest
        same = done and done["parameters"]["trial"] == plan.label(plan.trial.path)
        done = done["notebooks"] if same else {}
        parts = {name: staging / "parts" / name for name in plan.keys}
        for name, folder in parts.items():
            folder.mkdir(parents=True)
            if name in done and plan.stands(name, done[name]) and build.given(done[name], folder):
                plan.made[name] = done[name]
        if plan.made:
            echo(f"unchanged: {', '.join(plan.made)}")
        whole = staging / "whole"
        whole.mkdir()
        failures = _execute(plan, parts, staging / "scratch", server, build) if (
            len(plan.made) < len(parts)) else []
        for one in failures:
            del plan.keys[one.name], plan.parameters[one.name]
            plan.left_out[one.name] = FAILED.format(one.name)
            if one.notebook:
                place(one.notebook, whole / one.notebook.name)
        try:
            if plan.keys:
                assemble(plan, {name: parts[name] for name in plan.keys}, whole)
                report(plan, whole, build)
        finally:
            if failures:
                build.keep_failed(whole, parts)
        if failures:
            raise RunFailed([*(one.said(build.failed) for one in failures), *(
                [f"the report without it is {display(build.failed / 'index.html')}; what was in "
                 f"{display(build.out)} is as it was"] if plan.keys else [])])
        build.swap(whole)
        build.forget_failed(parts)


def _execute(plan: Plan, parts: dict, scratch: Path, server, build: Build) -> list:
    """Run the notebooks that changed, each into its own part; note what they used; failures."""
    from mair.run import kernels

    names = sorted(plan.keys.keys() - plan.made.keys(),
                   key=lambda name: (-NOTEBOOKS.get(name, Notebook(None)).long, name))
    meanwhile = Thread(target=ahead, args=[plan, build])
    sys.setswitchinterval(0.0005)  # what is told by a kernel does not wait for it
    meanwhile.start()
    executed, failures = kernels.run(plan, names, parts, scratch, server)
    meanwhile.join()
    plan.made |= {name: _used(plan, name, record) for name, record in executed.items()}
    return failures


def _used(plan: Plan, name: str, record: dict) -> dict:
    """A notebook's entry in the manifest, from its kernel's record."""
    for file, sha in record["files"].items():
        if plan.inputs.get(Path(file), sha) != sha:
            raise RunFailed([f"{display(file)}: edited while the run read it; run again"])
    asked = ["/".join(quote(str(key), safe=" ") for key in part) for part in record["parts"]]
    opened = {plan.label(Path(file)): sha for file, sha in sorted(record["files"].items())}
    return {"key": plan.keys[name], "opened": opened, "asked": asked,
            "asked_digest": plan.digest(asked)}
