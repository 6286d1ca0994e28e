"""Papermill over text notebooks: private kernels, several at once, nothing left to chance or clock.

The kernels run this interpreter whatever kernelspecs the user has, write nothing to the
user's home, and use one BLAS thread each, so sums do not depend on the machine's cores.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mair.run.notebook import Source, quick_jupyter

KERNEL = "mair-run"
KERNEL_ENV = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
# What a reader's JupyterLab knows the interpreter of an executed notebook by.
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


@dataclass(frozen=True)
class Task:
    """One notebook to run: what is injected, and how the executed copy shows it.

    ``shown`` maps a parameter to the value that the executed notebook holds afterwards, so
    that it names no staging directory and can be run again by hand.
    """

    source: Source
    parameters: dict
    shown: dict


@dataclass(frozen=True)
class Failure:
    """A notebook that raised: its name, the error's last line, the copy kept for reading."""

    name: str
    error: str
    notebook: Path | None


class Progress:
    """One plain line a finished notebook; in a terminal also a live line of what is running."""

    def __init__(self, total: int, stream=None):
        self.total, self.done = total, 0
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty()
        self.started = time.monotonic()

    def running(self, names) -> None:
        """Redraw the live line."""
        if self.live and names:
            seconds = time.monotonic() - self.started
            line = f"[{self.done}/{self.total}] running {', '.join(names)} {seconds:.0f} s"
            self.stream.write(f"\r\x1b[K{line}")
            self.stream.flush()

    def finished(self, name: str, seconds: float, failed: bool = False) -> None:
        """Say that one notebook is done."""
        self.done += 1
        clear = "\r\x1b[K" if self.live else ""
        state = " failed" if failed else ""
        self.stream.write(f"{clear}[{self.done}/{self.total}] {name}{state} {seconds:.1f} s\n")
        self.stream.flush()


def run(tasks: list[Task], folder: Path, progress: Progress) -> tuple[dict, list[Failure]]:
    """Execute notebooks, at most as many at once as there are cores.

    Parameters
    ----------
    tasks : list of Task
    folder : Path
        For scratch files and the copies of failed notebooks.
    progress : Progress

    Returns
    -------
    dict of str to nbformat.NotebookNode
        Executed notebooks by name, with deterministic cell ids and no trace of time or place.
    list of Failure
        After the first, no further notebook is started.
    """
    executed: dict = {}
    failures: list[Failure] = []
    with _private_jupyter(folder), ThreadPoolExecutor(_cores()) as pool:
        started: dict = {}
        pending = {pool.submit(_timed, task, folder, started): task for task in tasks}
        try:
            while pending:
                done, _ = wait(pending, timeout=0.2 if progress.live else None,
                               return_when=FIRST_COMPLETED)
                for future in done:
                    task = pending.pop(future)
                    if future.cancelled():
                        continue
                    outcome, seconds = future.result()
                    failed = isinstance(outcome, Failure)
                    progress.finished(task.source.name, seconds, failed)
                    if failed:
                        failures.append(outcome)
                        for other in list(pending):
                            if other.cancel():
                                del pending[other]
                    else:
                        executed[task.source.name] = outcome
                progress.running([t.source.name for t in pending.values()
                                  if t.source.name in started])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return executed, failures


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _private_jupyter(folder: Path):
    """A kernelspec of our own ahead of the user's, and no Jupyter file outside ``folder``."""
    spec = folder / "jupyter" / "kernels" / KERNEL
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}",
            "--IPKernelApp.log_level=50", "--HistoryManager.enabled=False"]
    content = {"argv": argv, "display_name": KERNELSPEC["display_name"], "language": "python",
               "env": {**KERNEL_ENV, "IPYTHONDIR": str(folder / "ipython")}}
    (spec / "kernel.json").write_text(json.dumps(content), encoding="utf-8")
    ours = {
        "JUPYTER_PATH": os.pathsep.join(
            [str(folder / "jupyter"), *filter(None, [os.environ.get("JUPYTER_PATH")])]
        ),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _timed(task: Task, folder: Path, started: dict):
    """Outcome of one notebook and the seconds it took."""
    quick_jupyter()
    from jupyter_core.utils import ensure_event_loop

    started[task.source.name] = start = time.monotonic()
    try:
        return _execute(task, folder), time.monotonic() - start
    finally:
        ensure_event_loop().close()  # nbclient leaves this thread's loop open


def _execute(task: Task, folder: Path):
    """The executed notebook, or a Failure."""
    quick_jupyter()
    import logging

    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    # Papermill's own look at the parameters is a regular expression; ours has been done.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    name = task.source.name
    # Papermill reads braces in a path as fields; the scratch name has none to read.
    scratch = folder / f"{name}.ipynb"
    encrypted = {"transport_encryption": "auto"}
    try:
        node = papermill.execute_notebook(
            copy.deepcopy(task.source.node),
            str(scratch).replace("{", "{{").replace("}", "}}"),
            parameters=task.parameters,
            kernel_name=KERNEL,
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            record_timing=False,
            shutdown_kernel="immediate",
            config=Config({"AsyncKernelManager": encrypted, "KernelManager": encrypted}),
        )
    except PapermillExecutionError as error:
        lines = f"{error.ename}: {error.evalue}".strip().splitlines()
        return Failure(name, lines[-1] if len(lines) == 1 else f"{lines[0]} … {lines[-1]}",
                       _tidy_file(scratch, task))
    except Exception as error:  # a kernel that died, or would not start
        lines = str(error).strip().splitlines() or [""]
        return Failure(name, f"{type(error).__name__}: {lines[-1]}", _tidy_file(scratch, task))
    return scrub(node, task)


def _tidy_file(path: Path, task: Task) -> Path | None:
    """Scrub a notebook that Papermill left on failing."""
    import nbformat

    if not path.is_file():
        return None
    node = nbformat.read(path, as_version=4)
    nbformat.write(scrub(node, task), path)
    return path


def scrub(node, task: Task):
    """Make an executed notebook depend on nothing but its source, parameters and results.

    Parameters
    ----------
    node : nbformat.NotebookNode
        Changed in place and returned.
    task : Task
        Whose ``shown`` values replace the injected ones in the source.
    """
    from papermill.translators import PythonTranslator

    node.metadata.clear()
    node.metadata.update({"kernelspec": dict(KERNELSPEC), "language_info": {"name": "python"}})
    for index, cell in enumerate(node.cells):
        cell["id"] = f"{task.source.name}-{index:03d}"
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            lines = cell.source.splitlines()
            for name, value in task.shown.items():
                text = f"{name} = {PythonTranslator.translate(value)}"
                lines = [text if line.startswith(f"{name} = ") else line for line in lines]
            cell.source = "\n".join(lines)
    return node
