"""Many runs at once: the same outcomes in one process, in several, and on a Dask cluster."""

from __future__ import annotations

import warnings

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
