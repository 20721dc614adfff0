"""Stages of the acceptance flow killed anywhere and run again: the same lake as without the kill, and the accounts right.

`make test` tries 20 seeds, `make test-faults` as many as CONCORD_KILLS says.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest

from tests.faults.command import concord
from tests.faults.flow import Flow, Stage, flowing
from tests.faults.points import MOMENTS, Kill

BESIDE = ("create", "keep", "spool", "append_arrow ledger.audit", "lineage")
SEEDS = range(int(os.environ.get("CONCORD_KILLS", "20")))


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """The flow, done once without a kill."""
    with flowing(tmp_path_factory.mktemp("flow")) as made:
        yield made


def drawn(flow: Flow, seed: int) -> tuple[Stage, Kill]:
    """The stages take turns; where one is killed is drawn, no place twice, and first where tables and files change."""
    stage = flow.stages[seed % len(flow.stages)]
    kills = [Kill(point, moment) for point in stage.points for moment in MOMENTS]
    random.Random(stage.words[0]).shuffle(kills)  # noqa: S311 - it draws no secret
    kills.sort(key=lambda kill: kill.point.startswith(BESIDE))
    return stage, kills[seed // len(flow.stages) % len(kills)]


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_and_run_again_it_leaves_the_same_lake(flow: Flow, seed: int) -> None:
    stage, kill = drawn(flow, seed)
    began, home = time.monotonic(), flow.again(stage)
    killed = concord(home, *stage.words, kill=kill)
    assert killed.is_killed, f"{stage.name} never came to {kill}: {killed.errors}"
    again = concord(home, *stage.words)
    assert again.status == 0, f"{stage.name}, killed {kill}: {again.errors}"
    assert flow.left(home) == stage.expected, f"{stage.name}, killed {kill}"
    print(f"seed {seed}: {stage.name} killed {kill}; run again it left the same lake ({time.monotonic() - began:.1f} s)")
