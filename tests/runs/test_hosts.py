"""A search that several processes share: it finds what one finds; when one dies the others end, and the run goes on with any number."""

import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import saved_run
from as_threads import in_processes

import wannjax
from wannjax.common import hosts

SCRIPT = Path(saved_run.__file__)
LIMIT = 60.0
"""Seconds within which the others must have ended."""


@pytest.fixture(scope="module")
def expected():
    return saved_run.without_costs(saved_run.outcome(saved_run.quick(None)))


def started(count, directory, kind="quick"):
    """That many processes on one run. Where each holds islands of its own they have one directory; elsewhere each has one, and for all but
    the first it stays empty."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    return [
        subprocess.Popen(
            [
                sys.executable,
                SCRIPT,
                kind,
                str(directory) + ("" if kind.startswith("islands") else str(i or "")),
                "1",
                coordinator,
                str(count),
                str(i),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(count)
    ]


def outcomes(processes):
    found = []
    for process in processes:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        found.append(saved_run.without_costs(output.split("found\n")[1].splitlines()))
    return found


def killed(processes, victim, after):
    """Kills one of them when the first has said that it completed generation `after`; what the others say, and their exit codes."""
    for line in processes[0].stdout:
        if line == f"at {after}\n":
            break
    processes[victim].kill()
    since, ends = time.monotonic(), []
    for process in processes:
        _, errors = process.communicate(timeout=LIMIT - (time.monotonic() - since))
        ends.append((process.returncode, errors))
    assert ends.pop(victim)[0] == -signal.SIGKILL
    return ends


def assert_ended_clearly(ends):
    for code, errors in ends:
        assert code == hosts.TRY_AGAIN, errors
        (line,) = [line for line in errors.splitlines() if line.startswith("wannjax: ")]
        assert "process" in line
        assert "Traceback" not in errors


@pytest.mark.slow
@pytest.mark.nightly
def test_two_processes_find_what_one_finds_and_go_on_when_one_was_killed(tmp_path, expected):
    ends = killed(started(2, tmp_path / "run"), victim=1, after=3)
    assert_ended_clearly(ends)
    assert "can be resumed" in ends[0][1]
    assert outcomes(started(2, tmp_path / "run")) == [expected, expected]
    assert not (tmp_path / "run1").exists()


@pytest.mark.nightly
def test_two_processes_train_as_one_does_and_go_on_when_one_was_killed(tmp_path):
    alone = saved_run.outcome(saved_run.training(None))
    assert_ended_clearly(killed(started(2, tmp_path / "run", "training"), victim=1, after=3))
    assert outcomes(started(2, tmp_path / "run", "training")) == [alone, alone]
    assert not (tmp_path / "run1").exists()


@pytest.mark.nightly
def test_two_processes_find_on_data_what_one_finds(tmp_path):
    alone = saved_run.without_costs(saved_run.outcome(saved_run.data(None)))
    assert outcomes(started(2, tmp_path / "run", "data")) == [alone, alone]


@pytest.mark.nightly
@pytest.mark.parametrize(("kind", "search"), [("host", saved_run.on_host), ("raced", saved_run.raced)])
def test_two_processes_share_the_episodes_of_an_environment_on_the_host(kind, search, tmp_path):
    expected = saved_run.without_costs(saved_run.outcome(search(None)))
    assert outcomes(started(2, tmp_path / "run", kind)) == [expected, expected]


@pytest.mark.slow
def test_islands_of_two_processes_find_what_one_finds_and_go_on_when_one_was_killed(tmp_path):
    alone = saved_run.without_costs(saved_run.outcome(saved_run.islands(None)))
    assert_ended_clearly(killed(started(2, tmp_path / "run", "islands"), victim=1, after=4))
    assert outcomes(started(2, tmp_path / "run", "islands")) == [alone, alone]


@pytest.mark.nightly
def test_islands_of_four_processes_are_killed_and_go_on_with_another_number(tmp_path):
    alone = saved_run.without_costs(saved_run.outcome(saved_run.islands(None)))
    for count, victim, after in [(4, 0, 3), (4, 3, 5), (2, 1, 7)]:
        assert_ended_clearly(killed(started(count, tmp_path / "run", "islands"), victim, after))
    assert outcomes(started(3, tmp_path / "run", "islands")) == [alone] * 3


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["islands on data", "islands raced", "islands of carts"])
def test_islands_of_two_and_four_processes_score_as_those_of_one(kind, tmp_path):
    alone = saved_run.without_costs(saved_run.outcome(saved_run.KINDS[kind](None)))
    for count in (2, 4):
        assert outcomes(started(count, tmp_path / f"run of {count}", kind)) == [alone] * count


@pytest.mark.nightly
def test_each_of_four_can_be_killed_and_the_run_goes_on_with_another_number(tmp_path, expected):
    for victim in range(4):
        assert_ended_clearly(killed(started(4, tmp_path / "run"), victim, after=2 * (victim + 1)))
    assert outcomes(started(3, tmp_path / "run")) == [expected] * 3


@pytest.mark.nightly
def test_the_first_of_two_can_be_killed_and_one_goes_on_alone(tmp_path, expected):
    assert_ended_clearly(killed(started(2, tmp_path / "run"), victim=0, after=3))
    assert saved_run.without_costs(saved_run.outcome(saved_run.quick(tmp_path / "run", resume=True))) == expected


@pytest.mark.nightly
def test_a_signal_to_one_ends_all_after_the_generation(tmp_path, expected):
    processes = started(2, tmp_path / "run")
    processes[0].stdout.readline()
    processes[1].send_signal(signal.SIGTERM)
    first, second = outcomes(processes)
    assert first == second != expected
    assert outcomes(started(2, tmp_path / "run")) == [expected, expected]


def test_shares_are_equally_many_and_hold_everything(monkeypatch):
    monkeypatch.setattr(hosts, "count", lambda: 4)
    lengths = np.array([5, 1, 9, 9, 2, 4, 7, 3, 8, 6])
    shares = hosts.shares_of(lengths)
    assert shares.shape == (4, 3)
    assert sorted(shares.ravel().tolist()) == sorted([*range(10), 1, 1])
    assert np.ptp(lengths[shares].sum(axis=1)) <= 9


@pytest.mark.parametrize("pieces", [4, 5, 11])
def test_parts_are_in_a_row_and_as_equal_as_can_be(pieces, monkeypatch):
    monkeypatch.setattr(hosts, "count", lambda: 4)
    parts = hosts.in_parts(pieces)
    assert [piece for part in parts for piece in part] == list(range(pieces))
    assert {len(part) for part in parts} <= {pieces // 4, pieces // 4 + 1}


def test_rows_of_all_are_in_the_order_of_the_processes():
    def rows(index):
        lengths = [3, 0, 2]
        own = np.full((lengths[index], 2), index, np.int16)
        return hosts.gather_rows([(own, lengths), (np.array([index / 2]), [1] * 3)])

    for pairs, halves in in_processes(3, rows):
        np.testing.assert_array_equal(pairs, [[0, 0]] * 3 + [[2, 2]] * 2)
        assert pairs.dtype == np.int16
        assert halves.tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("pieces", [1, 2, 3, 8])
def test_what_is_dealt_comes_back_in_its_order(pieces):
    def squares(places):
        assert len(places) >= min(pieces, 2)
        return [places**2, np.stack([places, -places], axis=1)]

    for found, pairs in in_processes(3, lambda _: hosts.dealt(pieces, squares)):
        assert found.tolist() == [place**2 for place in range(pieces)]
        assert pairs.tolist() == [[place, -place] for place in range(pieces)]


def test_what_the_first_one_refuses_all_refuse():
    asked = []

    def refuse(index):
        asked.append(index)
        raise ValueError("run directory: must be new")

    def run(index):
        hosts.by_first(lambda: None)
        with pytest.raises(ValueError, match=r"^run directory: must be new$"):
            hosts.by_first(partial(refuse, index))

    in_processes(3, run)
    assert asked == [0]


def test_messages_of_like_sizes_have_one():
    sizes = np.arange(1, 20_000)
    rooms = np.array([hosts._room(int(size)) for size in sizes])
    assert np.all((rooms >= sizes) & (rooms - sizes < np.maximum(64, sizes / 7)))
    assert len(np.unique(rooms)) < 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(coordinator="here"), "coordinator, processes, process: must be given all or none"),
        (dict(coordinator="here", processes=2, process=0), "coordinator: must be HOST:PORT, got 'here'"),
        (dict(coordinator="here:70000", processes=2, process=0), "coordinator: must be HOST:PORT"),
        (dict(coordinator="here:7000", processes=0, process=0), "processes: must be an integer >= 1, got 0"),
        (dict(coordinator="here:7000", processes=2, process=2), "process: must be an integer from 0 to 1, got 2"),
    ],
)
def test_arguments_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message), wannjax.distributed(**arguments):
        pass


def test_a_port_that_something_else_has_is_one_line():
    with socket.create_server(("", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with (
            pytest.raises(ValueError, match=rf"^coordinator: must be at a port that is free .*, got '{address}'$"),
            wannjax.distributed(address, processes=2, process=0),
        ):
            pass
