"""What goes on record: of every generation, as columns of a history, and as a table in a checkpoint."""

import numpy as np
import pytest

from wannjax.runs.records import Record, TrainingRecord, Work, are_columns, history_of, overview, record_table, recorded, records_of
from wannjax.search.algorithm import Info

SCORES = np.array([[1.0, 3.0], [5.0, 1.0], [np.nan, 9.0], [2.0, 2.5]], np.float32)
HIDDEN, CONNECTIONS = np.array([0, 7, 2, 1], np.int32), np.array([4, 9, 2, 3], np.int32)
ALL = np.arange(4)
FIGURES = {"threshold": np.float32(2.5), "species": np.int32(3)}


def record_of(generation, figures):
    return recorded(generation, overview(SCORES, ALL, Info(HIDDEN, CONNECTIONS, figures), Work(10, 20, 0.5)), (2.75, 6), 1.5)


@pytest.fixture(params=[{}, FIGURES], ids=["without figures", "with figures"])
def records(request):
    return [record_of(generation, request.param) for generation in (1, 2, 3)]


def test_a_record_sums_up_a_generation():
    record = record_of(4, {})
    assert record == Record(4, 3.0, 5.0, 2.25, 2.75, 6, 3.5, 7, 1, 10, 20, 0.5, 1.5)
    assert {type(value) for value in record} == {int, float}


def test_figures_stand_behind_the_fields_by_name():
    record = record_of(4, FIGURES)
    assert record._fields == (*Record._fields, "species", "threshold")
    assert (record.species, record.threshold) == (3.0, 2.5)
    assert record[: len(Record._fields)] == record_of(4, {})


def test_a_generation_without_a_finite_score_has_none_on_record():
    record = recorded(1, overview(np.full((4, 2), np.nan, np.float32), ALL, Info(HIDDEN, CONNECTIONS, {}), Work()), (1.0, 2), 0.0)
    assert record.non_finite == 4
    assert np.isnan([record.mean_score, record.best_score, record.median_score]).all()


def test_the_best_are_of_those_that_are_ahead_in_a_race_and_the_median_is_of_all():
    record = recorded(4, overview(SCORES, np.array([0, 2]), Info(HIDDEN, CONNECTIONS, {}), Work()), (2.75, 6), 0.0)
    assert (record.mean_score, record.best_score, record.median_score, record.non_finite) == (2.0, 3.0, 2.25, 1)


def test_work_adds_up():
    assert Work(1, 2, 0.5).plus(Work(10, 20, 0.25)) == Work(11, 22, 0.75)


def test_a_history_has_a_column_for_every_field(records):
    history = history_of(records, Record)
    assert tuple(history) == records[0]._fields
    for name, column in history.items():
        assert column.tolist() == [getattr(record, name) for record in records]


@pytest.mark.parametrize("kind", [Record, TrainingRecord])
def test_a_history_without_records_has_the_fields_of_its_kind(kind):
    history = history_of([], kind)
    assert tuple(history) == kind._fields
    assert {column.size for column in history.values()} == {0}


def test_a_table_gives_the_records_again(records):
    names, rows = record_table(records)
    assert rows.dtype == np.float64
    again = records_of(names, rows)
    assert again == records
    assert [type(value) for record in again for value in record] == [type(value) for record in records for value in record]
    assert again[0]._fields == records[0]._fields


def test_a_table_without_records_is_one_too():
    names, rows = record_table([])
    assert rows.shape == (0, len(Record._fields))
    assert records_of(names, rows) == []


def with_names(change):
    names, rows = record_table([record_of(1, FIGURES)])
    return change(names), rows


@pytest.mark.parametrize(
    "change",
    [
        lambda names: None,
        lambda names: tuple(names),
        lambda names: names[:-3],
        lambda names: names[1:],
        lambda names: [*names[:-1], 7],
        lambda names: [*names[:-1], "two words"],
        lambda names: [*names[:-1], "species"],
        lambda names: [*names[:-1], ["species"]],
    ],
)
def test_columns_that_are_not_those_of_records_are_refused(change):
    with pytest.raises(ValueError, match="checkpoint: must be records with known columns, got"):
        records_of(*with_names(change))


@pytest.mark.parametrize("name", ["class", "_hidden"])
def test_a_figure_that_no_field_can_be_called_is_refused(name):
    with pytest.raises(ValueError, match=f"{name}"):
        records_of(*with_names(lambda names: [*names[:-1], name]))


@pytest.mark.parametrize("change", [lambda rows: rows[0], lambda rows: rows[:, :-1], lambda rows: rows[None]])
def test_rows_of_another_shape_are_refused(change):
    names, rows = record_table([record_of(1, {})])
    with pytest.raises(ValueError, match=f"checkpoint: must be records of {len(names)} figures"):
        records_of(names, change(rows))


def test_figures_that_no_record_can_hold_are_refused():
    names, rows = record_table([record_of(1, {})])
    for value in (np.nan, np.inf):
        rows[0, 0] = value
        with pytest.raises((ValueError, OverflowError)):
            records_of(names, rows)


def test_only_a_search_has_figures():
    assert are_columns([*Record._fields, "species"], Record)
    assert not are_columns([*TrainingRecord._fields, "species"], TrainingRecord)
    assert are_columns(list(TrainingRecord._fields), TrainingRecord)
