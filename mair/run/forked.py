"""How Jupyter starts a kernel here: forked by a process that has the common libraries loaded."""

from __future__ import annotations

import os
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

    wait = poll


class Forked(LocalProvisioner):
    """A local kernel that the server forks; everything else as Jupyter does it."""

    server: Server

    async def launch_kernel(self, cmd, **kwargs):
        """Start the kernel of ``python -m mair.run.kernel <arguments>``."""
        self.cwd = kwargs.get("cwd") or Path.cwd()
        self.pid = self.pgid = self.server.fork(cmd[3:], kwargs["env"], self.cwd)
        self.process = Process(self.pid)
        return self.connection_info
