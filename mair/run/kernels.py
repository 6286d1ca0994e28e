"""Papermill over text notebooks: private kernels, several at once, nothing left to chance or clock.

The kernels run this interpreter whatever kernelspecs the user has, write nothing to the
user's home, and use one BLAS thread each, so sums do not depend on the machine's cores.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from mair.run.kernel import RECORD
from mair.trial.errors import HANDED, display

ENV = {**dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
       "PYTHONHASHSEED": "0", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
# What a reader's JupyterLab knows the interpreter of an executed notebook by.
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
SOCKETS = "mair-"  # begins the name of a folder of sockets, whose path has to be short
FORKED = "mair-forked"  # what Jupyter knows our way of starting a kernel by
LONGEST_SOCKET = 95  # characters of a path; the system takes 104 or more


class Server:
    """The process that forks kernels, from the moment that it is made until it is closed."""

    def __init__(self):
        self.used, self.lock = False, threading.Lock()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mair.run.kernel"], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, **ENV})

    def fork(self, arguments: list[str], env: dict, cwd: str) -> int:
        """The process id of a new kernel."""
        with self.lock:
            self.used = True
            self.process.stdin.write(json.dumps([arguments, env, str(cwd)]) + "\n")
            self.process.stdin.flush()
            return int(self.process.stdout.readline())

    def close(self) -> None:
        """End the process, and with it the kernels that are left."""
        self.process.stdin.close()
        if not self.used:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@dataclass(frozen=True)
class Failure:
    """A notebook that raised: its name, the error's last line, the copy kept for reading."""

    name: str
    error: str
    notebook: Path | None

    def said(self, folder: Path) -> str:
        """One line, with the place in ``folder`` where the copy will be."""
        kept = f"; kept at {display(folder / self.notebook.name)}" if self.notebook else ""
        return f"notebook {self.name} failed: {self.error}{kept}"


class Progress:
    """One plain line a finished notebook; in a terminal also a live line of what is running."""

    def __init__(self, total: int, stream=None):
        self.total, self.done, self.names, self.silent = total, 0, [], False
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty()

    def started(self, name: str) -> None:
        """Note that a notebook runs."""
        self.names.append(name)
        self._write("")

    def finished(self, name: str, seconds: float, failed: bool = False) -> None:
        """Say that one notebook is done."""
        self.names.remove(name)
        self.done += 1
        failed = " failed" if failed else ""
        self._write(f"[{self.done}/{self.total}] {name}{failed} {seconds:.1f} s\n")

    def _write(self, line: str) -> None:
        if self.live:
            running = f"[{self.done}/{self.total}] running {', '.join(self.names)}"
            line = f"\r\x1b[K{line}{running if self.names else ''}"
        if not self.silent:
            self.stream.write(line)
            self.stream.flush()


def run(plan, names: list[str], parts: dict[str, Path], folder: Path, server: Server):
    """Execute notebooks of a plan, at most as many at once as there are cores.

    Parameters
    ----------
    plan : Plan
    names : list of str
        In the order in which they are started: the longest first.
    parts : dict of str to Path
        Where each writes its files.
    folder : Path
        For scratch files, the kernels' records and the copies of failed notebooks.
    server : Server

    Returns
    -------
    dict of str to (nbformat.NotebookNode, dict)
        By name, the executed notebook, with deterministic cell ids and no trace of time or
        place, and its record: ``files`` with hashes, ``parts`` of the trial.
    list of Failure
    """
    executed, failures, progress = {}, [], Progress(len(names))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    folder.mkdir()
    sweep()
    with (folder / "trial.pickle").open("wb") as file:
        pickle.dump(plan.trial, file)
    with (
        tempfile.TemporaryDirectory(prefix=f"{SOCKETS}{os.getpid()}-") as sockets,
        patch.dict(os.environ, _jupyter(plan, names, folder, sockets, server)),
        ThreadPoolExecutor(cores) as pool,
    ):
        futures = [pool.submit(_execute, plan, name, parts[name], folder, sockets, progress)
                   for name in names]
        try:
            for future in as_completed(futures):
                if isinstance(outcome := future.result(), Failure):
                    failures.append(outcome)
                else:
                    executed[outcome[0]] = outcome[1:]
        except BaseException:  # an interruption: what runs ends with its kernel, unsaid
            pool.shutdown(wait=False, cancel_futures=True)
            progress.silent = True
            server.close()
            raise
    return executed, failures


