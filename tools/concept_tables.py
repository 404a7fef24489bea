"""Tables 1 and 2 of Gat et al. 2022, on tasks of drawn faces: `python tools/concept_tables.py [TASK ...]`.

Runs recipes/concepts-faces.yaml once for each task, which is one line of the recipe, and prints both tables. A task is
a factor of the faces: smile, glasses and lip-colour unless others are named. What was trained before is not again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import sidelight

RECIPE = Path(__file__).parents[1] / "recipes" / "concepts-faces.yaml"
TASKS = ("smile", "glasses", "lip-colour")
TABLE_1 = ("changed by all bits", "accuracy, layer", "accuracy, decoded", "agreement")
WIDTH = max(map(len, TABLE_1))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=TASKS, metavar="TASK", help="factors of images/faces")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="as for `sidelight run`")
    parser.add_argument("--out", type=Path, default=Path("runs/concept-tables"), help="folder for the runs")
    options = parser.parse_args()
    found = {task: measured(task, options.set, options.out) for task in options.tasks}
    table("Table 1, %", TABLE_1, {task: [100 * each[name] for name in TABLE_1] for task, each in found.items()}, 2)
    columns = ("without regularisation", "with regularisation")
    table("Table 2, cosine", columns, {task: [each["alone"], each["shared"]] for task, each in found.items()}, 3)


def measured(task: str, changes: list[str], out: Path) -> dict[str, float]:
    """Every number of both tables, by name."""
    run = sidelight.run(RECIPE, set=[*changes, f"data.with.label={task}"], out=out / task)
    items = {name: next(iter(found.values())).items for name, found in run.results.measurements.items()}
    cosines = {name: items[f"cosine-{name}"][0].value for name in ("alone", "shared")}
    return {item.name: item.value for item in items["fidelity"]} | cosines


def table(title: str, columns: tuple[str, ...], rows: dict[str, list[float]], digits: int) -> None:
    """One table on the terminal."""
    print(f"\n{title:<16}" + "".join(f"{name:>{WIDTH + 6}}" for name in columns))
    for task, values in rows.items():
        print(f"{task:<16}" + "".join(f"{value:>{WIDTH + 6}.{digits}f}" for value in values))


if __name__ == "__main__":
    main()
