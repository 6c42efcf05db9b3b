"""Gauges, the usage of some work, and what follows from the declaration of a cost."""

import json
import subprocess
import sys
import threading
import time
from dataclasses import fields
from types import SimpleNamespace

import pytest

from bench.costs import Cost, Meter, Usage
from bench.gate import COSTS
from bench.report.sections import leaderboard
from bench.report.writers import json as json_writer

METERED = """
import json, time
from dataclasses import asdict
import numpy as np
from bench.costs import Meter

with Meter() as meter:
    first = meter.read()
    block = np.ones(40_000_000)  # 320 MB
    until = time.process_time() + 0.1
    while time.process_time() < until:
        block[0] += 1
    second = meter.read()
    del block
    meter.read()
    time.sleep(0.1)
    third = meter.read()
print(json.dumps([asdict(usage) for usage in (first, second, third)]))
"""


def test_a_meter_sees_time_and_memory():
    # In a process of its own: in this one, others may have told malloc to keep what is freed.
    done = subprocess.run([sys.executable, "-c", METERED], capture_output=True, text=True, check=True)
    first, second, third = (Usage(**fields) for fields in json.loads(done.stdout))
    assert second.peak_mb - first.peak_mb > 300
    assert second.peak_mb - third.peak_mb > 300
    assert third.seconds >= 0.1
    assert second.cpu_s >= 0.1 > third.cpu_s
    assert first.gpu_mb is None


def test_a_sample_under_way_does_not_carry_its_peak_over(monkeypatch):
    sampling = threading.Event()
    sizes = iter([500e6])  # then 100e6

    class Process:
        def memory_info(self):
            if threading.current_thread() is not threading.main_thread():
                sampling.set()
                time.sleep(0.05)
            return SimpleNamespace(rss=next(sizes, 100e6))

    monkeypatch.setattr("psutil.Process", Process)
    with Meter() as meter:
        assert sampling.wait(5)
        assert meter.read().peak_mb == 500
        time.sleep(0.1)
        assert meter.read().peak_mb == 100


def test_energy_is_measured_where_codecarbon_is_installed():
    pytest.importorskip("codecarbon")
    with Meter() as meter:
        until = time.perf_counter() + 0.5
        while time.perf_counter() < until:
            pass
        usage = meter.read()
    assert usage.energy_wh is not None
    assert 0 < usage.energy_wh < 1


def test_usages_add_up_and_memory_does_not():
    a, b = Usage(1.0, 2.0, 100.0, 5.0), Usage(3.0, 4.0, 50.0, None, 0.5)
    assert Usage.total([a, b]) == Usage(4.0, 6.0, 100.0, 5.0, 0.5)
    assert b.part(0.5) == Usage(1.5, 2.0, 50.0, None, 0.25)


def test_a_usage_that_nobody_measured_stays_unknown():
    total = Usage.total([Usage(1.0, 2.0, 3.0), Usage(1.0, 2.0, 3.0)])
    assert (total.gpu_mb, total.energy_wh) == (None, None)
    assert total.part(0.5).energy_wh is None


def test_a_cost_comes_from_the_usages_of_embedding_and_evaluation():
    embedding, evaluation = Usage(1.00004, 2.0, 100.0, 5.0), Usage(3.0, 4.00006, 50.0, None, 0.5)
    facts = {"audio_s": 9.00041, "threads": 2, "fit_s": 0.5, "predict_s": 0.25, "dim": 80, "params": None}
    assert Cost.of(embedding, evaluation, **facts) == Cost(
        audio_s=9.0,
        extract_s=1.0,
        extract_cpu_s=2.0,
        threads=2,
        fit_s=0.5,
        predict_s=0.25,
        cpu_s=4.0001,
        dim=80,
        peak_mb=100.0,
        gpu_mb=5.0,
        energy_wh=0.5,
    )


def test_gate_exports_and_leaderboard_take_the_costs_that_are_declared_for_them():
    names = {cost.name for cost in fields(Cost)}
    assert set(COSTS) == names - {"audio_s", "dim", "params", "threads"}
    assert set(json_writer.COSTS) == names
    assert leaderboard.COSTS == ("dim", "extract_cpu_s", "extract_s", "threads", "fit_s", "predict_s")


def test_a_meter_reads_every_gauge():
    with Meter() as meter:
        usage = meter.read()
    assert usage.seconds > 0
    assert {quantity.metadata["unit"] for quantity in fields(usage)} == {"s", "MB", "Wh"}