def sweep() -> None:
    """Remove the folders of sockets of runs that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SOCKETS}[0-9]*-*"):
        pid = folder.name.split("-")[1]
        if pid.isdecimal() and Process(int(pid)).poll() is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _jupyter(plan, names, folder: Path, sockets: str, server: Server) -> dict[str, str]:
    """Write kernelspecs of our own; the environment in which Jupyter finds them first."""
    folders = sorted({plan.folder, *plan.roots})
    record = {"folders": [str(one) for one in folders],
              "without": [sys.prefix, str(folder.parent)]}
    env = {**ENV, "IPYTHONDIR": str(folder / "ipython"), RECORD: json.dumps(record),
           HANDED: str(folder / "trial.pickle")}
    _forked(server)
    for name in names:
        spec = folder / "jupyter" / "kernels" / f"mair-{name}"
        spec.mkdir(parents=True)
        content = {
            "argv": [sys.executable, "-m", "mair.run.kernel", str(folder / f"{name}.json"),
                     "-f", "{connection_file}", "--IPKernelApp.log_level=50",
                     "--HistoryManager.enabled=False"],
            "display_name": KERNELSPEC["display_name"], "language": "python",
            "env": {key: value.replace("$", "$$") for key, value in env.items()},
            "metadata": {"kernel_provisioner": {"provisioner_name": FORKED}},
        }  # fmt: skip
        (spec / "kernel.json").write_text(json.dumps(content), encoding="utf-8")
    paths = [str(folder / "jupyter"), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    return {"JUPYTER_PATH": os.pathsep.join(paths), "JUPYTER_RUNTIME_DIR": sockets}


def _forked(server: Server) -> None:
    """Make a way of starting kernels known to Jupyter: the server forks them."""
    from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

    class Forked(LocalProvisioner):
        async def launch_kernel(self, cmd, **kwargs):
            self.cwd = kwargs.get("cwd") or Path.cwd()
            self.pid = self.pgid = server.fork(cmd[3:], kwargs["env"], self.cwd)
            self.process = Process(self.pid)
            return self.connection_info

    KernelProvisionerFactory.instance().provisioners[FORKED] = SimpleNamespace(load=lambda: Forked)


class Process:
    """The part of `subprocess.Popen` that Jupyter uses, for a process of the server's."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int):
        self.pid = pid

    def poll(self) -> int | None:
        """None while it runs; the server reaps it, so its status is not known."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 1
        except (PermissionError, OverflowError):  # another's
            return None
        return None

    wait = poll


def _execute(plan, name: str, out: Path, folder: Path, sockets: str, progress: Progress):
    """Name, executed notebook and record, or a Failure; said when it is done."""
    from jupyter_core.utils import ensure_event_loop

    progress.started(name)
    start = time.monotonic()
    try:
        outcome = _executed(plan, name, out, folder, sockets)
    finally:
        ensure_event_loop().close()  # nbclient leaves this thread's loop open
    progress.finished(name, time.monotonic() - start, isinstance(outcome, Failure))
    return outcome


def _executed(plan, name: str, out: Path, folder: Path, sockets: str):
    import logging

    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    # Its own look at the parameters is a regular expression, ours has been done; errors are told.
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    scratch = folder / f"{name}.ipynb"
    # Sockets in a folder of ours: a port that is free now may be another's when it is used.
    manager, socket = {"transport_encryption": "auto"}, os.path.join(sockets, name)
    if len(socket) < LONGEST_SOCKET:
        manager |= {"transport": "ipc", "ip": socket}
    try:
        node = papermill.execute_notebook(
            copy.deepcopy(plan.sources[name].node),
            # Papermill reads braces in a path as fields; the scratch name has none to read.
            str(scratch).replace("{", "{{").replace("}", "}}"),
            parameters={"trial": str(plan.trial.path), "out": str(out), **plan.parameters[name]},
            kernel_name=f"mair-{name}", language="python", shutdown_kernel="immediate",
            progress_bar=False, record_timing=False, request_save_on_cell_execute=False,
            config=Config({"AsyncKernelManager": manager, "KernelManager": manager}))
    except Exception as error:
        if isinstance(error, PapermillExecutionError):
            lines = f"{error.ename}: {error.evalue}".strip().splitlines()
        else:  # a kernel that died, or would not start
            lines = [f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[-1]}"]
        said = lines[0] if len(lines) == 1 else f"{lines[0]} … {lines[-1]}"
        if scratch.is_file():  # as Papermill left it
            nbformat.write(scrub(nbformat.read(scratch, 4), name, plan.shown), scratch)
        return Failure(name, said, scratch if scratch.is_file() else None)
    record = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return name, scrub(node, name, plan.shown), record


def scrub(node, name: str, trial: str):
    """Make an executed notebook depend on nothing but its source, parameters and results.

    Parameters
    ----------
    node : nbformat.NotebookNode
        Changed in place and returned.
    name : str
        Of the notebook, for its cells' ids.
    trial : str
        The trial file as its injected cell names it, so that it can be run again by hand.
    """
    shown = {"trial = ": f"trial = {json.dumps(trial, ensure_ascii=False)}", "out = ": "out = None"}
    node.metadata.clear()
    node.metadata.update({"kernelspec": dict(KERNELSPEC), "language_info": {"name": "python"}})
    for index, cell in enumerate(node.cells):
        cell["id"] = f"{name}-{index:03d}"
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = "\n".join(
                next((said for start, said in shown.items() if line.startswith(start)), line)
                for line in cell.source.splitlines())
    return node
