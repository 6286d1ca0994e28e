"""``make paper``: the template of an entered paper, and the audit of one, alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml

from mair.published import entry, template
from mair.run import plan
from mair.run.output import Build
from mair.trial import load
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
    content = files(Path(file))
    if not build.manifest:  # ours from now on, and nothing in it from a run
        build.out.mkdir(parents=True, exist_ok=True)
        build.write_manifest(build.out, {"parameters": {"trial": ""}})
    plan.main(str(write(content, build.out)), str(build.out))
    return None


def files(path: Path) -> dict[str, str]:
    """The files that a paper becomes, by name: published numbers, a trial file, claims.

    Parameters
    ----------
    path : Path
        As `mair.published.entry.Reader` takes it.

    Returns
    -------
    dict of str to str
        The text of each, read once as a run reads it.

    Raises
    ------
    TrialError
        The slips of the sheets, or what makes no trial file.
    """
    if not path.exists():
        raise TrialError(f"{display(path)}: no such file, expected {entry.KINDS}")
    found = entry.Reader(path).read()
    content = {"published.csv": found.published.to_csv(index=False, lineterminator="\n"),
               TRIAL: yaml.safe_dump(found.trial, allow_unicode=True, sort_keys=False)}
    if found.claims is not None:
        content["claims.csv"] = found.claims.to_csv(index=False, lineterminator="\n")
    with tempfile.TemporaryDirectory() as folder:
        trial = write(content, Path(folder))
        try:
            load(trial)
        except TrialError as error:
            raise TrialError([line.replace(str(trial), display(path))
                              for line in error.problems]) from None
    return content


def write(content: dict[str, str], folder: Path) -> Path:
    """Write the files of a paper where they differ; returns the path of the trial file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("published.csv", TRIAL, "claims.csv"):
        path, text = folder / name, content.get(name)
        if text is None:
            path.unlink(missing_ok=True)
        elif not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="")
    return folder / TRIAL
