"""`sidelight bundle`: a finished run as one folder or archive that others can verify and compute again."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import SidelightError, UserError
from sidelight_specs.recipe_yaml import recipe_text
from sidelight_specs.results.answers import answers_of
from sidelight_specs.results.table import table_of

from sidelight_evidence.archive import CRATE, DESCRIPTION, is_safe, write_bundle
from sidelight_evidence.cards import card_text, data_cards, method_cards, methods_text, model_cards
from sidelight_evidence.crate import crate_text
from sidelight_evidence.given import component_files, explained_files
from sidelight_evidence.licences import licence_facts, used_distributions

if TYPE_CHECKING:
    import argparse

    from sidelight_specs.host import Finished, Host

FORMAT = 1
RUN, LOCK, RESOLVED = "run", "lock.json", "recipe-resolved.yaml"
_OWN = ("kept",)  # folders of a run that are its visitors'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight bundle`."""
    parser.add_argument("run", metavar="RUN", help="the folder of a finished run")
    parser.add_argument("--out", metavar="PATH", help="a new folder, or a new FILE.zip (default: NAME.bundle.zip)")
    parser.add_argument("--with-inputs", action="store_true", help="put in the files of the explained images")
    parser.add_argument("--with-weights", action="store_true", help="put in trained weights, and models' files")


def run(arguments: argparse.Namespace, host: Host) -> int:
    """Pack a run; say where it lies, and the digest that stands for it."""
    finished = host.load_run(arguments.run)
    out = Path(arguments.out or f"{finished.folder.name}.bundle.zip").expanduser().absolute()
    if out.exists():
        raise UserError(f"{out} is there already", "choose another --out, or remove it")
    with tempfile.TemporaryDirectory(prefix="sidelight-bundle-") as scratch:
        bundle = Bundle(finished, host, Path(scratch))
        bundle.collect(inputs=arguments.with_inputs, weights=arguments.with_weights)
        digest = write_bundle(bundle.files, out)
        count = len(bundle.files) + 1
    for sentence in bundle.missing:
        host.write(f"note: {sentence}", error=True)
    host.write(f"{count} files are in {out}")
    host.write(f"digest of its manifest: {digest}")
    host.write("Whoever gets it and this digest on another way can tell whether it is the same: sidelight audit")
    return 0


class Bundle:
    """Files of a bundle, by name, as they are gathered.

    Args:
        finished: the run.
        host: the kernel.
        scratch: a folder for files that are made.
    """

    def __init__(self, finished: Finished, host: Host, scratch: Path) -> None:
        self._finished, self._host, self._scratch = finished, host, scratch
        self._results, self._manifest = finished.results, finished.manifest
        self.files: dict[str, Path | bytes] = {}
        self.missing: list[str] = []

    def collect(self, *, inputs: bool, weights: bool) -> None:
        """Gather everything; `inputs` and `weights` say whether these are put in, beside their digests."""
        if "digests" not in self._manifest:
            raise UserError("the run was made by an earlier version, without digests", "run the recipe again")
        self._add_run()
        self.files[RESOLVED] = recipe_text(self._results.recipe).encode()
        for name, table in (("measurements", table_of(self._results).columns), ("answers", answers_of(self._results))):
            table.write(self._scratch / f"{name}.csv")
            self.files[f"{name}.csv"] = self._scratch / f"{name}.csv"
        if claims := self._manifest.get("claims"):
            self.files["claims.json"] = _json(claims)
        self._add_cards()
        software = self._add_licences()
        given: dict[str, Any] = {}
        for is_asked, find in ((inputs, explained_files), (weights, component_files)):
            if is_asked:
                found = find(self._results, self._manifest)
                self.files |= found.files
                self.missing += found.missing
                given |= found.values
        learned = self._add_weights() if weights else {}
        self._add_lock(software)
        described = {"sidelight_bundle": FORMAT, "name": self._results.name, "given": given, "weights": learned}
        self.files[DESCRIPTION] = _json(described)
        pages = [f"{RUN}/{page.relative_to(self._finished.folder).as_posix()}" for page in self._finished.pages]
        crate = crate_text(self.files, self._manifest, self._results.name, software, pages)
        self.files[CRATE] = crate.encode()

    def _add_run(self) -> None:
        folder = self._finished.folder
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if name.parts[0] in _OWN or path.is_dir():
                continue
            if path.is_symlink() or not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
                raise UserError(f"{path} is a link or a special file", "remove it, or run the recipe again")
            if not is_safe(f"{RUN}/{name.as_posix()}"):
                raise UserError(f"{path} has a name that not every system can have", "rename or remove it")
            self.files[f"{RUN}/{name.as_posix()}"] = path

    def _add_cards(self) -> None:
        cards = {**model_cards(self._results, self._manifest), **data_cards(self._results, self._manifest)}
        for path, card in cards.items():
            self.files[f"cards/{path}.json"] = _json(card)
            self.files[f"cards/{path}.md"] = card_text(card).encode()
        methods = method_cards(self._results)
        self.files["cards/methods.json"] = _json(methods)
        self.files["cards/methods.md"] = methods_text(methods).encode()

    def _add_licences(self) -> dict[str, str]:
        """Add licences; gives name and version of all distributions."""
        found = used_distributions(self._results)
        facts, texts = licence_facts(found)
        self.files |= texts
        cards = {one.use: {key.lower(): text for key, text in one.card.items()} for one in self._results.components}
        weights = {use: card["licence"] for use, card in cards.items() if "licence" in card}
        self.files["licences/licences.json"] = _json({"distributions": facts, "weights": weights})
        self.missing += [
            f"{one['name']} {one['version']} came without the text of its licence ({one['licence'] or 'none named'})"
            for one in facts
            if not one["texts"]
        ]
        return {name: one.version for name, one in found.items()}

    def _add_weights(self) -> dict[str, str]:
        """Add what trained components learned; gives the path of each to its folder in the bundle."""
        learned: dict[str, str] = {}
        for path, state in self._host.learned_of(self._finished).items():
            folder = self._scratch / "weights" / path
            state.save(folder)
            learned[path] = f"weights/{path}"
            self.files |= {f"weights/{path}/{file.name}": file for file in sorted(folder.iterdir())}
        return learned

    def _add_lock(self, software: dict[str, str]) -> None:
        """Add the run's lock; versions alone where there is none, as after an update of a plugin."""
        try:
            lock = self._host.lock(self._finished.folder)
        except SidelightError as error:
            self.missing.append(f"versions stand without hashes: {error}")
            versions = software | {one.distribution: one.version for one in self._results.components}
            lock = {"distributions": {name: {"version": one} for name, one in versions.items()}}
        self.files[LOCK] = _json(lock)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()
