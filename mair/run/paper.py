"""``make paper``: the template of an entered paper, and the audit of one, alone."""

import tempfile
from pathlib import Path

import yaml

from mair.published import entry, template
from mair.run import plan
from mair.run.output import Build
from mair.trial import Trial, load
from mair.trial.errors import TrialError, display

TRIAL = "trial.yaml"


def main(file: str | None = None, new: str | None = None, out: str | None = None) -> Path | None:
    """Write the template ``new``, or audit the entered paper ``file`` into a directory."""
    if bool(file) == bool(new):
        raise TrialError("make paper: expected NEW=my/paper.xlsx for a template, or FILE= for the "
                         "audit of a paper entered in one")
    if new:
        return template.write(new)
    build = Build(Path(out) if out else Path("build") / Path(file).stem)
    with tempfile.TemporaryDirectory() as scratch:
        opened(Path(file), Path(scratch))
    if not build.manifest:  # ours from now on, and nothing in it from a run
        build.out.mkdir(parents=True, exist_ok=True)
        build.write_manifest(build.out, {"parameters": {"trial": ""}})
    plan.main(str(write(Path(file), build.out)), str(build.out))
    return None


def opened(path: Path, folder: Path) -> Trial:
    """The trial that a paper becomes, its files written into a folder.

    Raises
    ------
    TrialError
        The slips of the sheets, or what makes no trial file of them.
    """
    trial = write(path, folder)
    try:
        return load(trial)
    except TrialError as error:
        raise TrialError([line.replace(str(trial), display(path)) for line in error.problems]
                         ) from None


def write(path: Path, folder: Path) -> Path:
    """Write what a paper becomes where it differs: published numbers, claims, cells, a trial file.

    Returns
    -------
    Path
        Of the trial file.
    """
    if not path.exists():
        raise TrialError(f"{display(path)}: no such file, expected {entry.KINDS}")
    found = entry.Reader(path).read()
    content = {name: frame.to_csv(index=False, lineterminator="\n") for name, frame in (
        ("published.csv", found.published), ("claims.csv", found.claims),
        ("cells.csv", found.cells))}
    content[TRIAL] = yaml.safe_dump(found.trial, allow_unicode=True, sort_keys=False)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in content.items():
        file = folder / name
        if not file.is_file() or file.read_text("utf-8") != text:
            file.write_text(text, encoding="utf-8", newline="")
    return folder / TRIAL
