"""Files: whole or not at all, refused unread where they are no files, and one line for whatever is wrong with one."""

import csv
import json
import os

import pytest

from wannjax.common.files import (
    LARGEST_FILE,
    check_header,
    parse_json,
    parse_score,
    read_document,
    read_text,
    reading,
    replacing,
    write_text,
)

TROUBLE = "not a list of things"


def raising(error):
    def parse(_document):
        raise error

    return parse


@pytest.fixture
def path(tmp_path):
    return tmp_path / "things.json"


def test_a_document_is_parsed(path):
    path.write_text('{"format": "things", "version": 1, "things": [1, 2]}')
    assert read_document(path, TROUBLE, lambda document: document["things"]) == [1, 2]
    assert read_document(str(path), TROUBLE, lambda document: document["things"], "things") == [1, 2]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"format": "things", "version": 1}', "'things' is missing"),
        ('{"format": "others", "version": 1}', 'its "format" is not "things"'),
        ('{"format": "things", "version": 2}', "its version is 2, and this wannjax reads version 1"),
        ("[]", 'its "format" is not "things"'),
        ("{", "Expecting property name"),
        ("", "Expecting value"),
        ("[NaN]", "it contains NaN"),
        ("[-Infinity]", "it contains -Infinity"),
        (r'"\ud800"', "it contains half of a surrogate pair"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_a_document_that_is_another_is_one_line(path, text, reason):
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"things\.json: {TROUBLE}: {reason}") as caught:
        read_document(path, TROUBLE, lambda document: document["things"], "things")
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("name"), "'name' is missing"),
        (IndexError("far"), "far"),
        (TypeError("no number"), "no number"),
        (OverflowError("too large"), "too large"),
        (RecursionError("maximum recursion depth"), "it is nested too deeply"),
        (ValueError("first\nsecond"), "first"),
        (ValueError(), "ValueError"),
        (ValueError("x" * 10_000), "x" * 500 + "…"),
    ],
    ids=repr,
)
def test_what_parsing_raises_is_one_short_line(path, error, reason):
    path.write_text("{}")
    with pytest.raises(ValueError, match=TROUBLE) as caught:
        read_document(path, TROUBLE, raising(error))
    assert str(caught.value) == f"{path}: {TROUBLE}: {reason}"


def test_a_fault_of_the_program_is_not_the_files(path):
    path.write_text("{}")
    with pytest.raises(AssertionError, match="mine"):
        read_document(path, TROUBLE, raising(AssertionError("mine")))


def test_a_file_that_is_not_there_names_itself(path):
    with pytest.raises(FileNotFoundError, match=r"things\.json"):
        read_document(path, TROUBLE, dict)


def test_other_readers_say_what_they_raise(path):
    with pytest.raises(ValueError, match=rf"things\.json: {TROUBLE}: a quote"), reading(path, TROUBLE, (csv.Error,)):
        raise csv.Error("a quote")
    with pytest.raises(csv.Error, match="a quote"), reading(path, TROUBLE):
        raise csv.Error("a quote")


def test_of_errors_of_the_system_those_that_name_a_file_pass(path):
    with pytest.raises(ValueError, match=f"{TROUBLE}: Not a gzipped file"), reading(path, TROUBLE, (OSError,)):
        raise OSError("Not a gzipped file")
    with pytest.raises(FileNotFoundError), reading(path, TROUBLE, (OSError,)):
        path.read_bytes()


def test_what_is_no_file_is_refused_unread(path, tmp_path):
    os.mkfifo(path)
    (tmp_path / "endless").symlink_to("/dev/zero")
    for other in (path, tmp_path / "endless", tmp_path):
        with pytest.raises(ValueError, match="is not a file, but a directory, device or pipe"):
            read_text(other)


def test_a_file_that_is_too_large_is_refused_unread(path):
    with open(path, "wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(ValueError, match=f"has {LARGEST_FILE + 1} bytes, more than the {LARGEST_FILE}"):
        read_text(path)


def test_what_is_not_text_is_refused(path):
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"things\.json: is not text"):
        read_text(path)


def test_a_text_is_read_as_it_was_written(path):
    write_text(path, "θ = 1\r\n\n→")
    assert read_text(path) == "θ = 1\r\n\n→"


def test_a_file_is_replaced_whole_or_not_at_all(path, tmp_path):
    path.write_text("before")

    def write_half():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == [path.name]


def test_a_link_is_replaced_and_not_followed(path, tmp_path):
    (tmp_path / "outside").write_text("precious")
    path.symlink_to(tmp_path / "outside")
    write_text(path, "mine")
    assert (tmp_path / "outside").read_text() == "precious"
    assert not path.is_symlink()


@pytest.mark.parametrize("value", [True, None, "1", float("nan"), float("inf"), 10**400, [1.0]], ids=str)
def test_a_score_is_a_finite_number(value):
    with pytest.raises((ValueError, OverflowError)):
        parse_score(value)
    assert parse_score(3) == 3.0


def test_what_json_reads_it_can_write_again():
    for text in ('{"a": [1, 2.5, null, true, "θ"]}', '"\\ud83d\\ude00"'):
        assert json.loads(json.dumps(parse_json(text))) == json.loads(text)


def test_a_header_names_the_format_and_the_version():
    check_header({"format": "things", "version": 1}, "things")
    for document in (None, [], {}, {"format": "things"}, {"version": 1}):
        with pytest.raises(ValueError, match="its"):
            check_header(document, "things")
