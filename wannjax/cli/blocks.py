"""`wannjax blocks`: mine the building blocks that recur in runs."""

import argparse
from pathlib import Path

from rich.console import Console

import wannjax
from wannjax.cli.tables import motifs_table
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

    fronts = [wannjax.load_front(path / run_directory.FRONT if path.is_dir() else path) for path in options.runs]
    motifs = wannjax.mine_motifs(
        fronts, largest=options.largest, least_runs=options.least_runs, draws=options.draws, seed=options.seed
    ).top(options.top)
    require("RUN", len(fronts), "runs that share a block, or more (or give --least-runs 1)", bool(motifs.ranked))
    Console().print(motifs_table(motifs), highlight=False)
    if options.out is not None:
        wannjax.save_blocks(options.out, motifs.blocks)
        print(f"written to {options.out}")
    if options.picture is not None:
        draw_motifs(motifs, options.picture)
        print(f"written to {options.picture}")
    return 0
