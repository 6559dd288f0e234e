"""A search whose processes hold different islands: it finds what one process finds, saves itself in shares, and goes on with any number."""

import re
import shutil
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import saved_run
from as_threads import in_processes
from marking import slow
from saved_run import ISLANDS, OfTapes, islands, islands_of_species, outcome, without_costs

import wannjax
from wannjax.common import hosts
from wannjax.runs.checkpoints import Checkpoints
from wannjax.runs.exchange import Exchange
from wannjax.runs.run import Run
from wannjax.runs.shares import write_share

pytestmark = pytest.mark.usefixtures("without_report")

NEWEST = f"checkpoints/{ISLANDS.generations:08d}"


def found(result):
    return without_costs(outcome(result))


@pytest.fixture(scope="module")
def expected():
    return found(islands(None))


@pytest.fixture(scope="module")
def saved(tmp_path_factory, without_report):
    """A run of two processes."""
    directory = tmp_path_factory.mktemp("run")
    in_processes(2, lambda _: islands(directory))
    return directory


@pytest.mark.parametrize("count", [2, *slow(3, 4)])
def test_any_number_of_processes_finds_what_one_finds(count, expected):
    assert [found(result) for result in in_processes(count, lambda _: islands(None))] == [expected] * count


@pytest.mark.slow
@pytest.mark.nightly
def test_species_stay_on_their_islands_too(tmp_path):
    expected = found(islands_of_species(None))
    for count in (2, 4):
        assert [found(result) for result in in_processes(count, lambda _: islands_of_species(None))] == [expected] * count
    in_processes(3, lambda _: islands_of_species(tmp_path, generations=5))
    assert [found(result) for result in in_processes(2, lambda _: islands_of_species(tmp_path, resume=True))] == [expected] * 2


def test_each_process_scores_and_breeds_its_own_islands_only():
    scored = []

    class Watched(OfTapes):
        def evaluate(self, key, networks, weights, **settings):
            scored.append(len(networks.steps))
            return super().evaluate(key, networks, weights, **settings)

    def states(_):
        run = Run(Watched(), ISLANDS.replace(candidates=2), 3)
        run.advance()
        return list(run.bred[0]), run.exchange.numbers

    assert in_processes(3, states) == [([0], range(1)), ([1], range(1, 2)), ([2, 3], range(2, 4))]
    assert sorted(size for size in scored if size > 4) == [12, 12, 24]


def test_more_processes_than_islands_hold_all_of_them():
    exchanges = in_processes(3, lambda _: Exchange(48, 2))
    assert [(exchange.apart, exchange.numbers) for exchange in exchanges] == [(False, range(2))] * 3


def test_little_travels(monkeypatch):
    sent, gather_rows = list[int](), hosts.gather_rows

    def noted(parts):
        sent.append(sum(max(lengths) * array[:1].nbytes for array, lengths in parts))
        return gather_rows(parts)

    monkeypatch.setattr(hosts, "gather_rows", noted)
    in_processes(2, lambda _: Run(OfTapes(), ISLANDS, 3).advance())
    networks, islands_ = 24, 2
    overview, needs = networks * (4 + 4 + 1) + 4 + 3 * 8, islands_ * 2 * 8
    assert len(sent) == 8  # with the candidates
    assert sent.count(overview) == 2
    assert sent.count(needs) == 4  # in the beginning, and after the generation


@pytest.mark.slow
@pytest.mark.nightly
def test_it_goes_on_with_any_number_of_processes(tmp_path, expected):
    (after_five,) = {tuple(map(str, found(each))) for each in in_processes(4, lambda _: islands(tmp_path, generations=5))}
    assert len(list((tmp_path / "checkpoints/00000005/shares").iterdir())) == 4
    in_processes(2, lambda _: islands(tmp_path, generations=7, resume=True))
    in_processes(5, lambda _: islands(tmp_path, generations=8, resume=True))  # each of which holds all islands
    islands(tmp_path, generations=9, resume=True)
    assert [found(each) for each in in_processes(3, lambda _: islands(tmp_path, resume=True))] == [expected] * 3
    assert after_five == tuple(found(islands(None, generations=5)))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-7] ^= 4
    path.write_bytes(content)


def share(directory, number):
    return directory / NEWEST / "shares" / f"{number:04d}"


def older(directory):
    return directory / f"checkpoints/{ISLANDS.generations - 1:08d}"


def exchanged(directory):
    """The shares of one another."""
    one, other = share(directory, 0), share(directory, 1)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def enormous(directory):
    head = b'{"scores.1": {"shape": [1000000, 1000000], "dtype": "int8"}}\n'
    share(directory, 1).write_bytes(head + share(directory, 1).read_bytes()[len(head) :])


