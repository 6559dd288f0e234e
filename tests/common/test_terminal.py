"""The screen: text stands as it is, whatever is on the other side."""

import io
import os
import sys

import pytest
from rich.console import Console

from wannjax.common import terminal
from wannjax.common.wording import counted, near, printable

NASTY = "out/run[seed=1] [m/s] [bold]x[/] :smile: $x_^"


def test_text_is_printed_as_it_stands_and_not_wrapped_where_there_is_no_terminal(capsys):
    line = f"{NASTY} {'long ' * 60}end"
    terminal.say(line)
    assert capsys.readouterr().out == line + "\n"


def test_a_table_shows_its_cells_as_they_stand_on_any_console_and_whole_on_ours(capsys):
    table = terminal.LiteralTable()
    table.add_column(f"head {NASTY}")
    table.add_column("wide")
    table.add_row(NASTY, "w" * 150)
    terminal.say(table)
    text = capsys.readouterr().out
    assert f"head {NASTY}" in text
    assert "w" * 150 in text
    other = io.StringIO()
    Console(file=other, width=300).print(table)
    assert text == other.getvalue()


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", "0.1 +- 0.2 -> 3 x ? ... ?"), ("cp1252", "0.1 ± 0.2 -> 3 × ? … ?"), ("utf-8", "0.1 ± 0.2 → 3 × θ … 🙂")],
)
def test_signs_that_an_encoding_lacks_become_plain_ones(encoding, shown, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.print_anything()
    terminal.say("0.1 ± 0.2 → 3 × θ … 🙂")
    assert stream.buffer.getvalue().decode(encoding) == shown + "\n"


def test_a_reader_that_has_gone_stops_nothing(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        terminal.say("nobody reads this")
        stream.write("nor this")
        terminal.flush()


def test_a_full_disk_is_an_error(monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        stream.write("lost")
        with pytest.raises(OSError, match="No space left"):
            terminal.flush()


def test_one_is_one_and_more_are_several():
    assert [counted(number, "connection") for number in (0, 1, 2, 1.0, 1.5)] == [
        "0 connections",
        "1 connection",
        "2 connections",
        "1 connection",
        "1.5 connections",
    ]


def test_near_names_are_the_nearest_first_and_none_where_nothing_is_near():
    assert near("cartpole-v9", ["Pendulum-v1", "CartPole-v1", "CartPoleSwingUp-v0"])[0] == "CartPole-v1"
    assert near("xyz", ["Pendulum-v1"]) == []


def test_what_cannot_be_printed_is_escaped():
    assert printable("a\x1b[31m\nθ") == "a\\x1b[31m\\nθ"
