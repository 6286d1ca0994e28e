"""The runner: what it refuses, what it executes, what it leaves alone.

The trials and notebooks here are tiny, so that one real run takes about two seconds.
"""

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from mair.results import COLUMNS
from mair.run import assembly, locked, output
from mair.run import kernels as execute
from mair.run import plan as run
from mair.run.output import Build, files, sha256
from mair.trial.errors import ROOT, TrialError
from mair.trial.schema import Analysis

DEFAULTS = Analysis().model_dump()
TABLE = {"first": run.Notebook(None), "second": run.Notebook("responders"),
         "third": run.Notebook("biomarkers")}
TRIAL = Path(__file__).with_name("tiny.yaml").read_text("utf-8")
DATA = "id,arm,pain0,pain1\n" + "".join(
    f"p{i},{'AB'[i % 2]},{4 + i % 5},{1 + (i * 3) % 7}\n" for i in range(12))
NOTEBOOK = """\
# %% [markdown]
# # The {name} notebook

# %% tags=["parameters"]
trial = "params/mair.yaml"  # a trial file
out = None
{key} = {default!r}

# %%
from pathlib import Path

from mair import results
from mair.results import Rows
from mair.trial import load

t = load(trial, {key}={key})
rows = Rows("{name}")
rows.add("pain", "A", n=t.n("A"), {key}={key})
share = t.sections["responders"][0]["reductions"] if "{name}" == "second" else None
results.save(rows.frame(), out, "{name}")
if out:
    (Path(out) / "tables").mkdir()
    (Path(out) / "tables" / "{name}.csv").write_text("n\\n{{}}\\n".format(t.n()))
t.n()
"""


def _write(folder: Path) -> Path:
    """A trial and three notebooks; returns the trial file."""
    (folder / "notebooks").mkdir(parents=True)
    for name, key in (("first", "seed"), ("second", "draws"), ("third", "seed")):
        text = NOTEBOOK.format(name=name, key=key, default=DEFAULTS[key])
        (folder / "notebooks" / f"{name}.py").write_text(text)
    (folder / "people.csv").write_text(DATA)
    (folder / "tiny.yaml").write_text(TRIAL)
    return folder / "tiny.yaml"


def _run(folder: Path, out: Path, trial: str = "tiny.yaml") -> list[str]:
    lines: list[str] = []
    run.run(folder / trial, out, notebooks=folder / "notebooks", table=TABLE, echo=lines.append)
    return lines


def _state(out: Path) -> dict:
    """Content and modification time of every file and directory."""
    return {p.relative_to(out).as_posix(): (p.stat().st_mtime_ns, p.is_file() and sha256(p))
            for p in [out, *out.rglob("*")]}


def _results(out: Path) -> dict:
    """Hashes of what may not depend on where a trial lies, and the names of the rest."""
    placed = (".html", ".ipynb", "manifest.json")
    return {name: name.endswith(placed) or sha256(out / name) for name in files(out)}


def _executed(capsys) -> set[str]:
    """Notebooks that the progress lines name."""
    printed = capsys.readouterr().out.splitlines()
    return {line.split()[1] for line in printed if line.startswith("[")}


@pytest.fixture(scope="module")
def made(tmp_path_factory, server):
    """One run in a folder with a space, braces and letters that are not ASCII."""
    folder = tmp_path_factory.mktemp("räum {e} x")
    _write(folder)
    home = folder / "home"
    home.mkdir()
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(home)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(execute, "Server", server)  # with that home from its start
            lines = _run(folder, folder / "build" / "tiny")
    finally:
        os.environ["HOME"] = before or ""
    return folder, lines


@pytest.fixture
def copy(made, tmp_path):
    """A copy of that run, to change."""
    folder = tmp_path / "copy"
    shutil.copytree(made[0], folder)
    return folder


@pytest.fixture
def out(copy):
    """The output in that copy."""
    return copy / "build" / "tiny"


def test_a_run_is_whole(made):
    folder, lines = made
    out = folder / "build" / "tiny"
    assert files(out) == [
        "check/check.R", "check/check.sps", "index.html", "manifest.json",
        "notebooks/first.ipynb", "notebooks/second.ipynb", "results.csv", "rows/first.csv",
        "rows/second.csv", "tables/checklist.csv", "tables/checklist.docx", "tables/first.csv",
        "tables/manuscript.docx", "tables/second.csv"]
    assert lines[-1].endswith("index.html")
    assert sorted(p.name for p in out.parent.iterdir()) == ["tiny"]
    assert (out / "results.csv").read_text().splitlines() == [
        "analysis,variable,arm,time,method,statistic,value",
        "first,pain,A,,,n,6", "first,pain,A,,,seed,7",
        "second,pain,A,,,n,6", "second,pain,A,,,draws,10000"]
    assert out.stat().st_mode & 0o777 == 0o777 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_page_says_what_was_left_out(made):
    html = (made[0] / "build" / "tiny" / "index.html").read_text()
    assert "<strong>third</strong>: the trial file has no section biomarkers." in html
    assert "The first notebook" in html


