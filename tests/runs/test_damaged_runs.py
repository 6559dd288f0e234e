"""What can go wrong with a run directory: a table of faults, and what becomes of a run that is resumed.

After every fault either the newest sound checkpoint is used, with a warning that names the damaged ones, or one error says what is wrong.
Whichever it is, nothing that was saved and is sound gets lost.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import saved_run
from marking import slow

import wannjax
from wannjax.cli import main
from wannjax.runs.checkpoints import Checkpoint, Checkpoints, _digest, _files
from wannjax.runs.resuming import locked

pytestmark = pytest.mark.usefixtures("without_report")

GENERATIONS = 5
CHUNK = "arrays/state.genomes.enabled/0.0.0"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("run")
    saved_run.quick(directory, generations=GENERATIONS)
    return directory


@pytest.fixture(scope="module")
def outcome():
    return saved_run.outcome(saved_run.quick(None, generations=GENERATIONS + 1))


def flip(path: Path, at: float = 0.5) -> None:
    content = bytearray(path.read_bytes())
    content[int(at * (len(content) - 1))] ^= 4
    path.write_bytes(content)


def cut(path: Path, keep: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])


def forge(folder: Path, change: Callable[[dict], object], file: str = "state.json") -> None:
    """Changes the JSON in `file`, and the manifest so that it fits: damage that no checksum shows."""
    document = json.loads((folder / file).read_text())
    change(document)
    (folder / file).write_text(json.dumps(document))
    seal(folder)


def seal(folder: Path) -> None:
    files = {path: {"bytes": (folder / path).stat().st_size, "sha256": _digest(folder / path)} for path in _files(folder)}
    files.pop("manifest.json", None)
    (folder / "manifest.json").write_text(json.dumps(files))


def replaced(folder: Path, **changes: Callable[[np.ndarray], np.ndarray]) -> None:
    """Rewrites the checkpoint with other arrays, as whoever wants to harm could."""
    checkpoints = Checkpoints(folder.parent)
    found = checkpoints.newest()
    arrays = {
        name: changes[name.replace(".", "_")](array) if name.replace(".", "_") in changes else array for name, array in found.arrays.items()
    }
    document = {key: value for key, value in found.document.items() if key not in ("format", "version", "number")}
    checkpoints.save(Checkpoint(found.number, document, arrays))


def linked(path: Path, elsewhere: Path) -> None:
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


def replaced_by_link(path: Path, elsewhere: Path) -> None:
    path.unlink()
    path.symlink_to(elsewhere)


def as_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("not a folder")


def left_behind(folder: Path) -> None:
    shutil.copytree(folder, folder.parent / ".incoming")
    cut(folder.parent / ".incoming" / CHUNK, 0.3)


def shape_of_genomes(shape):
    return lambda document: document["arrays"]["state.genomes.enabled"].update(shape=shape)


OLDER, SAME, ANEW = "an older checkpoint is used", "the newest is used", "the run starts anew"

FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "an array is truncated": (lambda newest: cut(newest / CHUNK, 0.7), OLDER),
    "an array is empty": (lambda newest: cut(newest / CHUNK, 0), OLDER),
    "a bit of an array has flipped": (lambda newest: flip(newest / CHUNK), OLDER),
    "a bit of the document has flipped": (lambda newest: flip(newest / "state.json"), OLDER),
    "a bit of the manifest has flipped": (lambda newest: flip(newest / "manifest.json"), OLDER),
    "the manifest is truncated": (lambda newest: cut(newest / "manifest.json", 0.5), OLDER),
    "the manifest is empty": (lambda newest: cut(newest / "manifest.json", 0), OLDER),
    "the manifest is missing": (lambda newest: (newest / "manifest.json").unlink(), OLDER),
    "the manifest is nested too deeply": (lambda newest: (newest / "manifest.json").write_text("[" * 100_000), OLDER),
    "the document is missing": (lambda newest: (newest / "state.json").unlink(), OLDER),
    "the document is not text": (lambda newest: (newest / "state.json").write_bytes(b"\xff\xfe\x00"), OLDER),
    "an array is missing": (lambda newest: shutil.rmtree(newest / "arrays/scores"), OLDER),
    "all arrays are missing": (lambda newest: shutil.rmtree(newest / "arrays"), OLDER),
    "the library's metadata are missing": (lambda newest: (newest / "arrays/_METADATA").unlink(), OLDER),
    "everything in it is missing": (lambda newest: [shutil.rmtree(newest), newest.mkdir()], OLDER),
    "it is a file": (as_file, OLDER),
    "a foreign file lies in it": (lambda newest: (newest / "arrays/notes.txt").write_text("mine"), OLDER),
    "a file is a link": (lambda newest: linked(newest / CHUNK, newest.parent.parent / "chunk"), OLDER),
    "its manifest is a device without end": (lambda newest: replaced_by_link(newest / "manifest.json", Path("/dev/zero")), OLDER),
    "its manifest is a pipe": (lambda newest: [(newest / "manifest.json").unlink(), os.mkfifo(newest / "manifest.json")], OLDER),
    "it is a link": (lambda newest: linked(newest, newest.parent.parent / "elsewhere"), OLDER),
    "it is an older one under its name": (
        lambda newest: [shutil.rmtree(newest), shutil.copytree(newest.with_name("00000004"), newest)],
        OLDER,
    ),
    "the two newest are damaged": (lambda newest: [flip(newest / CHUNK), cut(newest.with_name("00000004") / CHUNK, 0.5)], OLDER),
    "a write was cut off": (left_behind, SAME),
    "foreign things lie beside it": (lambda newest: [(newest.parent / "7").mkdir(), (newest.parent / "notes").write_text("mine")], SAME),
    "older ones are missing": (lambda newest: shutil.rmtree(newest.with_name("00000004")), SAME),
    "older ones are damaged": (lambda newest: flip(newest.with_name("00000004") / CHUNK), SAME),
    "it is of another format": (lambda newest: forge(newest, lambda document: document.update(format="other")), OLDER),
    "it is of a later version": (lambda newest: forge(newest, lambda document: document.update(version=9)), OLDER),
    "it holds NaN": (lambda newest: forge(newest, lambda document: document.update(seconds=float("nan"))), OLDER),
    "it claims an enormous array": (lambda newest: forge(newest, shape_of_genomes([48, 10**6, 10**6])), OLDER),
    "it claims a negative shape": (lambda newest: forge(newest, shape_of_genomes([-48, -38, 33])), OLDER),
    "it claims objects": (lambda newest: forge(newest, lambda document: document["arrays"]["scores"].update(dtype="object")), OLDER),
    "it names a path outside": (
        lambda newest: forge(newest, lambda d: d["arrays"].update({"../../x": {"shape": [1], "dtype": "int8"}})),
        OLDER,
    ),
    "zarr claims an enormous array": (
        lambda newest: forge(newest, lambda zarr: zarr.update(shape=[10**12], chunks=[10**12]), "arrays/scores/.zarray"),
        OLDER,
    ),
    "zarr claims compression": (
        lambda newest: forge(newest, lambda zarr: zarr.update(compressor={"id": "zstd", "level": 1}), "arrays/scores/.zarray"),
        OLDER,
    ),
    "the library's metadata name a path outside": (
        lambda newest: forge(
            newest, lambda tree: tree["tree_metadata"]["('scores',)"]["key_metadata"][0].update(key="../x"), "arrays/_METADATA"
        ),
        OLDER,
    ),
    "the library's metadata are of another kind": (
        lambda newest: forge(newest, lambda tree: tree.update(use_ocdbt=True), "arrays/_METADATA"),
        OLDER,
    ),
    "all are damaged": (lambda newest: [flip(folder / CHUNK) for folder in newest.parent.iterdir()], "checkpoints: must be sound"),
    "all are missing": (lambda newest: shutil.rmtree(newest.parent), ANEW),
    "its folder is a file": (lambda newest: as_file(newest.parent), "checkpoint 1: cannot be written"),
    "it is of another seed": (lambda newest: forge(newest, lambda d: d.update(seed=4)), "run_dir: must be of a run with seed 3, got 4"),
    "it is of other settings": (
        lambda newest: forge(newest, lambda document: document["config"].update(episodes=9)),
        "run_dir: must be of a run with config.episodes 2, got 9",
    ),
    "it claims an enormous capacity": (
        lambda newest: forge(newest, lambda document: document.update(capacities={"steps": 10**9})),
        "checkpoint: must be the capacities steps",
    ),
    "its settings are missing": (
        lambda newest: forge(newest, lambda document: document.pop("config")),
        "run_dir: must be of a run with config",
    ),
    "its time is text": (
        lambda newest: forge(newest, lambda document: document.update(seconds="soon")),
        "of a run with its seconds, got 'soon'",
    ),
    "an array of it is missing without a trace": (
        lambda newest: replaced(newest, records=lambda array: array[:-1]),
        "checkpoint: must be of generation 5, got 4",
    ),
    "its genes are rubbish": (
        lambda newest: replaced(newest, state_genomes_activations=lambda array: np.full_like(array, 77)),
        "checkpoint: must be of networks that can run",
    ),
    "its archive points at what is not there": (
        lambda newest: replaced(newest, archive_network_sources=lambda array: array + 1000),
        "checkpoint: must be of networks that can run",
    ),
    "its scores are of another shape": (
        lambda newest: replaced(newest, scores=lambda array: array[:, :2]),
        "checkpoint: must be scores of the population",
    ),
    "its genomes are of another type": (
        lambda newest: replaced(newest, state_genomes_enabled=lambda array: array.astype(np.float32)),
        "checkpoint: must be an array of type uint32",
    ),
    "its population is another": (
        lambda newest: replaced(newest, state_genomes_enabled=lambda array: array[:7]),
        "makes no sense",
    ),
}


QUICK = {
    "a bit of an array has flipped",
    "the manifest is missing",
    "it is a link",
    "a write was cut off",
    "it claims an enormous array",
    "all are damaged",
    "its genes are rubbish",
}
"""The faults that the default suite tries; CI tries all."""


@pytest.mark.parametrize("fault", [*sorted(QUICK), *slow(*(fault for fault in FAULTS if fault not in QUICK))])
def test_a_damaged_run_is_resumed_or_refused_with_one_clear_error(fault, run, outcome, tmp_path):
    damage, expected = FAULTS[fault]
    directory = tmp_path / "run"
    shutil.copytree(run, directory)
    damage(directory / "checkpoints/00000005")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        if expected in (OLDER, SAME, ANEW):
            assert saved_run.outcome(saved_run.quick(directory, resume=True, generations=GENERATIONS + 1)) == outcome
            assert Checkpoints(directory / "checkpoints").newest().number == GENERATIONS + 1
        else:
            with pytest.raises((ValueError, OSError), match=expected) as caught:
                saved_run.quick(directory, resume=True, generations=GENERATIONS + 1)
            assert "\n" not in str(caught.value)
    messages = [str(each.message) for each in warned]
    assert any("damaged checkpoints are passed over: 5" in message for message in messages) == (expected == OLDER)


def test_the_table_is_long_enough():
    assert len(FAULTS) >= 25


def test_two_runs_in_one_directory_are_refused(tmp_path):
    with locked(tmp_path), pytest.raises(ValueError, match="run_dir: must be used by one process at a time"):
        saved_run.quick(tmp_path, generations=1)


def test_a_lock_dies_with_its_process(tmp_path):
    code = f"from pathlib import Path; from wannjax.runs.resuming import locked\nwith locked(Path({str(tmp_path)!r})): print('in', flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    with pytest.raises(ValueError, match="one process at a time"), locked(tmp_path):
        pass
    process.kill()
    process.communicate()
    with locked(tmp_path):
        pass


def test_a_run_that_is_there_is_not_replaced(run):
    before = Checkpoints(run / "checkpoints").numbers()
    with pytest.raises(ValueError, match="run_dir: must be without checkpoints, or to be resumed: it holds number 5"):
        saved_run.quick(run, generations=1)
    assert Checkpoints(run / "checkpoints").numbers() == before


def test_a_directory_that_cannot_be_written_is_an_error_before_the_first_generation():
    with pytest.raises(OSError, match="nothing"):
        saved_run.quick(Path("/proc/nothing/here"), generations=1, callbacks=[lambda _: pytest.fail("a generation was run")])


def test_checkpoints_that_vanish_during_a_run_are_written_again(tmp_path):
    def remove(record):
        if record.generation == 2:
            shutil.rmtree(tmp_path / "checkpoints")

    saved_run.quick(tmp_path, generations=3, callbacks=[remove])
    assert Checkpoints(tmp_path / "checkpoints").numbers() == [3, 2]


# orbax leaves its threads' event loops half closed when it cannot write
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_full_disk_ends_the_run_and_keeps_what_was_saved(tmp_path):
    """The limit on a file's size stands for the disk: the arrays outgrow it when the run comes to its fourth generation."""

    def fill(record):
        if record.generation == 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(OSError, match=r"checkpoint 4: cannot be written to .*; the last one that was saved is 3") as caught:
            saved_run.quick(tmp_path, callbacks=[fill])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "checkpoints").glob(".incoming*"))
    assert Checkpoints(tmp_path / "checkpoints").newest().number == 3
    assert saved_run.outcome(saved_run.quick(tmp_path, resume=True)) == saved_run.outcome(saved_run.quick(None))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_a_full_file_system_ends_the_run_and_keeps_what_was_saved(tmp_path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(OSError, match="cannot be written"):
            saved_run.quick(tmp_path)
        saved = Checkpoints(tmp_path / "checkpoints").newest().number
        for number in Checkpoints(tmp_path / "checkpoints").numbers()[1:]:
            shutil.rmtree(tmp_path / f"checkpoints/{number:08d}")
        assert saved_run.quick(tmp_path, resume=True, generations=saved).history["generation"][-1] == saved
    finally:
        subprocess.run(["umount", tmp_path], check=True)


class Moody(wannjax.Problem):
    """Scores that are given, generation by generation; an exception among them is raised."""

    name, inputs, outputs = "moody", 2, 1
    input_names, output_names, output_activation = ("a", "b"), ("c",), "linear"

    def __init__(self, moods):
        self.moods, self.calls = moods, 0

    def evaluate(self, key, networks, weights, *, episodes, activation_ids=()):
        shape = (networks.activations.shape[0], len(weights))
        scores = np.random.default_rng(int(np.asarray(networks.sources).sum())).normal(size=shape)
        if episodes == 2:  # of the search, not of a confirmation
            self.calls += 1
            mood = self.moods.get(self.calls)
            if isinstance(mood, Exception):
                raise mood
            scores = scores if mood is None else np.full(shape, mood)
        return wannjax.Evaluation(scores, np.ones(shape, np.int32), np.float32(scores.size))


MOODY = wannjax.WannConfig(population=16, generations=6, episodes=2, confirm_episodes=4)


@pytest.mark.parametrize("poison", [np.nan, *slow(np.inf, -np.inf, 1e38, -1e300)])
def test_a_generation_without_any_finite_score_ends_the_run_and_is_saved(poison, tmp_path):
    with pytest.raises(ValueError, match="problem: moody gave no finite score to any network of generation 4") as caught:
        wannjax.evolve(Moody({4: poison}), MOODY, progress=False, run_dir=tmp_path)
    assert any("the run up to number 3 is saved" in note for note in caught.value.__notes__)
    resumed = wannjax.evolve(Moody({}), MOODY, progress=False, run_dir=tmp_path, resume=True)
    assert saved_run.outcome(resumed) == saved_run.outcome(wannjax.evolve(Moody({}), MOODY, progress=False))


def test_a_problem_that_raises_ends_the_run_and_it_is_saved(tmp_path):
    with pytest.raises(RuntimeError, match="no more") as caught:
        wannjax.evolve(Moody({3: RuntimeError("no more")}), MOODY, progress=False, run_dir=tmp_path)
    assert any("the run up to number 2 is saved" in note for note in caught.value.__notes__)
    assert Checkpoints(tmp_path / "checkpoints").newest().number == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resume", "nowhere"], "nowhere: no such run or file"),
        (["resume", "."], "run directory: must hold checkpoints"),
        (["evolve", "CartPole-v1", "--save-every", "-1", "--out", "x"], "save_every: must be seconds >= 0, got -1.0"),
    ],
)
def test_bad_arguments_are_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
