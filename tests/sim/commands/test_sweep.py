"""Many runs at once: the same outcomes in one process, in several, and on a Dask cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from contextlib import suppress

import pytest

from evcc_sim.runs.sweep import JobOutcome, jobs_for, run_here, run_on_cluster

pytestmark = pytest.mark.day


def by_seed(outcomes: list[JobOutcome]) -> list[tuple[int, str]]:
    return sorted((outcome.seed, outcome.digest) for outcome in outcomes)


def test_processes_give_what_one_process_gives() -> None:
    jobs = jobs_for(["clear-day,hours=9.5"], [1, 2])
    here = by_seed(list(run_here(jobs, workers=1)))
    assert here == by_seed(list(run_here(jobs, workers=2)))
    assert here[0][1] != here[1][1]


def test_a_dask_cluster_gives_what_one_process_gives() -> None:
    distributed = pytest.importorskip("distributed")
    jobs = jobs_for(["@boundary"], [1, 2, 3])
    here = by_seed(list(run_here(jobs, workers=1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dask warns about ports and event loops
        with distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
        ) as cluster:
            there = by_seed(list(run_on_cluster(jobs, cluster.scheduler_address)))
    assert there == here


def test_every_combination_of_values_is_run() -> None:
    jobs = jobs_for(["clear-day"], [1, 2], values=["site.interval_s=10|30", "pv.0.peak_w=5000|9000"])
    assert len(jobs) == 8
    assert {job.scenario.site.interval_s for job in jobs} == {10.0, 30.0}


KILLED = """
import signal
from evcc_sim.runs.sweep import done_here
if __name__ == "__main__":
    for _done in done_here(abs, [1, 2], workers=2):
        print("up", flush=True)
        signal.pause()
"""


def test_workers_end_with_a_process_that_is_killed() -> None:
    """They hold its standard output open as long as they live."""
    parent = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert parent.stdout is not None and parent.stdout.readline() == b"up\n"
        parent.kill()
        parent.communicate(timeout=30)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
