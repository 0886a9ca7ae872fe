"""Why a worker has ended, where Ray's own table of workers cannot be read."""

import statistics

from turbolens.pipelines.cluster.exits import has_run_out_of_memory


def test_nothing_is_said_of_memory_with_a_ray_that_has_no_such_table() -> None:
    assert not has_run_out_of_memory(statistics, "node", 1)  # a module without these parts
