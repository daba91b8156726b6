from tests.ingestion.support import Warehouse, statuses


def test_second_run_of_the_same_objects_fetches_and_adds_nothing(
    warehouse: Warehouse,
) -> None:
    warehouse.put("a.parquet", statuses(1, 2))
    first = warehouse.run()
    fetched = warehouse.gets()
    second = warehouse.run()

    assert (first.loaded, first.rows, first.failed) == (1, 2, ())
    assert (second.new, second.loaded, second.load_ids) == (0, 0, ())
    assert warehouse.gets() == fetched == 1
    assert warehouse.landed() == [("1", "activated"), ("2", "activated")]
    assert warehouse.ledger() == [("a.parquet", "landed", 2, None)]
