"""What cannot be read or written is one plain line, before anything runs."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from trials.small import SPEC, merged, table, write

from mair.__main__ import main
from mair.run import kernels

OUT = "expected a directory's name of 200 bytes or fewer without control characters"
YAML = "expected a trial file (YAML in UTF-8)"
CSV = "pub.csv: cannot be read as CSV in UTF-8 ("


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    Path("folder.csv").mkdir()
    Path("link").symlink_to("link")
    os.mkfifo("pipe")


def line(capsys, *arguments) -> str:
    assert main([str(one) for one in arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err.rstrip("\n")


@pytest.mark.parametrize(("out", "said"), [
    ("file", "file: is a file; expected a directory for the output"),
    ("link", "link: a link that leads to itself; expected a directory for the output"),
    ("/", "/: is the root of a file system, which cannot be replaced as a whole; expected a "
     "directory below it"),
    ("/proc", "/proc: is the root of a file system, which cannot be replaced as a whole; expected "
     "a directory below it"),
    ("a\0b", f"'a\\x00b': {OUT}"), ("\udc80", f"'\\udc80': {OUT}"),
    ("x" * 300, f"'{'x' * 59}: {OUT}")])
def test_an_output_that_cannot_be(capsys, out, said):
    write(SPEC, table())
    assert line(capsys, "run", "trial.yaml", "--out", out) == said


@pytest.mark.parametrize(("name", "said"), [
    ("x" * 300, "no such file"), ("a\0b", "no such file"), ("folder.csv", "not an ordinary file"),
    ("pipe", "not an ordinary file"), ("/dev/zero", "not an ordinary file"),
    ("link", "no such file")])
def test_a_trial_file_that_is_none(capsys, name, said):
    assert line(capsys, "check", name) == f"{name}: {said}, {YAML}"
    assert line(capsys, "run", name) == f"{name}: no such file; expected a trial file (.yaml)"


@pytest.mark.parametrize(("content", "said"), [
    (b"\xff\xfe\0", CSV), (b"", CSV), (b'"', CSV), (b"a,b\n1,2\n", "pub.csv: columns a,b; ")])
def test_published_numbers_that_cannot_be_read(capsys, content, said):
    write(merged(SPEC, {"published": "pub.csv"}), table())
    Path("pub.csv").write_bytes(content)
    found = line(capsys, "run", "trial.yaml", "--out", "out")
    assert found.splitlines()[-1].startswith(said)
    assert not Path("out").exists()


@pytest.mark.parametrize("key", ["data", "published", "extends"])
@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "folder.csv"])
def test_what_is_no_ordinary_file_is_not_read(capsys, key, name):
    name = Path(name).absolute()
    if key == "data" and not name.suffix:
        name = Path("pipe").rename("pipe.csv").absolute()
    write(merged(SPEC, {key: str(name)}), table())
    assert ": not an ordinary file, expected " in line(capsys, "check", "trial.yaml")


def test_sockets_of_a_run_that_was_killed_go_with_the_next(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, ours, other = (Path(tempfile.mkdtemp(prefix=f"mair-{pid}-"))
                         for pid in (gone.pid, os.getpid(), "x"))
    (left / "socket").touch()
    kernels.sweep()
    assert (left.exists(), ours.exists(), other.exists()) == (False, True, True)
