"""What `benchmarks.accelerator` found, as tables, a picture and three files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks import agreement
from benchmarks.common import Table, write_json
from wannjax.common.digits import number
from wannjax.search.wann.config import SWEEP

MODELLED = Path(__file__).with_name("modelled.json")
"""What `benchmarks.kernels` writes."""
MARKS = ("o", "s", "^", "D")
LINES = {"episode kernel": ("-", "#1f4e8c"), "forward kernel": ("--", "#b8600b"), "XLA": (":", "#1b7a43")}
"""Style and colour by form."""


def modelled() -> dict[tuple, dict]:
    """What `benchmarks.kernels` expects, by case; empty where it has written nothing."""
    rows = json.loads(MODELLED.read_text())["rows"] if MODELLED.exists() else []
    return {(row["environment"], row["nodes"], row["population"], row["form"]): row for row in rows}


def tables_of(record: dict[str, Any]) -> list[Table]:
    """What was found, as far as it was."""
    tables = []
    if isinstance(found := record["agreement"], list):
        tables.append(agreement.table_of("Agreement with the CPU", (agreement.Agreement(**each) for each in found)))
    if "search" in record:
        rows = [[name.replace("_", " "), "" if value is None else f"{value:,.5g}"] for name, value in record["search"].items()]
        tables.append(Table(f"A search on {agreement.SWING_UP}", ["", "value"], rows, "The seconds are with those of compilation."))
    if "neat" in record:
        tables.append(_of_neat(record["neat"], record["plan"]))
    if "peers" in record:
        tables.append(_of_peers("Peers on CartPole-v1", record["peers"]["rows"]))
    if record.get("throughput"):
        tables.append(_of_throughput(record["throughput"]))
    if record.get("robots"):
        tables.append(_of_peers("NEAT on brax", record["robots"]))
    return tables


def _of_neat(costs: dict[str, dict[str, float]], plan: dict[str, Any]) -> Table:
    rows = []
    for task, cost in costs.items():
        rates = (_millions(cost[steps] / cost["rollouts"]) for steps in ("alive", "steps"))
        rows.append([task, _digits(cost["rollouts"]), _digits(cost["outside"]), *rates])
    title = f"A generation of NEAT on CartPole-v1, population {plan['neat_population']}, {plan['neat_slots']} slots"
    return Table(title, ["task", "rollouts s", "outside s", "M alive lane-steps/s", "M total"], rows)


def _of_peers(title: str, found: list[dict[str, Any]]) -> Table:
    rows = []
    for row in found:
        rate = row["alive"] / row["seconds"] if row["seconds"] and row["alive"] else None
        rows.append([row["task"], row["library"], f"{row['population']:,}", _digits(row["seconds"]), _millions(rate), row["note"]])
    return Table(title, ["task", "library", "population", "s", "M alive lane-steps/s", "note"], rows)


def _of_throughput(found: list[dict[str, Any]]) -> Table:
    times, rates = ("seconds", "modelled_seconds", "compile"), ("alive", "modelled_alive", "total")
    rows = [
        [
            *(row["environment"], str(row["nodes"]), f"{row['population']:,}", row["form"]),
            *(_digits(row[name]) for name in times),
            *(_millions(row[f"{name}_steps_per_second"]) for name in rates),
            row["note"],
        ]
        for row in found
    ]
    columns = ["environment", "nodes", "population", "form", "s", "modelled s", "compile s", "M alive lane-steps/s", "modelled", "M total"]
    caption = (
        f"A generation of random networks: {len(SWEEP)} shared weights × {agreement.EPISODES} episodes. Modelled figures come from "
        "compilers, without the card."
    )
    return Table("Throughput", [*columns, "note"], rows, caption)


def _digits(value: float | None) -> str:
    return "" if value is None else number(value, value / 100)


def _millions(value: float | None) -> str:
    return _digits(None if value is None else value / 1e6)


def drawn(record: dict[str, Any]) -> Figure:
    """Alive lane-steps per second over the population: a panel for each number of nodes asked for,
    a mark for each environment, a line style for each form.
    """
    plan = record["plan"]
    figure = Figure(figsize=(5.2 * len(plan["nodes"]) + 2.6, 4.6), layout="constrained")
    rates = [row["alive_steps_per_second"] / 1e6 for row in record["throughput"] if row["seconds"]]
    shown: dict[str, Line2D] = {}
    panels = figure.subplots(1, len(plan["nodes"]), sharey=True, squeeze=False)[0]
    for axes, nodes in zip(panels, plan["nodes"], strict=True):
        for environment, mark in zip(plan["environments"], MARKS, strict=False):
            for form, (line, colour) in LINES.items():
                rows = [
                    row
                    for row in record["throughput"]
                    if (row["environment"], row["asked_nodes"], row["form"]) == (environment, nodes, form) and row["seconds"]
                ]
                if rows:
                    values = [row["alive_steps_per_second"] / 1e6 for row in rows]
                    label = f"{environment}, {form}"
                    shown[label] = axes.plot([row["population"] for row in rows], values, line, marker=mark, color=colour, label=label)[0]
        axes.set(xscale="log", yscale="log", xlabel="population", title=f"{nodes} nodes")
        axes.set_xticks(plan["populations"], [f"{each:,}" for each in plan["populations"]], minor=False)
        axes.minorticks_off()
        axes.grid(color="#dddddd", linewidth=0.6)
    panels[0].set_ylabel("million alive lane-steps/s")
    figure.legend(handles=list(shown.values()), loc="outside right center", frameon=False, fontsize=9)
    low, high = (np.log10(bound(rates)) for bound in (min, max))
    panels[0].set_ylim(10 ** np.floor(low), 10 ** np.ceil(high))
    figure.suptitle(f"Random networks on {record['machine']['device']}")
    return figure


def write(folder: Path, record: dict[str, Any]) -> None:
    """The three files, of what there is so far."""
    write_json(folder / "accelerator.json", record)
    facts = ", ".join(f"{name} {value}" for name, value in record["machine"].items())
    tables = (table.in_markdown().strip() for table in tables_of(record))
    parts = [f"# {record['machine']['device']}", f"{record['verdict']}.", f"{facts}.", *tables]
    (folder / "accelerator.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    if any(row["seconds"] for row in record.get("throughput", ())):
        drawn(record).savefig(folder / "accelerator.png", dpi=150)
