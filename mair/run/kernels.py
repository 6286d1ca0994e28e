"""Papermill over text notebooks: private kernels, several at once, nothing left to chance or clock.

The kernels run this interpreter whatever kernelspecs the user has, write nothing to the
user's home, and use one BLAS thread each, so sums do not depend on the machine's cores.
"""

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
from functools import partial
from pathlib import Path
from types import SimpleNamespace

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
    dict of str to dict
        By name, the record of an executed notebook, which is written with deterministic cell ids
        and no trace of time or place: ``files`` with hashes, ``parts`` of the trial.
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
        ThreadPoolExecutor(cores) as pool,
    ):
        start = partial(_started, plan, folder, sockets, server)
        futures = [pool.submit(_execute, plan, name, parts[name], folder, start, progress)
                   for name in names]
        try:
            for future in as_completed(futures):
                if isinstance(outcome := future.result(), Failure):
                    failures.append(outcome)
                else:
                    executed[outcome[0]] = outcome[1]
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


def _started(plan, folder: Path, sockets: str, server: Server, name: str) -> dict:
    """What has Jupyter start a notebook's kernel: the server forks it, and nothing is written to
    the user's home."""
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
    from traitlets.config import Config

    record = {"folders": sorted(map(str, {plan.folder, *plan.roots})),
              "without": [sys.prefix, str(folder.parent)]}
    env = {**ENV, "IPYTHONDIR": str(folder / "ipython"), "JUPYTER_RUNTIME_DIR": sockets,
           RECORD: json.dumps(record), HANDED: str(folder / "trial.pickle")}

    class Forked(LocalProvisioner):
        async def launch_kernel(self, cmd, **kwargs):
            self.pid = self.pgid = server.fork(cmd, kwargs["env"], kwargs.get("cwd") or Path.cwd())
            self.process = Process(self.pid)
            return self.connection_info

    class Manager(AsyncKernelManager):
        kernel_spec = KernelSpec(
            argv=[str(folder / f"{name}.json"), "-f", "{connection_file}",
                  "--IPKernelApp.log_level=50", "--HistoryManager.enabled=False"],
            env={key: value.replace("$", "$$") for key, value in env.items()},
            metadata={"kernel_provisioner": {"provisioner_name": FORKED}})

    KernelProvisionerFactory.instance().provisioners[FORKED] = SimpleNamespace(load=lambda: Forked)
    # Sockets in a folder of ours: a port that is free now may be another's when it is used.
    place = os.path.join(sockets, name)
    own = {"transport": "ipc", "ip": place} if len(place) < LONGEST_SOCKET else {}
    return {"kernel_manager_class": Manager, "config": Config({"KernelManager": {
        "transport_encryption": "auto", "connection_file": f"{place}.json", **own}})}


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


def _execute(plan, name: str, out: Path, folder: Path, start, progress: Progress):
    """Name and record, or a Failure; said when it is done."""
    from jupyter_core.utils import ensure_event_loop

    progress.started(name)
    begun = time.monotonic()
    try:
        outcome = _executed(plan, name, out, folder, start(name))
    finally:
        ensure_event_loop().close()  # nbclient leaves this thread's loop open
    progress.finished(name, time.monotonic() - begun, isinstance(outcome, Failure))
    return outcome


def _executed(plan, name: str, out: Path, folder: Path, started: dict):
    import logging

    import jupytext
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    # Its own look at the parameters is a regular expression, ours has been done; errors are told.
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    scratch = folder / f"{name}.ipynb"
    try:
        node = papermill.execute_notebook(
            jupytext.reads(plan.sources[name].text, fmt="py:percent"),
            # Papermill reads braces in a path as fields; the scratch name has none to read.
            str(scratch).replace("{", "{{").replace("}", "}}"),
            parameters={"trial": str(plan.trial.path), "out": str(out), **plan.parameters[name]},
            kernel_name=KERNELSPEC["name"], language="python", shutdown_kernel="immediate",
            progress_bar=False, record_timing=False, request_save_on_cell_execute=False, **started)
    except Exception as error:
        if isinstance(error, PapermillExecutionError):
            lines = f"{error.ename}: {error.evalue}".strip().splitlines()
        else:  # a kernel that died, or would not start
            lines = [f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[-1]}"]
        said = lines[0] if len(lines) == 1 else f"{lines[0]} … {lines[-1]}"
        if scratch.is_file():  # as Papermill left it
            nbformat.write(scrub(nbformat.read(scratch, 4), name, plan.shown), scratch)
        return Failure(name, said, scratch if scratch.is_file() else None)
    (out / "notebooks").mkdir(exist_ok=True)
    nbformat.write(scrub(node, name, plan.shown), out / "notebooks" / f"{name}.ipynb")
    return name, json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


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