def test_the_manifest_holds_hashes_of_everything(made):
    out = made[0] / "build" / "tiny"
    manifest = json.loads((out / "manifest.json").read_text())
    assert set(manifest["outputs"]) == set(files(out)) - {"manifest.json"}
    assert all(sha256(out / name) == claimed for name, claimed in manifest["outputs"].items())
    assert set(manifest["inputs"]) == {"./tiny.yaml", "./people.csv"}
    assert manifest["seed"] == 7
    assert manifest["parameters"]["injected"] == {"first": {"seed": 7}, "second": {"draws": 10000}}
    assert "numpy" in manifest["packages"]
    code = {"mair/trial/__init__.py", "mair/run/plan.py", *(
        path.relative_to(ROOT).as_posix() for path in (ROOT / "mair" / "report").glob("*.*"))}
    assert code <= set(manifest["code"])


def test_executed_notebooks_name_neither_staging_nor_time(made):
    out = made[0] / "build" / "tiny"
    node = nbformat.read(out / "notebooks" / "first.ipynb", as_version=4)
    text = (out / "notebooks" / "first.ipynb").read_text()
    assert "staging" not in text and "papermill" not in text and "execution" not in [
        *node.metadata, *(key for cell in node.cells for key in cell.metadata)]
    injected = next(c for c in node.cells if "injected-parameters" in c.metadata.get("tags", []))
    assert "out = None" in injected.source and "seed = 7" in injected.source
    assert [cell["id"] for cell in node.cells] == [f"first-{i:03d}" for i in range(4)]
    assert node.metadata["kernelspec"]["name"] == "python3"


def test_nothing_is_written_to_the_users_home(made):
    found = files(made[0] / "home")
    assert [name for name in found if not name.startswith(".cache/matplotlib/")] == []


def test_an_unchanged_rerun_writes_nothing(made, capsys):
    out = made[0] / "build" / "tiny"
    before = _state(out.parent)
    lines = _run(made[0], out)
    assert _state(out.parent) == before
    assert lines == made[1][-1:]
    assert _executed(capsys) == set()


def test_a_second_run_elsewhere_is_equal_to_the_byte(made, tmp_path, capsys):
    _run(made[0], tmp_path / "other")
    first = made[0] / "build" / "tiny"
    assert {n: sha256(tmp_path / "other" / n) for n in files(first)} == {
        n: sha256(first / n) for n in files(first)}


@pytest.fixture
def told(monkeypatch):
    """The making of documents says so, as a notebook does."""
    made = assembly.documents
    monkeypatch.setattr(assembly, "documents", lambda *given: print("[0] documents", made(*given)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("tables/first.csv", {"first"}), ("index.html", set()), ("results.csv", set()),
     ("tables/manuscript.docx", {"documents"}), ("check/check.R", {"documents"})],
)
@pytest.mark.parametrize("how", ["deleted", "altered"])
def test_an_output_that_was_lost_is_restored(copy, out, capsys, told, name, expected, how):
    before = _results(out)
    if how == "deleted":
        (out / name).unlink()
    else:
        (out / name).write_text("altered")
    _run(copy, out)
    assert _results(out) == before
    assert Build(out).whole
    assert _executed(capsys) == expected


