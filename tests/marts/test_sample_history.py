"""A sample history, with every oddity of the source, against the oracle."""

from sandbox import sample
from tests.marts.warehouse import Warehouse


def test_marts_of_a_history_loaded_in_stages_equal_an_independent_computation(
    warehouse: Warehouse,
) -> None:
    objects = list(sample.generate(days=4, twaps_per_day=400, seed=7))
    stages = [objects[: len(objects) // 2], objects[len(objects) // 2 :]]
    for stage in stages:
        sample.fill(warehouse, stage)
        assert warehouse.run_with_oracle() == 3
        assert warehouse.differences() == []
    assert len(warehouse.query("select from marts.twap_status")) > 2_000
