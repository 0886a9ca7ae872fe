"""The budget of reprojection, on a virtual clock."""

import pytest

from turbolens.pipelines.live.reprojection_budget import (
    RETRY_AFTER,
    ReprojectionBudget,
    reprojection_seconds,
)
from turbolens.pipelines.statistics import Smoothed


def test_it_is_allowed_before_anything_was_measured() -> None:
    budget = ReprojectionBudget(0.5, Smoothed(0.2), clock=lambda: 0.0)
    assert budget.allows(0.01)
    assert budget.cost == 0.0


def test_a_cost_above_its_share_is_refused_until_it_is_time_to_try_again() -> None:
    now = [100.0]
    budget = ReprojectionBudget(0.5, Smoothed(0.2), clock=lambda: now[0])
    budget.add(0.03, at=100.0)
    assert not budget.allows(0.04)
    assert budget.allows(0.06)
    now[0] += RETRY_AFTER
    assert budget.allows(0.04)
    assert not budget.fits(0.04)
    budget.add(0.03, at=now[0])
    assert not budget.allows(0.04)


@pytest.mark.parametrize(("start", "costs"), [(None, [4.0, 3.0]), (0.0, [2.0, 2.0])])
def test_the_cost_is_a_moving_average(start: float | None, costs: list[float]) -> None:
    budget = ReprojectionBudget(0.5, Smoothed(0.5, start=start), clock=lambda: 0.0)
    seen = []
    for seconds in (4.0, 2.0):
        budget.add(seconds, at=0.0)
        seen.append(budget.cost)
    assert seen == costs


def test_a_slow_filter_may_be_reprojected_for_longer() -> None:
    assert reprojection_seconds(0.05) == 0.5
    assert reprojection_seconds(1.0) == 3.0
