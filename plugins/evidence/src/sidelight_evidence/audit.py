"""`sidelight audit`: whether a bundle is whole, belongs together, and gives the same when it is computed again."""

from __future__ import annotations

import json
import math
import platform
import secrets
import tempfile
from contextlib import chdir, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import SidelightError, UserError
from sidelight_specs.files import read_object
from sidelight_specs.recipe_yaml import recipe_text

from sidelight_evidence.archive import DESCRIPTION, Damaged, is_safe, opened, verify
from sidelight_evidence.bundle import FORMAT, LOCK, RUN
from sidelight_evidence.compare import DIFFERS, MATCHED, WITHIN
from sidelight_evidence.crosscheck import contradictions
from sidelight_evidence.judged import judged
from sidelight_evidence.recipe import check_shape, refuse_outside, restricted, with_values
from sidelight_evidence.recompute import Recomputation, Verdicts, draw, failed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from sidelight_specs.host import Finished, Host

TOLERANCE = 1 / 510  # of the range of a result's numbers: half a level of an 8-bit picture, as rounding to it makes
SAMPLE = 4  # images
_DIGITS = 4  # more than a number of threads has; a stranger's run.json names it
_SHOWN = 20  # faults that are printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight audit`."""
    parser.add_argument("bundle", metavar="BUNDLE", help="the folder or archive that `sidelight bundle` wrote")
    parser.add_argument("--digest", metavar="SHA256", help="digest of its manifest, as you got it on another way")
    parser.add_argument("--sample", metavar="N", type=int, default=SAMPLE, help=f"images (default: {SAMPLE}; 0: none)")
    parser.add_argument("--seed", metavar="N", type=int, help="of the sample (default: a new one, which is printed)")
    parser.add_argument("--alone", action="store_true", help="compute sampled images without others of their shards")
    parser.add_argument("--retrain", action="store_true", help="train what the bundle holds no weights of")
    parser.add_argument("--allow-missing", action="store_true", help="exit 0 also where results were left out")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="your own data.with.path=...")
    parser.add_argument("--tolerance", metavar="X", type=float, default=TOLERANCE, help="of the range (default: 1/510)")
    parser.add_argument("--device", help="auto, cpu, cuda, cuda:N or mps (default: the run's)")
    parser.add_argument("--threads", metavar="N", type=int, help="threads to compute with (default: the run's)")
    parser.add_argument("--out", metavar="FILE", help="also write the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(arguments: argparse.Namespace, host: Host) -> int:
    """Audit a bundle; 0 where every result was computed again and matched, 1 where one differs or was left out."""
    if arguments.sample < 0 or not arguments.tolerance >= 0:
        raise UserError("--sample and --tolerance are not below 0", "leave them out, or give larger numbers")
    if arguments.out and not Path(arguments.out).absolute().parent.is_dir():  # known before hours of computing
        raise UserError(f"{arguments.out} cannot be written: there is no such folder", "make it, or name another --out")
    report: dict[str, Any] = {"sidelight_audit": 1, "bundle": Path(arguments.bundle).name, "verdict": "failed"}
    try:
        with opened(Path(arguments.bundle).expanduser().absolute()) as folder:
            code = _audit(folder, arguments, host, report)
    except Damaged as error:
        report["faults"] = [str(error)]
        host.write(f"damaged: {error}")
        code = 1
    if arguments.out:
        _write(Path(arguments.out), json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return code


def _write(path: Path, text: str) -> None:
    """Write the report, whole or not at all."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written: {error.strerror or error}", "name another --out") from error


def _audit(folder: Path, arguments: argparse.Namespace, host: Host, report: dict[str, Any]) -> int:
    digest, faults = verify(folder)
    report["manifest"] = digest
    host.write(f"digest of its manifest: {digest}")
    if arguments.digest and arguments.digest.removeprefix("sha256:") != digest.removeprefix("sha256:"):
        faults.insert(0, "the digest of its manifest is not the one that was given")
    if _told(faults, "files", host, report):  # nothing in it is read
        return 1
    described = _description(folder)
    finished = host.load_run(folder / RUN)
    _check_manifest(finished.manifest)
    check_shape(finished.results.recipe)
    if _told(list(contradictions(folder, described, finished)), "contradictions", host, report):
        return 1
    host.write("every file is as the manifest says, and results, tables, recipe, images and weights belong together")
    report["installation"] = list(_differences(folder, finished))
    for sentence in report["installation"]:
        host.write(f"this installation: {sentence}")
    if not arguments.sample:
        if _told(list(_forged_claims(described, finished, host)), "contradictions", host, report):
            return 1
        report["verdict"] = "intact"
        return 0
    return _recompute(folder, described, finished, arguments, host, report)


def _forged_claims(described: Mapping[str, Any], finished: Finished, host: Host) -> Iterator[str]:
    """Sentences about claims whose answers do not follow from the stored results, as far as these alone tell."""
    recipe = with_values(json.loads(json.dumps(finished.results.recipe)), described["given"])
    with suppress(UserError), tempfile.TemporaryDirectory(prefix="sidelight-audit-") as scratch:
        refuse_outside(recipe, ())
        for one in judged(host, finished, recipe, Path(scratch), [], computed={}, tolerance=0.0):
            if one.counts[DIFFERS]:
                yield f"the answer to the {one.name} does not follow from the results: {one.where}"


def _told(faults: list[str], key: str, host: Host, report: dict[str, Any]) -> bool:
    """Print faults and keep them in the report; True if there are any."""
    report["faults"] = faults
    for fault in faults[:_SHOWN]:
        host.write(f"{key}: {fault}")
    if len(faults) > _SHOWN:
        host.write(f"{key}: and {len(faults) - _SHOWN} more")
    return bool(faults)


def _description(folder: Path) -> dict[str, Any]:
    """The content of `bundle.json`, its names checked."""
    try:
        described = read_object(folder / DESCRIPTION)
        known = described["sidelight_bundle"] == FORMAT
        weights, given = dict(described["weights"]), dict(described["given"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{DESCRIPTION} cannot be read: {error}") from error
    if not known:
        raise UserError("the bundle was written by another version of Sidelight", "use that version for the audit")
    if not all(isinstance(name, str) and is_safe(name) for name in weights.values()):
        raise Damaged(f"{DESCRIPTION} names weights outside of the bundle")
    return {**described, "weights": weights, "given": given}


def _check_manifest(manifest: Mapping[str, Any]) -> None:
    """Raise `Damaged` where `run.json` lacks what an audit reads, or has it of another type."""
    maps = {"outputs.artifacts": str, "outputs.files": str, "digests.weights": str, "digests.files": dict}
    for name, kind in maps.items():
        value = _below(manifest, name)
        if not isinstance(value, dict) or not all(isinstance(one, kind) for one in value.values()):
            raise Damaged(f"{name} of run.json is missing, or of another type")
    if not all(isinstance(text, str) for text in (_below(manifest, "facts.environment") or {}).values()):
        raise Damaged("facts.environment of run.json has a value that is no text")
    images = _below(manifest, "digests.images")
    if not isinstance(images, list) or not images or not all(map(_is_image, images)):
        raise Damaged("digests.images of run.json is no list of images, each with id and pixels")


def _is_image(value: Any) -> bool:
    texts = isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    return texts and {"id", "pixels"} <= value.keys()


def _below(manifest: Mapping[str, Any], name: str) -> Any:
    section, _, key = name.partition(".")
    value = manifest.get(section)
    return value.get(key) if isinstance(value, dict) else None


def _differences(folder: Path, finished: Finished) -> Iterator[str]:
    """Sentences about what of the run's installation is another one here."""
    try:
        lock = read_object(folder / LOCK)
        wanted = {str(name): str(one["version"]) for name, one in lock["distributions"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise Damaged(f"{LOCK} cannot be read: {error}") from error
    for name, there in sorted(wanted.items()):
        here = ""
        with suppress(PackageNotFoundError, ValueError):
            here = version(name)
        if here != there:
            yield f"{name} is {here or 'not installed'}, not {there}"
    ran = finished.results.environment
    for key, here in (("python", platform.python_version()), ("platform", platform.platform())):
        if ran.get(key) != here:
            yield f"{key} is {here}, not {ran.get(key)}"


def _recompute(
    folder: Path,
    described: Mapping[str, Any],
    finished: Finished,
    arguments: argparse.Namespace,
    host: Host,
    report: dict[str, Any],
) -> int:
    settings = [_absolute(setting) for setting in arguments.set]
    recipe = with_values(json.loads(json.dumps(finished.results.recipe)), described["given"])
    refuse_outside(recipe, settings)
    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    ran = finished.results.environment
    threads = arguments.threads or _threads(ran.get("threads", ""))
    options = {
        "set": settings,
        "device": arguments.device or ran.get("device", "auto"),
        "threads": threads,
        "progress": not arguments.quiet,
    }
    sample = draw(finished, arguments.sample, seed)
    host.write(f"computing again {', '.join(sample)} (drawn with seed {seed}), on {options['device']}")
    with tempfile.TemporaryDirectory(prefix="sidelight-audit-") as scratch:
        _tell_of_recipe(restricted(recipe, explainers=True, claims=True), Path(scratch), settings, folder, host, report)
        learned = {path: folder / name for path, name in described["weights"].items()}
        again = Recomputation(
            host, finished, recipe, folder, Path(scratch), learned, options, arguments.tolerance, arguments.retrain
        )
        names = list[str]()
        try:
            names = again.run(sample, neighbours=not arguments.alone)
        except SidelightError as error:
            again.verdicts.append(failed(error))
        with chdir(folder):
            again.verdicts += judged(
                host,
                finished,
                recipe,
                Path(scratch),
                settings,
                computed=again.claims,
                tolerance=arguments.tolerance,
            )
    total = len(finished.manifest["digests"]["images"])
    return _summed_up(again.verdicts, names, sample, total, seed, arguments, host, report)


def _threads(text: str) -> int | None:
    """The run's number of threads, as the bundle has it; None for what no machine of today has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS and int(text) else None


def _tell_of_recipe(
    recipe: Mapping[str, Any], scratch: Path, settings: list[str], folder: Path, host: Host, report: dict[str, Any]
) -> None:
    """Say what the recipe gets here that it did not have: other files of distributions, and other parameters."""
    path = scratch / "resolved.yaml"
    path.write_text(recipe_text(recipe), encoding="utf-8")
    with chdir(folder):
        here = host.check(path, set=settings)
        other = list(_other_files(folder, path, settings, host))
    report["installation"] += other
    for sentence in other:
        host.write(f"this installation: {sentence}")
    changed = sorted(_changed("", dict(recipe), here))
    report["recipe"] = changed
    for key in changed:
        host.write(f"this installation: the recipe's {key} is another one here")


def _other_files(folder: Path, recipe: Path, settings: list[str], host: Host) -> Iterator[str]:
    """Sentences about distributions of the lock's version whose files are others."""
    wanted = read_object(folder / LOCK)["distributions"]
    if not any("hash" in one for one in wanted.values()):
        return
    try:
        here = host.lock(recipe, set=settings)["distributions"]
    except SidelightError as error:
        yield f"files of distributions are not compared: {error}"
        return
    for name, one in sorted(wanted.items()):
        mine = here.get(name, {})
        if mine.get("version") == one["version"] and mine.get("hash") != one.get("hash"):
            yield f"{name} {one['version']} has other files"


def _changed(path: str, ours: Any, here: Any) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(here, dict):
        for key in ours.keys() | here.keys():
            yield from _changed(f"{path}.{key}" if path else str(key), ours.get(key), here.get(key))
    elif ours != here:
        yield path


def _summed_up(
    verdicts: list[Verdicts],
    names: list[str],
    sample: list[str],
    total: int,
    seed: int,
    arguments: argparse.Namespace,
    host: Host,
    report: dict[str, Any],
) -> int:
    """Print the table; gives the exit code."""
    rows = [
        (
            one.name,
            *(str(one.counts[verdict] or "") for verdict in (MATCHED, WITHIN, DIFFERS)),
            _share(one),
            one.why,
        )
        for one in verdicts
    ]
    host.write_table(("result", "to the bit", "within tolerance", "differ", "largest", "not computed again"), rows)
    differ = any(one.counts[DIFFERS] for one in verdicts)
    rounded, missing = any(one.counts[WITHIN] for one in verdicts), [one.name for one in verdicts if one.why]
    tolerance = arguments.tolerance
    words = "matched to the bit" if not rounded else f"matched, some within {tolerance:g} of the range of their numbers"
    if differ or not names:
        outcome = "failed"
        words = "something differs" if differ else "nothing could be computed again"
    else:
        outcome = "incomplete" if missing else "matched"
    host.write(f"{len(names)} of {total} images: {words}")
    if missing:
        host.write(f"incomplete, not computed again: {', '.join(missing)}")
        if outcome == "incomplete" and not arguments.allow_missing:
            host.write("exit code 1 for that; --allow-missing accepts it")
    report |= {
        "verdict": outcome,
        "seed": seed,
        "sample": sample,
        "images": names,
        "tolerance": tolerance,
        "results": [
            {
                "result": one.name,
                **one.counts,
                "largest": one.largest if math.isfinite(one.largest) else None,
                "where": one.where,
                "not computed again": one.why,
            }
            for one in verdicts
        ],
    }
    return 0 if outcome == "matched" or (outcome == "incomplete" and arguments.allow_missing) else 1


def _share(one: Verdicts) -> str:
    if not one.largest:
        return ""
    return f"{one.largest:.2g} of the range, {one.where}" if math.isfinite(one.largest) else one.where


def _absolute(setting: str) -> str:
    """A setting with a path from the auditor's folder, as one that holds from the bundle's."""
    key, sign, value = setting.partition("=")
    with suppress(OSError, ValueError):
        if value and Path(value).expanduser().exists():
            return f"{key}{sign}{Path(value).expanduser().absolute()}"
    return setting
