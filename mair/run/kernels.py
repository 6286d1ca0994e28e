"""Papermill over text notebooks: private kernels, several at once, nothing left to chance or clock.

The kernels run this interpreter whatever kernelspecs the user has, write nothing to the
user's home, and use one BLAS thread each, so sums do not depend on the machine's cores.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mair.run.kernel import RECORD
from mair.run.notebook import Source
from mair.trial.errors import HANDED

KERNEL_ENV = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}
LONGEST_SOCKET = 95  # characters of a path; the system takes 104 or more
TRIAL = "trial.pickle"  # in the folder of a run: what `load` gives its kernels
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

    @property
    def name(self) -> str:
        """Of the notebook."""
        return self.source.name

    @property
    def kernel(self) -> str:
        """Of its kernelspec."""
        return f"mair-{self.name}"


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


class Server:
    """The process that forks kernels, from the moment that it is made; a context manager.

    Where the system cannot fork, kernels are started one by one as Jupyter does it.
    """

    def __init__(self):
        self.process, self.used, self.lock = None, False, threading.Lock()
        if hasattr(os, "fork"):
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mair.run.kernel"], text=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, env={**os.environ, **KERNEL_ENV},
            )  # fmt: skip

    def fork(self, arguments: list[str], env: dict, cwd: str) -> int:
        """The process id of a new kernel."""
        with self.lock:
            self.used = True
            task = {"arguments": arguments, "env": env, "cwd": str(cwd)}
            self.process.stdin.write(json.dumps(task) + "\n")
            self.process.stdin.flush()
            return int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process is None:
            return
        self.process.stdin.close()  # its end: it ends the kernels that are left
        if kind is not None or not self.used:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def run(tasks: list[Task], folder: Path, server: Server, folders: list[Path],
        progress: Progress) -> tuple[dict, list[Failure]]:
    """Execute notebooks, at most as many at once as there are cores.

    Parameters
    ----------
    tasks : list of Task
        In the order in which they are started: the longest first.
    folder : Path
        For scratch files, the kernels' records and the copies of failed notebooks.
    server : Server
    folders : list of Path
        A file below these that a notebook reads is in its record.
    progress : Progress

    Returns
    -------
    dict of str to (nbformat.NotebookNode, dict)
        By name, the executed notebook, with deterministic cell ids and no trace of time or
        place, and its record: ``files`` with hashes, ``parts`` of the trial.
    list of Failure
        After the first, no further notebook is started.
    """
    executed: dict = {}
    failures: list[Failure] = []
    with _private_jupyter(tasks, folder, server, folders), ThreadPoolExecutor(_cores()) as pool:
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
                    progress.finished(task.name, seconds, failed)
                    if failed:
                        failures.append(outcome)
                        for other in list(pending):
                            if other.cancel():
                                del pending[other]
                    else:
                        executed[task.name] = outcome
                progress.running([t.name for t in pending.values() if t.name in started])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return executed, failures


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _private_jupyter(tasks, folder: Path, server: Server, folders: list[Path]):
    """Kernelspecs of our own ahead of the user's, and no Jupyter file outside ``folder``."""
    record = {"folders": [str(one) for one in folders], "without": [sys.prefix, str(folder.parent)]}
    env = {**KERNEL_ENV, "IPYTHONDIR": str(folder / "ipython"), RECORD: json.dumps(record),
           HANDED: str(folder / TRIAL)}
    for task in tasks:
        spec = folder / "jupyter" / "kernels" / task.kernel
        spec.mkdir(parents=True)
        content = {
            "argv": [sys.executable, "-m", "mair.run.kernel", str(folder / f"{task.name}.json"),
                     "-f", "{connection_file}", "--IPKernelApp.log_level=50",
                     "--HistoryManager.enabled=False"],
            "display_name": KERNELSPEC["display_name"], "language": "python",
            "env": {name: value.replace("$", "$$") for name, value in env.items()},
        }  # fmt: skip
        if server.process:
            content["metadata"] = {"kernel_provisioner": {"provisioner_name": _forked(server)}}
        (spec / "kernel.json").write_text(json.dumps(content), encoding="utf-8")
    ours = {
        "JUPYTER_PATH": os.pathsep.join(
            [str(folder / "jupyter"), *filter(None, [os.environ.get("JUPYTER_PATH")])]
        ),
        "JUPYTER_RUNTIME_DIR": tempfile.mkdtemp(prefix="mair-"),  # short: sockets lie there
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        shutil.rmtree(ours["JUPYTER_RUNTIME_DIR"], ignore_errors=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _forked(server: Server) -> str:
    """Make our way of starting kernels known to Jupyter; its name there."""
    from importlib.metadata import EntryPoint

    from jupyter_client.provisioning import KernelProvisionerFactory as Factory

    from mair.run import forked

    forked.Forked.server = server
    point = EntryPoint("mair-forked", f"{forked.__name__}:Forked", Factory.GROUP_NAME)
    return Factory.instance().provisioners.setdefault(point.name, point).name


def _timed(task: Task, folder: Path, started: dict):
    """Outcome of one notebook and the seconds it took."""
    from jupyter_core.utils import ensure_event_loop

    started[task.name] = start = time.monotonic()
    try:
        return _execute(task, folder), time.monotonic() - start
    finally:
        ensure_event_loop().close()  # nbclient leaves this thread's loop open


def _execute(task: Task, folder: Path):
    """The executed notebook with its record, or a Failure."""
    import logging

    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    # Papermill's own look at the parameters is a regular expression; ours has been done.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    # Papermill reads braces in a path as fields; the scratch name has none to read.
    scratch = folder / f"{task.name}.ipynb"
    # Sockets in a folder of ours: a port that is free now may be another's when it is used.
    manager, place = {"transport_encryption": "auto"}, os.environ["JUPYTER_RUNTIME_DIR"]
    if len(place) + len(task.name) < LONGEST_SOCKET and os.name != "nt":
        manager |= {"transport": "ipc", "ip": os.path.join(place, task.name)}
    try:
        node = papermill.execute_notebook(
            copy.deepcopy(task.source.node),
            str(scratch).replace("{", "{{").replace("}", "}}"),
            parameters=task.parameters,
            kernel_name=task.kernel,
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            record_timing=False,
            shutdown_kernel="immediate",
            config=Config({"AsyncKernelManager": manager, "KernelManager": manager}),
        )
    except PapermillExecutionError as error:
        lines = f"{error.ename}: {error.evalue}".strip().splitlines()
        return Failure(task.name, lines[-1] if len(lines) == 1 else f"{lines[0]} … {lines[-1]}",
                       _tidy_file(scratch, task))
    except Exception as error:  # a kernel that died, or would not start
        lines = str(error).strip().splitlines() or [""]
        return Failure(task.name, f"{type(error).__name__}: {lines[-1]}", _tidy_file(scratch, task))
    record = json.loads((folder / f"{task.name}.json").read_text(encoding="utf-8"))
    return scrub(node, task), record


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
        cell["id"] = f"{task.name}-{index:03d}"
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            lines = cell.source.splitlines()
            for name, value in task.shown.items():
                text = f"{name} = {PythonTranslator.translate(value)}"
                lines = [text if line.startswith(f"{name} = ") else line for line in lines]
            cell.source = "\n".join(lines)
    return node
