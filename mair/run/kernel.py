"""A notebook's kernel: an IPython kernel that writes down which files it opened and what of the
trial it asked for; and the process that starts such kernels with the common libraries loaded.

Each kernel is a process of its own. It is forked where the system can, so that what every
notebook imports is imported once; a notebook's record holds the modules of this project that
were loaded so, and those that it loads itself. Nothing here is imported by an analysis.
"""

import gc
import hashlib
import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from importlib.util import source_from_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = "MAIR_RECORD"  # environment variable: folders whose files count, and those that do not
# What notebooks and kernels import: of this project only what every notebook needs.
COMMON = ("ipykernel.kernelapp", "ipykernel.ipkernel", "pandas", "scipy.stats", "scipy.optimize",
          "scipy.linalg", "pydantic", "yaml", "matplotlib.pyplot", "great_tables", "docx",
          "matplotlib.backends.backend_svg", "matplotlib.backends.backend_agg",
          "mair.results", "mair.trial.loading", "mair.report.show",
          "mair.report.words")  # fmt: skip


class Record:
    """The files that this process opens to read, with their hashes at that moment.

    Attributes
    ----------
    target : str
        Where the record is written, as JSON.
    folders, without : sequence of str
        Files below the first count, unless they lie below the second or in a folder whose
        name begins with a dot.
    """

    def __init__(self):
        self.target, self.folders, self.without = os.devnull, [f"{ROOT}{os.sep}"], ()
        self.files: dict[str, str | None] = {}
        self.busy = False
        for module in list(sys.modules.values()):
            if file := getattr(module, "__file__", None):
                self.opened(file)
        sys.addaudithook(self.hook)

    def begin(self, target: str, folders: list[str], without: list[str]) -> None:
        """Set the attributes."""
        self.target = target
        self.folders = [os.path.join(folder, "") for folder in folders]
        self.without = tuple(os.path.join(folder, "") for folder in without)

    def hook(self, event: str, arguments: tuple) -> None:
        """Python's notice of an event; only a file opened to be read is of interest."""
        if event != "open" or self.busy or isinstance(arguments[0], int):
            return
        if not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            self.busy = True
            try:
                self.opened(os.fsdecode(arguments[0]))
            finally:
                self.busy = False

    def opened(self, path: str) -> None:
        """Note one file; of a compiled module, its source. One that is not there counts too."""
        if path.startswith(("__editable__", sys.prefix)):  # how modules are found; libraries
            return
        path = os.path.realpath(path)
        if f"{os.sep}__pycache__{os.sep}" in path:
            path = source_from_cache(path)
        inside = next((f for f in self.folders if path.startswith(f)), None)
        if inside is None or path in self.files or path.startswith(self.without):
            return
        if f"{os.sep}." in path[len(inside) - 1:]:
            return
        try:
            with open(path, "rb") as file:
                self.files[path] = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            self.files[path] = None
        except OSError:  # a folder
            return

    def write(self, *_) -> None:
        """Write the record as it stands: files, and parts of the trial."""
        trials = sys.modules.get("mair.trial.trial")
        trial = trials and trials.of_the_run()
        parts = [list(part) for part in vars(trial)["_parts"]] if trial else []
        with open(self.target, "w", encoding="utf-8") as file:
            json.dump({"files": self.files, "parts": parts}, file)


def main(arguments: list[str], record: Record | None = None) -> None:
    """Be a kernel.

    Parameters
    ----------
    arguments : list of str
        Where to write the record, then the arguments of an IPython kernel.
    record : Record, optional
        Begun by the process that was forked.
    """
    from ipykernel.kernelapp import IPKernelApp

    target, *others = arguments
    record = record or Record()
    kernel = IPKernelApp.instance(parent_handle=os.getppid())  # it ends with its parent
    kernel.initialize(others)
    record.begin(target, **json.loads(os.environ[RECORD]))
    kernel.shell.events.register("post_run_cell", record.write)
    kernel.start()


def serve() -> None:
    """Load the common libraries, then fork a kernel for each line of standard input.

    A line holds arguments, environment and working directory as JSON; the kernel's process id
    is written back. At the end of the input, or of the process that started this one, kernels still
    there are ended.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    record = Record()
    for name in COMMON:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    alive: set[int] = set()

    def reap(*_):
        with suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                alive.discard(pid)

    signal.signal(signal.SIGCHLD, reap)
    for line in sys.stdin:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        if pid := os.fork():
            alive.add(pid)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            print(pid, flush=True)
            continue
        arguments, env, cwd = json.loads(line)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.environ.clear()
        os.environ.update(env)
        os.chdir(cwd)
        main(arguments, record)
        os._exit(0)
    for pid in list(alive):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


if __name__ == "__main__":
    main(sys.argv[1:]) if sys.argv[1:] else serve()
