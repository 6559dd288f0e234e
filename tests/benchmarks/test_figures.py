"""The tables of the documentation: their blocks are found and filled, and name commands that there are."""

import argparse
import importlib
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.common import print_table
from benchmarks.figures import FILES, Block, blocks_of, printed_by, renew

ROOT = Path(__file__).parents[2]
BLOCKS = list(dict.fromkeys(block.command for path in FILES for block in blocks_of((ROOT / path).read_text())))
TEXT = """before

<!-- python -m benchmarks.one --seeds 0 1 -->

| old |
| --- |

<!-- end -->

between <!-- a comment -->

<!-- python -m benchmarks.two -->
<!-- end -->
"""
TABLE = "\n| new |\n| --- |\n\n"


class ParsedError(Exception):
    """The arguments of a command are fine."""


def test_a_block_is_a_command_and_what_stands_below_it():
    one, two = blocks_of(TEXT)
    assert one == Block("python -m benchmarks.one --seeds 0 1", "\n| old |\n| --- |\n\n")
    assert one.arguments == ["-m", "benchmarks.one", "--seeds", "0", "1"]
    assert one.names == {"one", "one --seeds 0 1"}
    assert two == Block("python -m benchmarks.two", "")


def test_blocks_are_filled_and_the_rest_of_a_file_stays(tmp_path):
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    page.write_text(TEXT)
    other.write_text(TEXT.replace("benchmarks.one", "benchmarks.three"))
    asked = []

    def run(block):
        asked.append(block.command)
        return TABLE

    assert renew([page, other], ["two"], check=True, run=run) == [f"{page}: python -m benchmarks.two", f"{other}: python -m benchmarks.two"]
    assert page.read_text() == TEXT
    assert asked == ["python -m benchmarks.two"]  # once for both files
    renew([page], [], check=False, run=run)
    old = "\n| old |\n| --- |\n\n"
    assert page.read_text() == TEXT.replace(old, TABLE).replace("two -->\n", f"two -->\n{TABLE}")
    assert renew([page], [], check=True, run=run) == []


def test_what_a_command_prints_as_tables_stands_in_a_block(tmp_path, monkeypatch, capsys):
    (tmp_path / "fake.py").write_text(
        "from benchmarks.common import print_table\n"
        "print('working | hard')\n"
        "print_table('Title', ['', 'score'], [['seed 0', '1 ± 2'], ['seed 1', '']], 'caption')\n"
        "print_table('Title', ['', 'score'], [['paper', '3']])\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    expected = "\n|  | score |\n| --- | --- |\n| seed 0 | 1 ± 2 |\n| seed 1 |  |\n\n|  | score |\n| --- | --- |\n| paper | 3 |\n\n"
    assert printed_by(Block("python -m fake", "")) == expected
    assert "working" in capsys.readouterr().err


def test_a_command_that_fails_ends_with_one_line():
    with pytest.raises(SystemExit, match=r"^python -m benchmarks.nothing: ended with 1$"):
        printed_by(Block("python -m benchmarks.nothing", ""))


def test_a_terminal_gets_a_drawn_table(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table("Title", ["", "score"], [["seed 0", "1"]])
    assert "└────────┴───────┘" in capsys.readouterr().out


def test_there_are_blocks():
    assert "python -m benchmarks.champions" in BLOCKS


@pytest.mark.parametrize("command", BLOCKS)
def test_commands_of_blocks_parse(command, monkeypatch):
    block, parse = Block(command, ""), argparse.ArgumentParser.parse_args
    name = block.arguments[1]

    def parse_and_end(parser, *_):
        parse(parser, block.arguments[2:])
        raise ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_end)
    with pytest.raises(ParsedError):
        importlib.import_module(f"{name}.__main__" if find_spec(name).submodule_search_locations else name).main()


def test_no_block_of_the_documentation_is_empty():
    blocks = [block for path in FILES for block in blocks_of((ROOT / path).read_text("utf-8"))]
    assert len(blocks) > 10
    assert [block.command for block in blocks if "| --- |" not in block.content] == []


def test_a_command_that_lacks_something_leaves_its_block(tmp_path):
    (tmp_path / "lacking.py").write_text("raise SystemExit(2)")
    block = Block(f"python {tmp_path / 'lacking.py'}", "\n| old |\n")
    assert printed_by(block) == block.content