def test_an_altered_manifest_counts_as_no_manifest_but_stays_ours(copy, out, capsys):
    before = _results(out)
    text = (out / "manifest.json").read_text().replace('"seed": 7', '"seed": 8', 1)
    (out / "manifest.json").write_text(text)
    _run(copy, out)
    assert _results(out) == before
    assert Build(out).manifest["seed"] == 7


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(("file", "old", "new", "expected"), [
    ("tiny.yaml", "seed: 7", "seed: 8", {"first", "documents"}),
    ("tiny.yaml", "seed: 7", "seed: 7, draws: 50", {"second", "documents"}),
    ("tiny.yaml", "reductions: [0.5]", "reductions: [0.4]", {"second", "documents"}),
    ("tiny.yaml", "difference: 2", "difference: 3", {"documents"}),
    ("tiny.yaml", "A tiny trial", "A small trial", {"documents"}),
    ("tiny.yaml", "seed: 7}", "seed: 7}  # a comment", {"documents"}),
    ("people.csv", "p3,B,7,3", "p3,B,7,4", {"documents"}),
    ("people.csv", "p3,B,7,3", "p3,A,7,3", {"first", "second", "documents"}),
    ("notebooks/second.py", "# The second", "# Also the second", {"second"}),
    ("notebooks/second.py", 'n=t.n("A")', 'n=t.n("B") - 1', {"second", "documents"}),
    ("notebooks/second.py", ".format(t.n())", ".format(t.n() + 1)", {"second", "documents"}),
])
def test_a_change_remakes_what_depends_on_it(copy, out, capsys, told, file, old, new, expected):
    """And what is carried over is, to the byte, what a run from nothing writes."""
    _edit(copy / file, old, new)
    before = sha256(out / "index.html")
    _run(copy, out)
    assert _executed(capsys) == expected
    assert sha256(out / "index.html") != before  # at least the inputs' hashes
    _run(copy, copy / "new")
    assert {name: sha256(out / name) for name in files(out)} == {
        name: sha256(copy / "new" / name) for name in files(copy / "new")}


def test_the_documents_are_made_anew_where_the_package_changed(copy, out, capsys, told,
                                                               monkeypatch):
    for module in (run, output):
        monkeypatch.setattr(module, "sha256", lambda path: "other" if (
            path == ROOT / "mair" / "data" / "manuscript.j2") else sha256(path))
    _run(copy, out)
    assert _executed(capsys) == {"documents"}


def test_a_run_analyses_the_bytes_it_certifies(copy, out, capsys):
    """Data edited while notebooks run concern the next run."""
    before = _results(out)
    data = DATA.replace("p3,B", "p3,A")
    _edit(copy / "notebooks" / "first.py", "t = load(",
          f"Path(trial).with_name('people.csv').write_text({data!r})\nt = load(")
    _run(copy, out)
    assert _results(out) == before
    assert _executed(capsys) == {"first"}
    _run(copy, out)
    assert _executed(capsys) == {"first", "second"}
    assert _results(out) != before


