"""`wannjax blocks`: mine the building blocks that recur in runs."""

import argparse
from pathlib import Path

import wannjax
from wannjax.cli.options import file_of
from wannjax.cli.tables import motifs_table
from wannjax.common.files import require_folder
from wannjax.common.terminal import say
from wannjax.common.validation import require
from wannjax.runs import run_directory

HELP = "mine the building blocks that recur in the fronts of runs"


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a run directory, or a front.json")
    command.add_argument("--top", type=int, default=12, help="how many blocks are kept (default: 12)")
    command.add_argument("--largest", type=int, default=5, help="nodes of a block at the most, 2 to 5 (default: 5)")
    command.add_argument("--least-runs", type=int, default=None, help="runs that must show a block (default: half of them)")
    command.add_argument("--draws", type=int, default=200, help="rewired networks of the baseline, per run (default: 200)")
    command.add_argument("--seed", type=int, default=0, help="of the baseline (default: 0)")
    command.add_argument("-o", dest="out", type=Path, default=None, metavar="FILE", help="the library, for `wannjax evolve --blocks`")
    command.add_argument("--picture", type=Path, default=None, metavar="FILE", help="a drawing of them: .png, .svg or .pdf")


def run(options: argparse.Namespace) -> int:
    from wannjax.pictures.motif_drawing import draw_motifs

    for out in (options.out, options.picture):
        if out is not None:
            require_folder(out)
    fronts = [wannjax.load_front(file_of(path, run_directory.FRONT)) for path in options.runs]
    motifs = wannjax.mine_motifs(
        fronts, largest=options.largest, least_runs=options.least_runs, draws=options.draws, seed=options.seed
    ).top(options.top)
    require("RUN", len(fronts), "runs that share a block, or more (or give --least-runs 1)", bool(motifs.ranked))
    say(motifs_table(motifs))
    if options.out is not None:
        wannjax.save_blocks(options.out, motifs.blocks)
        say(f"written to {options.out}")
    if options.picture is not None:
        draw_motifs(motifs, options.picture)
        say(f"written to {options.picture}")
    return 0
