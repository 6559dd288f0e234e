"""Compiles every entry point for the accelerator that is named on the command line: what becomes of each, a line of JSON."""

import json
import sys

from benchmarks.compiled import Compiler

if __name__ == "__main__":
    compiler = Compiler(sys.argv[1])
    from entry_points import ENTRY_POINTS

    for name, entry_point in ENTRY_POINTS.items():
        with compiler.in_charge():
            function, arguments = entry_point()
        program = compiler.compile(function, *arguments)
        turns = [loop.turn._asdict() for loop in program.loops]
        found = {
            "name": name,
            "memory": program.memory,
            "calls": program.calls,
            "once": program.once._asdict(),
            "turns": turns,
            "kernels": [kernel._asdict() for kernel in program.kernels],
        }
        print(json.dumps(found), flush=True)