def test_a_failed_notebook_leaves_the_earlier_output_and_is_kept(copy, out, capsys):
    before = _state(out)
    _edit(copy / "notebooks" / "first.py", "t.n()\n", "t.n() / 0\n")
    with pytest.raises(run.RunFailed) as caught:
        _run(copy, out)
    failed = out.with_name("tiny.failed")
    kept = failed / "first.ipynb"
    assert caught.value.problems == [
        f"notebook first failed: ZeroDivisionError: division by zero; kept at {kept}",
        f"the report without it is {failed / 'index.html'}; what was in {out} is as it was"]
    assert "ZeroDivisionError" in kept.read_text()
    page = (failed / "index.html").read_text()
    assert "<strong>first</strong>: it failed" in page and "The second notebook" in page
    assert "The first notebook" not in page and "ZeroDivisionError" not in page
    assert {"tables/second.csv", "notebooks/second.ipynb"} <= {*files(failed)}
    assert not {"tables/first.csv", "rows/first.csv"} & {*files(failed)}
    (failed / "mine.txt").write_text("a reader's own")
    assert _state(out) == before
    assert sorted(p.name for p in out.parent.iterdir()) == ["tiny", "tiny.failed"]
    _edit(copy / "notebooks" / "first.py", "t.n() / 0\n", "t.n()\n")
    _run(copy, out)
    assert _state(out) == before  # the repaired notebook is the one that ran
    _edit(copy / "notebooks" / "first.py", "t.n()\n", "t.n() + 1\n")
    _run(copy, out)
    assert files(failed) == ["mine.txt"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_ends_its_kernels_and_leaves_the_output(copy, out, number):
    before, told = _state(out), copy / "pid"
    _edit(copy / "notebooks" / "first.py", "t.n()\n", "import os, time\n"
          f"Path({str(told)!r}).write_text(str(os.getpid())); time.sleep(60)\n")
    process = subprocess.Popen(  # a background job's children are born deaf to SIGINT: not this
        [sys.executable, "-c", RUN, copy, out], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    while not told.is_file() or not told.read_text():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    said = process.communicate(timeout=30)[0]
    assert "failed" not in said and _state(out) == before
    for _ in range(200):
        if not Path(f"/proc/{told.read_text()}").exists():
            break
        time.sleep(0.05)
    else:
        pytest.fail("the kernel is still there")


@pytest.mark.parametrize(("name", "old", "new", "said"), [
    ("first", "t.n()\n", "import os; os._exit(1)\n", "notebook first failed: DeadKernelError"),
    ("second", '/ "second.csv")', '/ "first.csv")',
     "^tables/first.csv is written by notebook second and by first$"),
    ("second", 'Rows("second")', 'Rows("first")',
     "first and second both write the row first,pain,A,,,n"),
    ("first", "t.n()\n", "from IPython.display import HTML\nHTML('<img src=\"data:,\">')\n",
     r"first\.py, cell 4 shows a picture without a text"),
])
def test_a_run_that_fails_says_why_and_leaves_the_earlier_output(copy, out, capsys, name, old, new,
                                                                 said):
    before = _state(out)
    _edit(copy / "notebooks" / f"{name}.py", old, new)
    with pytest.raises(run.RunFailed, match=said):
        _run(copy, out)
    assert _state(out) == before


@pytest.mark.parametrize("content", ["notes", '{"name": "an app"}'])
def test_a_directory_that_is_not_ours_is_refused(made, tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    before = _state(tmp_path)
    with pytest.raises(TrialError, match=r"is not empty and holds no manifest\.json of ours"):
        _run(made[0], tmp_path)
    assert _state(tmp_path) == before


def test_a_readers_own_files_and_neighbours_survive(copy, out, capsys):
    mine = out / "my" / "notes.txt", out.with_name(".tiny.old") / "diary"
    for path in mine:
        path.parent.mkdir()
        path.write_text("mine")
    (out / "index.html").unlink()
    _run(copy, out)
    assert [path.read_text() for path in mine] == ["mine", "mine"]
    assert (out / "index.html").is_file()


def test_what_an_interrupted_run_left_is_cleared_up(copy, out, capsys):
    before = _state(out)
    stale = out.with_name(".tiny.staging-x")
    (stale / "parts").mkdir(parents=True)
    out.rename(stale / "old")  # killed between the two renames of a swap
    _run(copy, out)
    assert not stale.exists()
    assert _state(out) == before
    assert sorted(p.name for p in out.parent.iterdir()) == ["tiny"]


def test_an_output_half_removed_leaves_nothing_in_the_new_one(copy, out, capsys):
    """Killed while the replaced output was removed: its manifest went first."""
    shutil.copytree(out, old := out.with_name(".tiny.staging-x") / "old")
    (old / "manifest.json").unlink()
    (old / "tables" / "stray.csv").write_text("of the old run")
    (out / "index.html").unlink()
    _run(copy, out)
    assert "tables/stray.csv" not in files(out) and not old.exists()


def test_two_runs_into_one_folder_wait_for_one_another(made, tmp_path, capfd):
    command = [sys.executable, "-c", RUN, made[0], tmp_path / "one"]
    both = [subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
            for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("waiting for another run into it" in text for text in said) == 1
    assert sum("[1/2]" in text for text in said) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one"] and Build(tmp_path / "one").whole


RUN = """
import sys
import time
from pathlib import Path
sys.path.insert(0, {tests!r})
from run.test_run import _run
print(*_run(Path(sys.argv[1]), Path(sys.argv[2])), sep="\\n")
""".format(tests=str(ROOT / "tests"))


def test_published_numbers_without_data_make_the_audit_alone(tmp_path, capsys):
    (tmp_path / "p.csv").write_text(
        "analysis,variable,arm,time,method,statistic,printed,source,note\n"
        "nnt,pain,A,,,n,6,table 1,\n")
    (tmp_path / "audit.yaml").write_text(
        "published: p.csv\narm: {column: arm, control: A, treatment: B}\n"
        "visits: [before, after]\noutcomes:\n  pain: {columns: [a, b]}\n")
    out, lines, again = tmp_path / "out", [], []
    run.run(tmp_path / "audit.yaml", out, echo=lines.append)
    assert lines[-1] == "1 printed: 0 of 0 follow from one another"
    assert files(out) == [
        "index.html", "manifest.json", "notebooks/audit.ipynb", "results.csv", "rows/audit.csv",
        "tables/audit.xlsx", "tables/consistency.csv", "tables/consistency.docx",
        "tables/letter.docx", "tables/published_vs_recomputed.csv",
        "tables/published_vs_recomputed.docx", "tables/worksheet.csv", "tables/worksheet.docx"]
    assert "the trial file has no data" in (out / "index.html").read_text()
    run.run(tmp_path / "audit.yaml", out, echo=again.append)
    assert again == lines


def test_a_full_disk_is_one_line(copy, out, capsys, monkeypatch):
    before = _state(out)
    _edit(copy / "tiny.yaml", "seed: 7", "seed: 8")

    def full(*_):
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")])

    monkeypatch.setattr(run, "report", full)
    with pytest.raises(run.RunFailed) as caught:
        _run(copy, out)
    assert caught.value.problems == [
        f"{out.parent}: no space left on device; what was in {out} is as it was"]
    assert _state(out) == before and sorted(p.name for p in out.parent.iterdir()) == ["tiny"]


def test_a_lock_and_a_blinded_run_are_noticed(copy, out, capsys):
    before = _results(out)
    locked.lock(copy / "tiny.yaml")
    _run(copy, out)
    assert _executed(capsys) == set() and "are as they were" in (out / "index.html").read_text()
    run.run(copy / "tiny.yaml", out, blind=True, notebooks=copy / "notebooks", table=TABLE)
    assert _executed(capsys) == {"first", "second"} and Build(out).manifest["blinded"]
    assert "<h1>BLINDED: A tiny trial" in (out / "index.html").read_text()
    _run(copy, out)
    assert _executed(capsys) == {"first", "second"} and _results(out) == before


def test_a_bad_parameters_cell_stops_the_run_before_it_starts(copy, out, capsys):
    _edit(copy / "notebooks" / "first.py", "seed = 2020", "seed = 2021")
    before = _state(copy / "build")
    with pytest.raises(TrialError, match=r"notebooks/first\.py: parameter `seed` is 2021"):
        _run(copy, out)
    assert _executed(capsys) == set()
    assert _state(copy / "build") == before


# Progress and the command


def test_progress_is_plain_lines_outside_a_terminal():
    plain, live = io.StringIO(), io.StringIO()
    live.isatty = lambda: True
    for stream in (plain, live):
        progress = execute.Progress(2, stream)
        progress.started("flow")
        progress.started("nnt")
        progress.finished("flow", 1.34)
    assert plain.getvalue() == "[1/2] flow 1.3 s\n"
    assert "[0/2] running flow, nnt" in live.getvalue()
    assert live.getvalue().endswith("\r\x1b[K[1/2] flow 1.3 s\n[1/2] running nnt")


def _command(*arguments, cwd=ROOT):
    return subprocess.run([sys.executable, "-m", "mair", *map(str, arguments)],
                          cwd=cwd, capture_output=True, text=True, check=False)


def test_bad_input_is_lines_on_stderr_and_status_2(tmp_path):
    _write(tmp_path)
    _edit(tmp_path / "tiny.yaml", "responders:", "respondents:")
    _edit(tmp_path / "tiny.yaml", "seed: 7", "seed: many")
    done = _command("run", tmp_path / "tiny.yaml", "--out", tmp_path / "out")
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and done.stdout == ""
    assert len(lines) == 2 and all("tiny.yaml" in line for line in lines)
    assert not (tmp_path / "out").exists()


def test_the_package_imports_quickly():
    """Heavy packages load when they are used, so that an unchanged rerun stays short."""
    code = "import sys, mair.__main__, mair.run.plan; print([m for m in ('pandas', 'jupytext', " \
           "'nbformat', 'matplotlib', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_check_says_what_would_be_analysed_and_runs_nothing(tmp_path):
    trial = _write(tmp_path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = _command("check", trial, cwd=tmp_path)  # of the processor's time, however busy it is
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 10
    assert (done.returncode, done.stderr) == (0, "")
    assert {"arm: A, A, n = 6", "outcomes: pain, primary", "  after: A 6 of 6, B 6 of 6",
            "covariates: none"} <= set(done.stdout.splitlines())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notebooks", "people.csv", "tiny.yaml"]
    _edit(trial, "responders:", "respondents:")
    done = _command("check", trial)
    assert done.returncode == 2 and "did you mean responders?" in done.stderr


def test_a_comparison_names_rows_that_differ_and_writes_a_page(made, tmp_path):
    ours = made[0] / "build" / "tiny"
    for name, rows in (("a", "x,p,A,,,n,1\nx,p,B,,,n,2\n"), ("b", "x,p,A,,,n,1\nx,p,B,,,n,3\n"
                                                            "x,<p>,B,,,m,\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.csv").write_text(",".join(COLUMNS) + "\n" + rows)
    done = _command("compare", tmp_path / "a", tmp_path / "b")
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == ["x,p,B,,,n: 2 | 3",
                                            "x,<p>,B,,,m: no such row | empty"]
    assert "&lt;p&gt;" in (tmp_path / "b.compared.html").read_text()
    assert "0 rows differ" in _command("compare", ours, ours).stdout
    ours.with_name("tiny.compared.html").unlink()
    done = _command("compare", ours, tmp_path / "none")
    assert done.returncode == 2 and "holds no results.csv" in done.stderr