FAULTS = {
    "a share is missing": (lambda d: share(d, 1).unlink(), "it has 2 shares, and there are 0000"),
    "all shares are missing": (lambda d: shutil.rmtree(share(d, 1).parent), "it has 2 shares, and there are none"),
    "a bit of a share has flipped": (lambda d: flip(share(d, 1)), "share 0001 has changed, or is another checkpoint's"),
    "a share is truncated": (lambda d: share(d, 1).write_bytes(share(d, 1).read_bytes()[:-9]), "share|0001 has"),
    "a share is empty": (lambda d: share(d, 0).write_bytes(b""), ""),
    "a share is of another generation": (lambda d: shutil.copy(older(d) / "shares/0001", share(d, 1)), "another checkpoint's"),
    "shares are exchanged": (exchanged, "another checkpoint's"),
    "a foreign share is there": (
        lambda d: write_share(share(d, 2), {"scores.9": np.zeros(3)}),
        "it has 2 shares, and there are 0000, 0001, 0002",
    ),
    "a share claims an enormous array": (enormous, "0001 has .* bytes of arrays, not 1000000000000"),
    "a share is a link": (lambda d: [share(d, 1).unlink(), share(d, 1).symlink_to(share(d, 0))], "it contains links"),
    "a share is a folder": (lambda d: [share(d, 1).unlink(), share(d, 1).mkdir()], ""),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("count", [1, *slow(2)])
def test_a_damaged_checkpoint_of_shares_is_passed_over(fault, count, saved, expected, tmp_path, monkeypatch):
    directory = shutil.copytree(saved, tmp_path / "run")
    damage, message = FAULTS[fault]
    damage(directory)
    said = []  # here, since what records warnings elsewhere is not for several threads
    monkeypatch.setattr(warnings, "warn", lambda message, *_, **__: said.append(str(message)))
    results = in_processes(count, lambda _: islands(directory, resume=True))
    monkeypatch.undo()
    assert any(re.search(f"damaged checkpoints are passed over: 12 .*{message}.* number 11 is sound", each) for each in said)
    assert [found(result) for result in results] == [expected] * count
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Checkpoints(directory / "checkpoints").newest().number == 12


def test_where_one_process_cannot_write_none_does_and_the_last_checkpoint_stays(tmp_path, monkeypatch):
    def full(path, arrays):
        if hosts.index() == 1 and "00000004" in str(path):
            raise OSError(28, "No space left on device")
        write_share(path, arrays)

    monkeypatch.setattr("wannjax.runs.checkpoints.write_share", full)
    said = []

    def run(_):
        try:
            islands(tmp_path)
        except OSError as error:
            said.append(str(error))

    in_processes(2, run)
    assert all("checkpoint 4: cannot be written" in line and "the last one that was saved is 3" in line for line in said)
    assert sorted("another process could not" in line for line in said) == [False, True]
    assert Checkpoints(tmp_path / "checkpoints").newest().number == 3
    assert not list((tmp_path / "checkpoints").glob(".incoming*"))


def test_a_disk_that_is_not_shared_is_named(saved, tmp_path):
    with pytest.raises(OSError, match=r"it is on no disk that all processes share|another process could not write its share"):
        in_processes(2, lambda index: islands(tmp_path / str(index)))
    directories = [shutil.copytree(saved, tmp_path / "run"), tmp_path / "elsewhere"]
    with pytest.raises(ValueError, match="run_dir: must be on a disk that all processes share, with checkpoint 12 sound in it"):
        in_processes(2, lambda index: islands(directories[index], resume=True))


def test_a_search_that_finds_no_score_ends_in_all(tmp_path):
    class Silent(OfTapes):
        def evaluate(self, key, networks, weights, **settings):
            found = super().evaluate(key, networks, weights, **settings)
            return found._replace(scores=np.full_like(found.scores, np.nan))

    def run(_):
        with pytest.raises(ValueError, match="gave no finite score to any network of generation 1"):
            wannjax.evolve(Silent(), ISLANDS, progress=False)

    in_processes(2, run)


def test_an_island_without_scores_goes_on(expected):
    class Partly(OfTapes):
        """Networks of few sources have no score: all of an island's, perhaps."""

        def evaluate(self, key, networks, weights, **settings):
            found = super().evaluate(key, networks, weights, **settings)
            return found._replace(scores=np.where(found.scores < np.median(found.scores), np.nan, found.scores))

    # What is the median depends on who is scored together, so that only the end is looked at.
    results = in_processes(2, lambda _: saved_run.search(None, problem=Partly(), config=ISLANDS))
    assert found(results[0]) == found(results[1])


@pytest.mark.slow
@pytest.mark.nightly
def test_a_slow_disk_of_one_process_is_waited_for(tmp_path, expected, monkeypatch):
    def slow(path, arrays):
        if hosts.index() == 1:
            time.sleep(0.3)
        write_share(path, arrays)

    monkeypatch.setattr("wannjax.runs.checkpoints.write_share", slow)
    assert [found(result) for result in in_processes(2, lambda _: islands(tmp_path))] == [expected] * 2
    assert found(islands(tmp_path, resume=True)) == expected


def test_what_the_first_process_refuses_all_refuse(saved, tmp_path):
    directory, said = shutil.copytree(saved, tmp_path / "run"), []

    def run(_):
        with pytest.raises(ValueError, match=r"^run_dir: must be without checkpoints, or to be resumed: it holds number 12") as error:
            islands(directory, resume=False)
        said.append(str(error.value))

    in_processes(2, run)
    assert len(set(said)) == 1
