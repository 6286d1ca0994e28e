"""Long work: the same bytes on one process, two, and a cluster; what is killed goes on."""

import os
import signal
import subprocess
import sys
import time
from contextlib import chdir
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from distributed import Client, LocalCluster

from mair.__main__ import main
from mair.studies import grid, pool
from mair.trial import load
from mair.trial.errors import ROOT, TrialError

CHUNKS = 12
GRID = f"n: 20\ndifference: 14.2\ntrials: {CHUNKS * grid.BLOCK}\n"


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process gives, as `make power` writes it, without anything kept."""
    with chdir(tmp_path_factory.mktemp("alone")):
        Path("grid.yaml").write_text(GRID)
        return run(1)


def _cluster(workers):
    return LocalCluster(n_workers=workers, threads_per_worker=1, host="127.0.0.1",
                        dashboard_address="127.0.0.1:0")


@pytest.fixture(scope="module")
def cluster():
    with _cluster(3) as running:
        yield running


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grid.yaml").write_text(GRID)
    return tmp_path


def run(processes=-1):
    trial = load(ROOT / "params/mair.yaml")
    return grid.run(trial, grid.read(Path("grid.yaml"), trial), processes).to_csv(index=False)


def test_a_cluster_that_loses_a_worker_gives_the_bytes_of_one_process(
        folder, alone, cluster, monkeypatch):
    with Client(cluster) as client:
        victim, met, store = next(iter(client.run(os.getpid).values())), [], pool._store

        def until_half(file, result):
            store(file, result)
            met.append(file)
            if len(met) == CHUNKS // 2:
                os.kill(victim, signal.SIGKILL)

        monkeypatch.setattr(pool, "_store", until_half)
        with pool.job("power", cluster.scheduler_address):
            found = run()
        assert len(met) == CHUNKS and victim not in client.run(os.getpid).values()
    assert found == alone and not (folder / "build/power").exists()


def test_what_a_kill_leaves_is_taken_up(folder, alone, cluster):
    command = [sys.executable, "-m", "mair", "power", "params/mair.yaml", "--grid", "grid.yaml",
               "--out", "out"]
    on_cluster = ["--scheduler", cluster.scheduler_address]

    def kept():
        return [*(folder / "build/power/chunks").glob("*/*.pickle")]

    for least, where in ((CHUNKS // 3, []), (2 * CHUNKS // 3, on_cluster)):
        driver = subprocess.Popen(command + where, stderr=subprocess.DEVNULL)
        for count in (1, least):
            while len(kept()) < count and driver.poll() is None:
                time.sleep(0.005)
            if count < least and not where:  # what a worker had is done by another
                children = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text()
                os.kill(next(int(pid) for pid in children.split() if b"popen_loky" in Path(
                    f"/proc/{pid}/cmdline").read_bytes()), signal.SIGKILL)
        driver.kill()
        driver.wait()
        assert least <= len(kept()) < CHUNKS and not (folder / "out").exists()
    left = kept()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{len(left)} of {CHUNKS} were done before" in done.stderr
    written = pd.read_csv(folder / "out/tables/power_grid.csv")
    rates = ["post", "followup", "mc_se"]
    assert written[rates].equals(pd.read_csv(StringIO(alone))[rates])
    assert not (folder / "build/power").exists()


def test_only_what_is_left_is_done_and_other_work_is_not_taken(folder, alone, monkeypatch):
    stored, store = [], pool._store

    def until(file, result):
        store(file, result)
        stored.append(file.parent)
        if len(stored) in (2, 4):
            raise KeyboardInterrupt

    monkeypatch.setattr(pool, "_store", until)
    for text in (GRID, GRID.replace("14.2", "10")):
        Path("grid.yaml").write_text(text)
        with pytest.raises(KeyboardInterrupt), pool.job("power"):
            run(1)
    assert len({*stored}) == 2  # kept apart, and kept where the job does not end
    Path("grid.yaml").write_text(GRID)
    with pool.job("power"):
        assert run(1) == alone
    assert len(stored) == 4 + CHUNKS - 2


def test_what_is_wrong_with_a_cluster_is_said(folder, capsys, monkeypatch):
    monkeypatch.setattr(pool, "TIMEOUT", 1)
    assert main(["simulate", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "SCHEDULER=tcp://127.0.0.1:9: nobody answers there" in capsys.readouterr().err
    with _cluster(0) as nobody:
        assert main(["simulate", "--scheduler", nobody.scheduler_address]) == 2
    assert "expected two workers or more, of one thread each" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(TrialError, match=r"pip install 'mair\[dask\]'"), pool.job("x", "tcp://x:1"):
        pass


def test_neither_memory_nor_its_mapping_grows_with_the_trials():
    """Under what Dask's nanny sets, too, which has large arrays mapped anew each time."""
    code = ("import resource; from mair.studies import grid, pool\n"
            "design = {'n': 4, 'k': 2, 'd': 1.0, 'methods': ['unstructured/z']}\n"
            "for trials in (10_000, 1_000_000):\n"
            "    blocks = [(i, grid.BLOCK) for i in range(trials // grid.BLOCK)]\n"
            "    list(pool.summed(grid.block, [(design, 1, 0)], blocks, 1))\n"
            "    used = resource.getrusage(resource.RUSAGE_SELF)\n"
            "    print(used.ru_maxrss, used.ru_minflt)\n")
    few, faults, many, later = map(int, subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT,
        env=os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"}).stdout.split())
    assert many < 1.2 * few and later < 1.2 * faults
