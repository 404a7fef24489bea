"""Put trained components of a finished run into the zoo, and see whether they still answer as they did.

    .venv/bin/python tools/zoo.py pack RUN COMPONENT --summary TEXT --data TEXT [--name NAME] [--options a,b]
        [--needs SLOT=NAME,...] [--figure TEXT=NUMBER ...]
    .venv/bin/python tools/zoo.py list

`pack` takes what the run's component COMPONENT (its id) had learned out of the cache, writes it in half precision with
a card, and lists it in `plugins/zoo/pyproject.toml`; install the distribution again afterwards.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from sidelight import load_run
from sidelight.engine.store import Entry, Store, read_document, read_entry
from sidelight.registry.catalog import installed
from sidelight_specs.digests import digest_of
from sidelight_specs.results import Measurements, State
from sidelight_specs.roles import ROLES, Generator
from sidelight_specs.testing import ToyRun
from sidelight_zoo.card import FOLDER, Card, cards
from sidelight_zoo.conformance import loaded
from sidelight_zoo.files import write_state

if TYPE_CHECKING:
    from sidelight.engine.results import Run
    from sidelight_specs.results.run import ComponentRecord

ROOT = Path(__file__).parent.parent
PROJECT = ROOT / "plugins" / "zoo" / "pyproject.toml"
LICENCE = "Apache-2.0"
COUNT = 256
"""Images on which the answers before and after are compared."""


def main(arguments: list[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("list").set_defaults(action=list_cards)
    packing = commands.add_parser("pack")
    packing.set_defaults(action=pack)
    packing.add_argument("run", type=Path)
    packing.add_argument("component")
    packing.add_argument("--name")
    packing.add_argument("--summary", required=True)
    packing.add_argument("--data", required=True, help="what it was trained on, and the licence of that")
    packing.add_argument("--options", default="", help="parameters that can still be chosen")
    packing.add_argument("--needs", default="", help="SLOT=NAME of the checkpoints that it was trained with")
    packing.add_argument("--figure", action="append", default=[], help="TEXT=NUMBER, measured elsewhere")
    chosen = parser.parse_args(arguments)
    chosen.action(chosen)


def list_cards(_: argparse.Namespace) -> None:
    """A line for each checkpoint, and the size of all."""
    for card in cards().values():
        print(f"{card.name:32} {card.use:24} {card.weights.stat().st_size / 1e6:6.2f} MB  {card.command}")
    print(f"{sum(card.weights.stat().st_size for card in cards().values()) / 1e6:.2f} MB together")


def pack(chosen: argparse.Namespace) -> None:
    """Write the checkpoint and the card, load it again, and note how far it is from what it was."""
    run = load_run(chosen.run)
    record = next(item for item in run.results.components if item.id == chosen.component)
    entry = learned(run, record)
    assert isinstance(entry.result, State)
    card = described(run, record, entry, chosen)
    FOLDER.mkdir(exist_ok=True)
    card = attrs.evolve(card, sha256=write_state(entry.result, card.weights))
    try:
        card = attrs.evolve(card, precision=compared(card, entry.result, run))
    except Exception:
        card.weights.unlink()
        raise
    path = FOLDER / f"{card.name}.json"
    path.write_text(json.dumps(attrs.asdict(card), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    cards.cache_clear()
    announce()
    print(f"{path.relative_to(ROOT)}: {card.weights.stat().st_size / 1e6:.2f} MB, {card.figures}, {card.precision}")


def learned(run: Run, record: ComponentRecord) -> Entry:
    """The entry of the cache that holds the component's training: the one with the run's learning curves."""
    curves = run.results.emitted[f"{record.id}/training"].digest()
    for stored in Store().entries():
        if stored.component != record.use or read_document(stored.folder)["step"] != "fit":
            continue
        entry = read_entry(stored.folder, stored.folder.name)
        if isinstance(entry.result, State) and attrs.evolve(entry.result, arrays={}).digest() == curves:
            return entry
    raise SystemExit(f"the cache no longer holds the training of {record.id}; run the recipe again")


def described(run: Run, record: ComponentRecord, entry: Entry, chosen: argparse.Namespace) -> Card:
    """The card, but for what is known of the file."""
    training = trained_by(run.results.recipe, record.role, record.id)
    return Card(
        name=chosen.name or f"{run.results.name}-{record.id}",
        role=record.role,
        summary=chosen.summary,
        use=record.use,
        params=dict(record.params),
        options=tuple(filter(None, chosen.options.split(","))),
        needs=dict(pair.split("=") for pair in filter(None, chosen.needs.split(","))),
        shape=run.results.split.images.shape[1:],
        command=f"sidelight run recipes/{run.results.name}.yaml",
        recipe=run.results.name,
        training=training,
        digest=digest_of(training),
        data=chosen.data,
        figures=measured(entry, record.id)
        | {text: float(number) for text, number in (item.split("=") for item in chosen.figure)},
        precision={},
        licence=LICENCE,
        sha256="",
    )


def trained_by(recipe: dict[str, Any], role: str, name: str) -> dict[str, Any]:
    """The part of a resolved recipe that a training follows from."""
    section = ROLES[role].section
    found = recipe[section] if "use" in recipe[section] else recipe[section][name]
    kept: dict[str, Any] = {"seed": recipe["seed"], "data": recipe["data"], section: found}
    for slot in found.get("needs", {}):
        if slot in recipe and slot != section:
            kept[slot] = recipe[slot]
    return kept


def measured(entry: Entry, name: str) -> dict[str, float]:
    """Measurements of the component when it had been trained: the first number of each table."""
    tables = {title: table for title, table in entry.emitted if isinstance(table, Measurements)}
    own = {title.removeprefix(f"{name}/"): table for title, table in tables.items() if title.startswith(f"{name}/")}
    return {title: round(table.items[0].value, 4) for title, table in own.items()}


def compared(card: Card, state: State, run: Run) -> dict[str, float]:
    """Distance of the file's answers from those of the training, on test images and on samples."""
    before, after = loaded(card, state), loaded(card)
    with torch.no_grad():
        if card.role == "classifier":
            return classified(before, after, images_to_try(run))
        return generated(before, after, images_to_try(run))


