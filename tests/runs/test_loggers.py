"""Loggers: what they write, that a resumed run goes on in the same file, and that others' files are refused."""

import csv
import json
import sys

import pytest
from tensorboardX.proto.event_pb2 import Event

from wannjax.runs.loggers import Csv, JsonLines, TensorBoard
from wannjax.runs.records import Record, TrainingRecord


def record(generation, score=1.5):
    return Record(generation, score, 2.0, 0.5, score, 3, 2.5, 4, 0, 100, 120, 0.25, 0.5)


def events(directory):
    """All events of a TensorBoard directory: per record 8 bytes of length, 4 of checksum, the event, 4 of checksum."""
    found = []
    for path in sorted(directory.iterdir()):
        content, at = path.read_bytes(), 0
        while at < len(content):
            size = int.from_bytes(content[at : at + 8], "little")
            found.append(Event.FromString(content[at + 12 : at + 12 + size]))
            at += 16 + size
    return found


def test_json_lines_hold_every_field(tmp_path):
    log = JsonLines(tmp_path / "logs" / "run.jsonl")
    for generation in (1, 2):
        log(record(generation))
    rows = [json.loads(line) for line in (tmp_path / "logs" / "run.jsonl").read_text().splitlines()]
    assert rows == [record(1)._asdict(), record(2)._asdict()]


def test_csv_has_a_header_and_reads_back(tmp_path):
    log = Csv(tmp_path / "run.csv")
    for generation in (1, 2):
        log(record(generation, score=float("nan")))
    with open(tmp_path / "run.csv", newline="") as file:
        first, second = csv.DictReader(file)
    assert tuple(first) == Record._fields
    assert [float(value) for value in second.values()] == pytest.approx(list(record(2, float("nan"))), nan_ok=True)


@pytest.mark.parametrize(("logger", "name"), [(JsonLines, "run.jsonl"), (Csv, "run.csv")])
def test_a_resumed_run_goes_on_in_its_file(logger, name, tmp_path):
    whole, resumed = tmp_path / "whole" / name, tmp_path / "resumed" / name
    log = logger(whole)
    for generation in range(1, 6):
        log(record(generation))
    log = logger(resumed)
    for generation in range(1, 5):  # killed here; the newest checkpoint was of generation 2
        log(record(generation))
    log = logger(resumed)
    for generation in range(3, 6):
        log(record(generation))
    assert resumed.read_text() == whole.read_text()


@pytest.mark.parametrize("logger", [JsonLines, Csv])
@pytest.mark.parametrize("content", ["something else\n", '{"a": 1}\n', "[1]\n"])
def test_another_file_is_refused_and_kept(logger, content, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"path: must be a new file or one of the same run's records, got .*notes\.txt"):
        logger(path)(record(1))
    assert path.read_text() == content


def test_tensorboard_gets_every_finite_field(tmp_path):
    log = TensorBoard(tmp_path, prefix="first/")
    log(TrainingRecord(0, float("nan"), 0.5, 0.25, 1.0))
    log(TrainingRecord(10, 0.75, 0.625, 0.5, 2.0))
    log.close()
    points = [(event.step, value.tag, value.simple_value) for event in events(tmp_path) for value in event.summary.value]
    assert points == [
        (0, "first/held_out_score", 0.5),
        (0, "first/median_score", 0.25),
        (0, "first/seconds", 1.0),
        (10, "first/training_score", 0.75),
        (10, "first/held_out_score", 0.625),
        (10, "first/median_score", 0.5),
        (10, "first/seconds", 2.0),
    ]


def test_tensorboard_of_a_resumed_run_voids_what_comes_again(tmp_path):
    for start in (1, 3):
        log = TensorBoard(tmp_path)
        for generation in range(start, start + 3):
            log(record(generation))
        log.close()
    assert [event.step for event in events(tmp_path) if event.session_log.status == 1] == [3]


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r'pip install "wannjax\[tensorboard\]"'):
        TensorBoard("somewhere")
