"""`make lab` as a reader uses it: a double click opens a notebook, Run All passes, a save is clean.

The Makefile's own recipe runs, in a copy of the files that JupyterLab sees, so that nothing here
can change the repository; the package is the installed one.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import matplotlib
import pytest

from mair.run import notebook
from mair.run import plan as run
from mair.trial import load
from mair.trial.errors import ROOT

pytestmark = pytest.mark.browser
NAMES = sorted({*run.NOTEBOOKS} - {"one_visit"})  # nothing of the default trial is seen once
TOKEN = "only-for-this-test"
COPIED = ("Makefile", "pyproject.toml", "requirements.lock", ".jupyter", "notebooks", "params")
START, LOAD, EXECUTE = 60, 60_000, 240  # seconds, milliseconds, seconds: for a busy machine


@dataclass
class Lab:
    """A JupyterLab that runs, its page in the browser, and what the page asked the server."""

    root: Path
    url: str
    home: Path
    tab: object = None
    asked: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)

    def panel(self, name: str):
        """The open document of a notebook, whatever it opened in."""
        return self.tab.locator(f"#{self.tab_of(name)}")

    def tab_of(self, name: str) -> str:
        label = self.tab.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text=f"{name}.py")
        return label.get_attribute("data-id", timeout=LOAD)

    def show(self, name: str) -> None:
        self.tab.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text=f"{name}.py").click()

    def menu(self, menu: str, entry: str) -> None:
        """Choose from the menu bar."""
        self.tab.locator(".lm-MenuBar-item", has_text=re.compile(f"^{menu}$")).click()
        self.tab.locator(".lm-Menu-item", has_text=re.compile(f"^{entry}")).first.click()

    def cells(self, name: str) -> list[dict]:
        """The notebook's cells with their outputs, from JupyterLab's own model."""
        return self.tab.evaluate(CELLS, f"notebooks/{name}.py")

    def save(self) -> None:
        """Save the document that is shown, and wait until the server has it."""
        with self.tab.expect_response(lambda r: r.request.method == "PUT") as saved:
            self.tab.keyboard.press("Control+s")
        assert saved.value.ok


READY, CELLS, UNSAVED = Path(__file__).with_name("lab.js").read_text("utf-8").split("\n\n")


def _copy(folder: Path) -> Path:
    """What JupyterLab reads of the repository, in a folder with a space and a letter more."""
    root = folder / "my trïal"
    root.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__", "*.ipynb")
            shutil.copytree(source, root / name, ignore=ignored)
        else:
            shutil.copy(source, root / name)
    (root / ".venv").symlink_to(sys.prefix)
    return root


def _environment(home: Path) -> dict[str, str]:
    """The user's, without Jupyter's variables, and with another home."""
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith(("JUPYTER", "IPYTHON", "XDG_", "PYTEST", "MAKE", "MFLAGS"))}
    # The fonts' list of Matplotlib takes seconds to make, so the one at hand is used.
    return {**kept, "HOME": str(home), "MPLCONFIGDIR": matplotlib.get_cachedir()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _get(url: str, method: str = "GET"):
    request = Request(url, method=method, headers={"Authorization": f"token {TOKEN}"})
    with urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def _started(process, url: str, log: Path) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        try:
            _get(f"{url}/api/status")
            return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(f"make lab did not start:\n{log.read_text()}")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """`make lab`, without a browser of its own and without the set-up of .venv."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    folder = tmp_path_factory.mktemp("lab")
    root, home, log = _copy(folder), folder / "home", folder / "log"
    home.mkdir()
    port = _free_port()
    arguments = (f"--no-browser --port={port} --ServerApp.port_retries=0 --expose-app-in-browser "
                 f"--IdentityProvider.token={TOKEN}")
    # -o: set-up counts as done; and should it run all the same, it finds no Python to do it with
    command = ["make", "-o", "setup", "lab", f"LAB_ARGS={arguments}", "PYTHON=false"]
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=root, env=_environment(home), stdout=output,
                                   stderr=output, start_new_session=True)
    try:
        _started(process, url, log)
        yield Lab(root, url, home)
        _get(f"{url}/api/shutdown", "POST")
        process.wait(20)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def lab(browser, server) -> Lab:
    """The page that `make lab` opens, in a new browser."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})

    def answer(route):
        url = route.request.url
        server.asked.append(url.removeprefix(server.url))
        if url.startswith(server.url):
            route.continue_()
        else:
            server.abroad.append(url)
            route.abort()

    context.route("**/*", answer)
    server.tab = context.new_page()
    server.tab.set_default_timeout(LOAD)
    server.tab.goto(f"{server.url}/?token={TOKEN}")
    server.tab.locator("#jupyterlab-splash").wait_for(state="detached")
    server.tab.locator(".jp-DirListing-item").first.wait_for()
    return server


@pytest.fixture(scope="module")
def opened(lab) -> Lab:
    """Each notebook after a double click in the file browser."""
    for name in NAMES:
        lab.tab.locator(".jp-DirListing-item", has_text=f"{name}.py").dblclick()
        lab.tab.wait_for_function(READY, arg=f"notebooks/{name}.py")
    return lab


@pytest.fixture(scope="module")
def executed(opened) -> dict[str, list[dict]]:
    """The cells of each notebook after Run > Run All Cells, all kernels at work at once."""
    for name in NAMES:
        opened.show(name)
        opened.menu("Run", "Run All Cells")
    end, found = time.monotonic() + EXECUTE, {}
    while len(found) < len(NAMES) and time.monotonic() < end:
        for name in set(NAMES) - found.keys():
            code = [c for c in opened.cells(name) if c["cell_type"] == "code"]
            if _errors(code) or all(cell["execution_count"] for cell in code):
                found[name] = code
        time.sleep(0.2)
    assert found.keys() == set(NAMES), "Run All did not end"
    return found


def _errors(cells: list[dict]) -> list[str]:
    """Tracebacks, and whatever was written to stderr."""
    outputs = [output for cell in cells for output in cell["outputs"]]
    return [o.get("evalue") or o["text"] for o in outputs
            if o["output_type"] == "error" or o.get("name") == "stderr"]


def test_it_starts_with_the_notebooks_in_the_order_of_the_argument(lab):
    assert lab.tab.url.startswith(f"{lab.url}/lab/tree/notebooks")
    page = lab.tab.locator(".jp-MarkdownViewer .jp-RenderedMarkdown")
    page.locator("h1").wait_for()
    assert page.locator("table a").all_inner_texts() == list(run.NOTEBOOKS)
    listed = lab.tab.locator(".jp-DirListing-item .jp-DirListing-itemText").all_inner_texts()
    assert sorted(text.strip() for text in listed) == sorted(
        ["index.md", *(f"{name}.py" for name in run.NOTEBOOKS)])
    above = lab.tab.locator(".jp-BreadCrumbs-item").all_inner_texts()
    assert "notebooks" in above


def test_a_double_click_opens_a_notebook(opened):
    for name in NAMES:
        kind = opened.panel(name).get_attribute("class")
        assert "jp-NotebookPanel" in kind, name
        cells = opened.cells(name)
        assert [c["cell_type"] for c in cells[:2]] == ["markdown", "code"]
        assert "parameters" in cells[1]["metadata"]["tags"]
    opened.tab.wait_for_function(f"!({UNSAVED})().length")  # the kernel told its version: saved
    assert opened.tab.locator(".jp-FileEditor").count() == 0
    assert opened.tab.locator(".jp-Dialog").count() == 0  # as a choice of kernel would be


def test_run_all_passes(executed):
    for name, cells in executed.items():
        assert _errors(cells) == [], name
        counts = [cell["execution_count"] for cell in cells]
        assert counts == list(range(1, len(cells) + 1)), name
        shown = {kind for cell in cells for output in cell["outputs"]
                 for kind in output.get("data", {})}
        assert "text/html" in shown, name


def test_by_hand_the_tables_are_those_of_the_run(executed, built):
    """By hand as in the run, to the byte, where the trial file declares the cell's choices;
    where it declares others, a line says so."""
    chosen = vars(load(ROOT / "params" / "mair.yaml"))["analysis"]
    declared, defaults = chosen.model_dump(), type(chosen)().model_dump()
    told = set()
    for name, cells in executed.items():
        node = json.loads((built / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
        own = notebook.read(ROOT / "notebooks" / f"{name}.py", defaults).parameters
        if any(value != declared[key] for key, value in own.items() if key in declared):
            assert "Analysed here with" in json.dumps(cells), name
            told.add(name)
        else:
            assert _tables(cells) == _tables(node["cells"]) != [], name
    assert told == {"biomarkers", "nnt", "outcomes", "power", "robustness"}


def _tables(cells: list[dict]) -> list[str]:
    """The HTML of the tables that cells show."""
    found = []
    for output in (o for cell in cells for o in cell.get("outputs", [])):
        html = output.get("data", {}).get("text/html", "")
        html = html if isinstance(html, str) else "".join(html)
        if "<table" in html:
            found.append(html)
    return found


def test_a_save_changes_nothing_and_an_edit_one_line(opened, executed):
    for name in NAMES:
        opened.show(name)
        opened.save()
        path = opened.root / "notebooks" / f"{name}.py"
        assert path.read_bytes() == (ROOT / "notebooks" / f"{name}.py").read_bytes(), name
        opened.tab.wait_for_function(f"!({UNSAVED})().length")
    before = path.read_text(encoding="utf-8").splitlines()
    editor = opened.panel(name).locator(".jp-CodeCell .cm-line", has_text="confidence = 0.95")
    edited = opened.panel(name).locator(".jp-CodeCell .cm-line", has_text="0.95e9")
    for _ in range(5):  # a busy machine may still be drawing the cell when it is clicked
        editor.first.scroll_into_view_if_needed()
        editor.first.click()
        opened.tab.wait_for_timeout(300)
        opened.tab.keyboard.press("Home")
        for _ in "confidence = 0.95":
            opened.tab.keyboard.press("ArrowRight")
        opened.tab.keyboard.type("e9")
        opened.tab.wait_for_timeout(300)
        if edited.count():
            break
    opened.save()
    after = path.read_text(encoding="utf-8").splitlines()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert [b for _, b in changed] == ["confidence = 0.95e9" + changed[0][0][17:]]
    _a_wrong_value_is_answered_by_its_line_alone(opened, name)


def _a_wrong_value_is_answered_by_its_line_alone(lab, name):
    lab.menu("Run", "Run All Cells")
    for _ in range(EXECUTE):
        cells = [cell for cell in lab.cells(name) if cell["cell_type"] == "code"]
        if found := [one for cell in cells for one in cell["outputs"]
                     if one["output_type"] == "error"]:
            break
        lab.tab.wait_for_timeout(200)
    assert [one["traceback"] for one in found] == [[
        "given by hand: analysis.confidence: 950000000, expected a number below 1"]]


def test_closing_asks_nothing(opened, executed):
    """The last one was edited: a moment later that is saved, too."""
    for name in NAMES:
        opened.show(name)
        opened.tab.wait_for_function(f"!({UNSAVED})().length")
        opened.menu("File", "Close Tab")
        opened.tab.wait_for_timeout(200)
        assert opened.tab.locator(".jp-Dialog").count() == 0, name
    assert opened.tab.locator(".jp-NotebookPanel").count() == 0


def test_it_wrote_nothing_else(opened, executed):
    new = {path.relative_to(opened.root).as_posix()
           for name in ("notebooks", "params", ".jupyter")
           for path in (opened.root / name).rglob("*") if path.is_file()}
    old = {path.relative_to(ROOT).as_posix() for name in ("notebooks", "params", ".jupyter")
           for path in (ROOT / name).rglob("*") if path.is_file()}
    assert {name for name in new - old if ".ipynb_checkpoints" not in name} == set()
    assert not (opened.root / "build").exists()


def test_no_news_and_nothing_from_abroad(opened, executed):
    assert opened.abroad == []
    assert [path for path in opened.asked if re.match(r"/lab/api/(news|update)", path)] == []
    assert opened.tab.locator(".Toastify__toast").count() == 0
