"""The output directory of a run: what it holds, whether it is whole, how a new one replaces it.

A run is assembled in a staging directory beside its target and swapped in by renaming,
so an interrupted or failed run leaves the earlier output as it was.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from mair.trial.errors import ROOT, TrialError, written

MADE_BY = "mair"
MANIFEST = "manifest.json"
LONGEST = 200  # bytes of a name, to which the staging's adds


class RunFailed(Exception):
    """A notebook raised, or notebooks contradict each other; ``problems``, one line each."""

    def __init__(self, problems: list[str]):
        super().__init__("\n".join(problems))
        self.problems = problems


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(content) -> str:
    """SHA-256 of JSON content in a canonical spelling."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def as_claimed(claims: dict[str, str | None], folder: Path, root: Path = ROOT) -> bool:
    """Whether files hold what they did: of a folder where a name begins with "./", else of the
    root; None claims that there is none."""
    files = ((folder if name.startswith("./") else root) / name for name in claims)
    return [sha256(file) if file.is_file() else None for file in files] == [*claims.values()]


def files(folder: Path) -> list[str]:
    """Every file below ``folder``, as sorted paths relative to it with forward slashes."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def lock_of(path: Path) -> Path:
    """Where the lock of a trial file lies (`mair.run.locked`): beside it."""
    return path.with_suffix(".lock")


def place(source: Path, target: Path) -> None:
    """Copy a file, its folders made where they are missing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


class Build:
    """The target directory of a run.

    Parameters
    ----------
    out : Path
        The directory as the user named it; it need not exist. A link is followed, so that
        a swap replaces what it points to and not the link.

    Raises
    ------
    TrialError
        ``out`` is a file, cannot be replaced, or holds something that no run of ours wrote.
    """

    def __init__(self, out: Path):
        self.shown = str(out)
        if not written(self.shown) or any(
                len(part.encode()) > LONGEST for part in Path(out).parts):
            raise TrialError([f"{self.shown!r:.60}: expected a directory's name of {LONGEST} bytes "
                              "or fewer without control characters"])
        try:
            self.out = Path(out).resolve()
        except (OSError, RuntimeError):
            raise TrialError([f"{self.shown}: a link that leads to itself; expected a "
                              "directory for the output"]) from None
        if self.out.exists() and not self.out.is_dir():
            raise TrialError([f"{self.shown}: is a file; expected a directory for the output"])
        if self.out.is_mount():
            raise TrialError([f"{self.shown}: is the root of a file system, which cannot be "
                              "replaced as a whole; expected a directory below it"])
        if self.out.is_dir() and any(self.out.iterdir()) and manifest_in(self.out) is None:
            raise TrialError([f"{self.shown}: is not empty and holds no {MANIFEST} of ours; "
                              "expected a new or empty directory, or one that an earlier run "
                              "wrote"])

    @property
    def manifest(self) -> dict:
        """The earlier run's manifest; empty when there is none or it was altered."""
        found = manifest_in(self.out) or {}
        claimed = found.pop("digest", None)
        return found if found and claimed == digest(found) else {}

    @property
    def whole(self) -> bool:
        """Whether every output of the earlier run is still what it wrote."""
        made = self.manifest
        return bool(made) and as_claimed(made["outputs"], self.out, self.out)

    def given(self, entry: dict, folder: Path) -> bool:
        """Copy the files of an entry of the manifest, where all are still what was written."""
        outputs = self.manifest["outputs"]
        if whole := as_claimed({name: outputs[name] for name in entry["files"]}, self.out,
                               self.out):
            for name in entry["files"]:
                place(self.out / name, folder / name)
        return whole

    @property
    def failed(self) -> Path:
        """Where failed notebooks are kept with the report of the others, beside the target."""
        return self.out.with_name(f"{self.out.name}.failed")

    @contextmanager
    def alone(self, echo):
        """Hold the target against other runs, waiting for one that has it.

        What an interrupted run left is put right first: its swap finished, its staging removed.

        Parameters
        ----------
        echo : callable
            Receives the line that says that this run waits.
        """
        lock = self.out.with_name(f".{self.out.name}.lock")
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            handle = _locked(lock, lambda: echo(f"{self.shown}: waiting for another run into it"))
        except OSError as error:
            raise TrialError([f"{self.out.parent}: {error.strerror}; a run is assembled beside its "
                              "target, so this directory must be writable (name another with OUT=)"
                              ]) from None
        try:
            prefix = f".{self.out.name}.staging-"
            for folder in self.out.parent.iterdir():
                if folder.name.startswith(prefix) and not folder.is_symlink():
                    if not self.out.exists() and (folder / "old").exists():
                        (folder / "old").rename(self.out)  # killed between two renames
                    self._discard(folder / "old")
                    shutil.rmtree(folder, ignore_errors=True)
            yield
        finally:
            lock.unlink(missing_ok=True)
            os.close(handle)

    @contextmanager
    def staging(self):
        """A fresh directory beside the target, removed at the end whatever happens.

        Raises
        ------
        RunFailed
            The disk is full.
        """
        folder = Path(tempfile.mkdtemp(prefix=f".{self.out.name}.staging-", dir=self.out.parent))
        try:
            yield folder
        except OSError as error:
            if (full := os.strerror(errno.ENOSPC)) not in str(error):
                raise
            raise RunFailed([f"{self.out.parent}: {full.lower()}; what was in {self.shown} is as "
                             "it was"]) from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def write_manifest(whole: Path, content: dict) -> None:
        """Add to ``content`` the hashes of every file in ``whole``, and write it there."""
        outputs = {name: sha256(whole / name) for name in files(whole)}
        content = {"made_by": MADE_BY, **content, "outputs": outputs}
        content["digest"] = digest(content)
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (whole / MANIFEST).write_text(text, encoding="utf-8")

    def swap(self, whole: Path) -> None:
        """Put ``whole``, in a staging directory, in the target's place.

        Files in the target that no run wrote (a reader's notes) move along.
        """
        old = whole.with_name("old")
        if self.out.exists():
            self.out.rename(old)
        whole.rename(self.out)
        self._discard(old)

    def _discard(self, old: Path) -> None:
        """Move what was not ours from a replaced output to the new one, then give it up.

        Its manifest goes first, so that what is left of it is never taken for a reader's.
        """
        if (known := manifest_in(old)) is not None:
            for name in files(old):
                target = self.out / name
                if name not in known["outputs"] and name != MANIFEST and not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (old / name).rename(target)
            (old / MANIFEST).unlink()

    def keep_failed(self, whole: Path, names) -> None:
        """Copy what came of a run whose notebooks failed to its place beside the target."""
        self.forget_failed(names)
        shutil.copytree(whole, self.failed, dirs_exist_ok=True)

    def forget_failed(self, names) -> None:
        """Remove what an earlier failure of these notebooks left; a reader's own files stay."""
        ours = {f"{name}.ipynb" for name in names}
        if (made := manifest_in(self.failed)) is not None:
            ours |= {*made["outputs"], MANIFEST}
        for name in ours:
            (self.failed / name).unlink(missing_ok=True)
        for folder in sorted({self.failed, *self.failed.rglob("*/")}, reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def manifest_in(folder: Path) -> dict | None:
    """A directory's manifest as it stands, or None when it holds none of ours."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("made_by") == MADE_BY else None


def _locked(path: Path, wait) -> int:
    """An open lock file, held until it is closed or the process ends; ``wait`` says it waits."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        if path.exists() and path.stat().st_ino == os.fstat(handle).st_ino:
            return handle
        os.close(handle)  # another run removed it when it was done
