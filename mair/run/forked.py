"""How Jupyter starts a kernel here: forked by a process that has the common libraries loaded."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from jupyter_client.provisioning import LocalProvisioner

from mair.run.kernels import Server


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
        return None

    def wait(self) -> int:
        return 1

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class Forked(LocalProvisioner):
    """A local kernel that the server forks; everything else as Jupyter does it."""

    server: Server

    async def launch_kernel(self, cmd, **kwargs):
        """Start the kernel of ``python -m mair.run.kernel <arguments>``."""
        pid = self.server.fork(cmd[3:], kwargs["env"], kwargs.get("cwd") or os.getcwd())
        self.process, self.pid, self.pgid = Process(pid), pid, pid
        self.cwd = kwargs.get("cwd", Path.cwd())
        return self.connection_info
