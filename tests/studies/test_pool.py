"""Long work: the same bytes on one process, two, and a cluster; what is killed goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from mair.__main__ import main
from mair.studies import grid, pool
from mair.trial import load
from mair.trial.errors import ROOT, TrialError

CHUNKS = 12
GRID = f"n: 20\ndifference: 14.2\ntrials: {CHUNKS * grid.BLOCK}\n"
RATES = ["post", "followup", "mc_se"]
TABLE = "out/tables/power_grid.csv"


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process gives, as `make power` writes it, without anything kept."""
    folder, before = tmp_path_factory.mktemp("alone"), Path.cwd()
    trial = load(ROOT / "params/mair.yaml")
    os.chdir(folder)
    try:
        Path("grid.yaml").write_text(GRID)
        found = grid.run(trial, grid.read(Path("grid.yaml"), trial), 1)
    finally:
        os.chdir(before)
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grid.yaml").write_text(GRID)
    return tmp_path


def same(found, alone):
    return found.to_csv(index=False) == alone.to_csv(index=False)


def run(trial, processes=-1):
    return grid.run(trial, grid.read(Path("grid.yaml"), trial), processes)


def test_a_cluster_that_loses_a_worker_gives_the_bytes_of_one_process(folder, alone):
    from distributed import Client, LocalCluster

    trial = load(ROOT / "params/mair.yaml")
    with LocalCluster(n_workers=3, threads_per_worker=1, host="127.0.0.1",
                      dashboard_address=None) as cluster, Client(cluster) as client:
        victim, met = next(iter(client.run(os.getpid).values())), []

        def killed(task_done=pool._store):
            def store(file, result):
                task_done(file, result)
                met.append(file)
                if len(met) == CHUNKS // 4:
                    os.kill(victim, signal.SIGKILL)
            return store

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pool, "_store", killed())
            with pool.job("power", cluster.scheduler_address):
                found = run(trial)
        assert len(met) == CHUNKS and victim not in client.run(os.getpid).values()
    assert same(found, alone) and not (folder / "build/power").exists()


def test_what_a_kill_leaves_is_taken_up(folder, alone):
    command = [sys.executable, "-m", "mair", "power", "params/mair.yaml", "--grid", "grid.yaml",
               "--out", "out"]
    driver = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def kept():
        return [*(folder / "build/power/chunks").glob("*/*.pickle")]

    def until(count):
        while len(kept()) < count and driver.poll() is None:
            time.sleep(0.005)

    until(1)
    children = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
    worker = next(int(pid) for pid in children
                  if b"popen_loky" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(worker, signal.SIGKILL)  # what it had is done by another
    until(CHUNKS // 2)
    driver.kill()
    driver.wait()
    left = kept()
    assert CHUNKS // 2 <= len(left) < CHUNKS and not (folder / "out").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{len(left)} of {CHUNKS} were done before" in done.stderr
    written = pd.read_csv(folder / TABLE)
    assert written[RATES].equals(alone[RATES])
    assert not (folder / "build/power").exists()


def test_only_what_is_left_is_done_and_other_work_is_not_taken(folder, alone, monkeypatch):
    trial, stored, store = load(ROOT / "params/mair.yaml"), [], pool._store

    def until(file, result):
        store(file, result)
        stored.append(file.parent)
        if len(stored) in (2, 4):
            raise KeyboardInterrupt

    monkeypatch.setattr(pool, "_store", until)
    for text in (GRID, GRID.replace("14.2", "10")):
        Path("grid.yaml").write_text(text)
        with pytest.raises(KeyboardInterrupt), pool.job("power"):
            run(trial, 1)
    assert len({*stored}) == 2  # kept apart, and kept where the job does not end
    Path("grid.yaml").write_text(GRID)
    with pool.job("power"):
        assert same(run(trial, 1), alone)
    assert len(stored) == 4 + CHUNKS - 2


def test_what_is_wrong_with_a_cluster_is_said(folder, capsys, monkeypatch):
    arguments = ["simulate", "--scheduler", "tcp://127.0.0.1:9"]
    assert main(arguments) == 2
    assert "SCHEDULER=tcp://127.0.0.1:9: nobody answers there" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(TrialError, match=r"pip install 'mair\[dask\]'"), pool.job("x", "tcp://x:1"):
        pass


def test_memory_does_not_grow_with_the_trials():
    code = ("import resource; from mair.studies import grid; from mair.trial import load\n"
            "trial = load('params/mair.yaml')\n"
            "own = {'n': [20], 'difference': [14.2], 'correlation': [0.4], 'sd_ratio': [1.0],\n"
            "       'dropout': [0.15], 'mechanism': ['last score'], 'inference': ['z'],\n"
            "       'covariance': ['random-intercept']}\n"
            "for trials in (10_000, 80_000):\n"
            "    grid.run(trial, own | {'trials': [trials]}, 1)\n"
            "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n")
    few, many = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                               check=True, cwd=ROOT).stdout.split()
    assert int(many) < 1.2 * int(few)
