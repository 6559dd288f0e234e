"""The tables of the documentation, printed again: `python -m benchmarks.figures [FILE …] [--only
BENCHMARK …] [--check]`.

A table in these Markdown files stands in a block that names its command:

    <!-- python -m benchmarks.champions -->

    | … |

    <!-- end -->

Every block's command runs, and the tables that it prints take the place of what stands there; they
stay where it ends with 2, for want of something that it names. Runs that a benchmark has kept are
not done again. `--only` takes benchmarks, or commands without their
`python -m benchmarks.`. `--check` changes nothing, and ends with 1 where a block differs.
"""

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

FILES = (Path("README.md"), Path("docs/results.md"))
_BLOCK = re.compile(r"^<!-- (python -m benchmarks\..+?) -->\n(.*?)^<!-- end -->$", flags=re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"(?:^\|.*\n)+", flags=re.MULTILINE)


class Block(NamedTuple):
    """A place in a file that a command fills."""

    command: str
    content: str

    @property
    def arguments(self) -> list[str]:
        """What follows `python`."""
        return shlex.split(self.command)[1:]

    @property
    def names(self) -> set[str]:
        """What `--only` calls it: its benchmark, or that with all arguments."""
        whole = self.command.removeprefix("python -m benchmarks.")
        return {whole, whole.split()[0]}


def blocks_of(text: str) -> list[Block]:
    """The blocks of a file, in order."""
    return [Block(*found) for found in _BLOCK.findall(text)]


def with_tables(text: str, tables: dict[str, str]) -> str:
    """The text with new contents of blocks, by command; a block of another command stays."""

    def filled(found: re.Match) -> str:
        command, content = found.groups()
        return f"<!-- {command} -->\n{tables.get(command, content)}<!-- end -->"

    return _BLOCK.sub(filled, text)


def printed_by(block: Block) -> str:
    """The tables that the command prints, as they stand in a block; what stands there where it
    lacks something. What else it says is passed on.
    """
    lines = []
    with subprocess.Popen([sys.executable, *block.arguments], stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            print(line, end="", file=sys.stderr, flush=True)
    if process.returncode == 2:
        return block.content
    if process.returncode:
        sys.exit(f"{block.command}: ended with {process.returncode}")
    tables = "\n".join(_TABLE.findall("".join(lines)))
    if not tables:
        sys.exit(f"{block.command}: printed no table")
    return f"\n{tables}\n"


def renew(files: Sequence[Path], only: Sequence[str], check: bool, run: Callable[[Block], str] = printed_by) -> list[str]:
    """Fills the blocks of `files` (unless `check`), each file as soon as one of its commands has
    run; a command that several blocks name runs once. Returns the commands whose blocks differed.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    wanted = {block.command: block for text in texts.values() for block in blocks_of(text) if not only or block.names & {*only}}
    differing = []
    for number, (command, block) in enumerate(wanted.items(), start=1):
        print(f"[{number}/{len(wanted)}] {command}", file=sys.stderr, flush=True)
        tables = {command: run(block)}
        for path, text in texts.items():
            texts[path] = with_tables(text, tables)
            if texts[path] != text:
                differing.append(f"{path}: {command}")
                if not check:
                    path.write_text(texts[path], encoding="utf-8")
    return differing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, default=FILES, metavar="FILE", help="Markdown files")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="BENCHMARK", help="only these, such as champions, or 'champions --preset thorough'"
    )
    parser.add_argument("--check", action="store_true", help="say which blocks differ, and change nothing")
    options = parser.parse_args()
    if missing := [str(path) for path in options.files if not path.is_file()]:
        parser.error(f"no such file: {', '.join(missing)}")
    known = set[str]().union(*(block.names for path in options.files for block in blocks_of(path.read_text(encoding="utf-8"))))
    if unknown := sorted({*options.only} - known):
        parser.error(f"--only: expected some of {', '.join(sorted(known))}, got {', '.join(unknown)}")
    differing = renew(options.files, options.only, options.check)
    print("\n".join(differing) or "nothing differs")
    sys.exit(bool(differing and options.check))


if __name__ == "__main__":
    main()
