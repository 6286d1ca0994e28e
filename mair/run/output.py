"""The output directory of a run: what it holds, whether it is whole, how a new one replaces it.

A run is assembled in a staging directory beside its target and swapped in by renaming,
so an interrupted or failed run leaves the earlier output as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from mair.trial.errors import TrialError

try:
    import fcntl
except ImportError:  # Windows has no flock; there every leftover counts as abandoned
    fcntl = None

MADE_BY = "mair"
MANIFEST = "manifest.json"


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(content) -> str:
    """SHA-256 of JSON content in a canonical spelling."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def files(folder: Path) -> list[str]:
    """Every file below ``folder``, as sorted paths relative to it with forward slashes."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


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
        ``out`` is a file, or holds something that no run of ours wrote.
    """

    def __init__(self, out: Path):
        self.out = Path(out).resolve()
        self.shown = str(out)
        self._recover()
        if self.out.exists() and not self.out.is_dir():
            raise TrialError([f"{self.shown}: is a file; expected a directory for the output"])
        if self.out.is_dir() and any(self.out.iterdir()) and self._read() is None:
            raise TrialError([
                f"{self.shown}: is not empty and holds no {MANIFEST} of ours; "
                "expected a new or empty directory, or one that an earlier run wrote"
            ])

    def _read(self) -> dict | None:
        """The manifest as it stands, or None when there is none of ours."""
        try:
            found = json.loads((self.out / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and found.get("made_by") == MADE_BY else None

    @cached_property
    def manifest(self) -> dict:
        """The earlier run's manifest; empty when there is none or it was altered."""
        found = self._read() or {}
        claimed = found.pop("digest", None)
        return found if found and claimed == digest(found) else {}

    @cached_property
    def intact(self) -> frozenset[str]:
        """Outputs of the earlier run that are still what it wrote."""
        return frozenset(
            name
            for name, claimed in self.manifest.get("outputs", {}).items()
            if (self.out / name).is_file() and sha256(self.out / name) == claimed
        )

    @property
    def whole(self) -> bool:
        """Whether every output of the earlier run is still what it wrote."""
        return bool(self.manifest) and self.intact == frozenset(self.manifest["outputs"])

    @property
    def _old(self) -> Path:
        return self.out.with_name(f".{self.out.name}.old")

    @property
    def failed(self) -> Path:
        """Where failed notebooks are kept, beside the target."""
        return self.out.with_name(f"{self.out.name}.failed")

    def _leftovers(self) -> list[Path]:
        if not self.out.parent.is_dir():
            return []
        prefix = f".{self.out.name}.staging-"
        return [p for p in self.out.parent.iterdir() if p.name.startswith(prefix)]

    def _recover(self) -> None:
        """Finish an interrupted swap and remove staging that no live run holds."""
        leftovers = self._leftovers()
        if not leftovers and not self._old.exists():
            return
        with _locked(self.out.parent):
            if self._old.exists():
                if self.out.exists():
                    self._discard_old()
                else:
                    self._old.rename(self.out)
        for folder in leftovers:
            with _locked(folder, wait=False) as free:
                if free:
                    shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def staging(self):
        """A fresh directory beside the target, removed at the end whatever happens."""
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            folder = Path(
                tempfile.mkdtemp(prefix=f".{self.out.name}.staging-", dir=self.out.parent)
            )
        except OSError as error:
            raise TrialError([
                f"{self.out.parent}: {error.strerror}; a run is assembled beside its target, "
                "so this directory must be writable (name another with OUT=)"
            ]) from None
        with _locked(folder):
            try:
                yield folder
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
        """Put ``whole`` in the target's place.

        Files in the target that no run wrote (a reader's notes) move along.
        """
        whole.chmod(0o777 & ~_umask())
        with _locked(self.out.parent):
            if self.out.exists():
                self.out.rename(self._old)
            whole.rename(self.out)
            self._discard_old()

    def _discard_old(self) -> None:
        """Remove the replaced output, after moving what was not ours to the new one."""
        if not self._old.exists():
            return
        try:
            known = json.loads((self._old / MANIFEST).read_text(encoding="utf-8"))["outputs"]
        except (OSError, ValueError, KeyError):
            known = {}
        for name in files(self._old):
            target = self.out / name
            if name not in known and name != MANIFEST and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                (self._old / name).rename(target)
        shutil.rmtree(self._old)

    def keep_failed(self, notebook: Path) -> Path:
        """Move a failed notebook beside the target; returns its new path."""
        self.failed.mkdir(exist_ok=True)
        return Path(shutil.move(notebook, self.failed / notebook.name))

    def forget_failed(self, names) -> None:
        """Remove notebooks kept from an earlier failure."""
        for name in names:
            (self.failed / f"{name}.ipynb").unlink(missing_ok=True)
        if self.failed.is_dir() and not any(self.failed.iterdir()):
            self.failed.rmdir()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _locked(folder: Path, wait: bool = True):
    """Hold ``folder`` against other runs; yields False when another run has it.

    The lock is on the directory itself, so nothing is left behind, and it ends
    with the process however that ends.
    """
    if fcntl is None:
        yield True
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)