def images_to_try(run: Run) -> torch.Tensor:
    """(COUNT, C, H, W) images of the data's test split."""
    record = next(item for item in run.results.components if item.role == "data")
    found = installed().lookup(record.use, "data")
    module, _, name = found.descriptor.factory.partition(":")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in record.params.items()}
    data = getattr(__import__(module, fromlist=[name]), name)(found.descriptor.params(**values), run=ToyRun())
    return torch.from_numpy(data.split("test").images[:COUNT].copy())


def classified(before: Any, after: Any, images: torch.Tensor) -> dict[str, float]:
    """Agreement of the decisions, and the largest difference of a probability."""
    one, two = (part.class_logits(images) for part in (before, after))
    return {
        "same decision": float((one.argmax(1) == two.argmax(1)).float().mean()),
        "largest difference of a probability": round(float((one.softmax(1) - two.softmax(1)).abs().max()), 6),
    }


def generated(before: Any, after: Any, images: torch.Tensor) -> dict[str, float]:
    """Peak signal-to-noise ratios, in dB, of samples and of reconstructions."""
    latents = before.sample(COUNT, np.random.default_rng(0))
    facts = {"PSNR of samples": psnr(before.synthesize(latents), after.synthesize(latents))}
    if type(before).encode is not Generator.encode:
        one, two = (part.synthesize(part.encode(images)) for part in (before, after))
        facts["PSNR of reconstructions"] = psnr(one, two)
    return facts


def psnr(one: torch.Tensor, two: torch.Tensor) -> float:
    """In dB, of images in [0, 1]."""
    return round(-10 * float((one - two).square().mean().log10()), 1)


def announce() -> None:
    """List every card in the project file, as the entry points of its role."""
    text = PROJECT.read_text(encoding="utf-8")
    roles = sorted({card.role for card in cards().values()})
    tables = [
        f'[project.entry-points."sidelight.v1.{role}"]\n'
        + "".join(f'{card.name} = "sidelight_zoo"\n' for card in cards().values() if card.role == role)
        for role in roles
    ]
    new = re.sub(r"(?s)\[project\.entry-points.*?(?=\[tool)", "\n".join(tables) + "\n", text, count=1)
    missing = {card.use.split("/")[0] for card in cards().values()} - set(re.findall(r"sidelight-([\w-]+)[=>]", text))
    if missing:
        print(f"add to the dependencies in {PROJECT.relative_to(ROOT)}: {', '.join(sorted(missing))}")
    PROJECT.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
