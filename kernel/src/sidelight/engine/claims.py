"""Claims of a run: judged after everything that they may be about, and compared with what was declared before.

A claim counts as declared beforehand unless its folder holds a finished run of the same recipe that did not declare it,
or declared it otherwise: then it was added or changed when results could be seen, and is marked with that run's date.
Who removes the folder, or writes to another, leaves no trace here; a version control or a registered recipe would.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import Cancelled, SidelightError
from sidelight_specs.digests import digest_of
from sidelight_specs.recipe import params_plain
from sidelight_specs.wording import quoted

from sidelight.engine.guard import Untrustworthy
from sidelight.engine.machine import Cancellation
from sidelight.engine.plan import Step
from sidelight.engine.progress import Display
from sidelight.engine.session import Session, check_valid
from sidelight.engine.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_specs.results import ClaimResult, Results

    from sidelight.recipe.model import Resolved, ResolvedComponent

CONTRADICTED = "contradicted"


class ClaimContradicted(SidelightError):
    """A claim of a complete run is contradicted."""


def claimable(session: Session, results: Results) -> tuple[Results, dict[str, str]]:
    """Results that claims get to see of a run, with their digests; nothing of the recipe or of other claims."""
    shown = attrs.evolve(results, claims={}, emitted=dict(session.record.emitted), components=(), recipe={})
    return shown, shown.digests()


def judged(session: Session, component: ResolvedComponent, shown: Results, digests: dict[str, str]) -> ClaimResult:
    """The verdict on one claim, from the store or judged by the live component."""
    facts = {"classes": shown.class_names, "contested": shown.contested, "split": shown.choice}
    inputs = {"results": [list(digests.items()), facts]}

    def make() -> Any:
        claim = session.get(component)
        with session.inside(component, "judge"):
            answer = claim.judge(shown)
        check_valid(answer, component, kind="claim")
        changed = [path for path, digest in shown.digests().items() if digests[path] != digest]
        if changed:
            raise Untrustworthy(f"{component.title} changed the results it judges: {changed[0]}")
        return answer

    result: ClaimResult = session.keep(Step("judge", component), inputs, make)
    return result


def judged_again(resolved: Resolved, results: Results) -> dict[str, ClaimResult | SidelightError]:
    """Answers to those claims of a finished run that need no other component, from its results alone.

    Returns:
        claim id to its answer, or to the error of one that failed.
    """
    judges = [one for one in resolved.of_role("claim") if one.closure == {one}]
    answers: dict[str, ClaimResult | SidelightError] = {}
    if not judges:
        return answers
    unseen: dict[str, Any] = {"claims": {}, "components": (), "recipe": {}, "environment": {}, "declared_late": {}}
    shown = attrs.evolve(results, warnings=(), **unseen)
    digests, stop = shown.digests(), Cancellation()
    with (
        TemporaryDirectory(prefix="sidelight-", ignore_cleanup_errors=True) as folder,  # nothing is kept
        closing(Store(Path(folder))) as store,
        closing(Session(resolved, store, "cpu", Display(), stop)) as session,
    ):
        for one in judges:
            try:
                answers[one.id] = judged(session, one, shown, digests)
            except Cancelled:
                raise
            except SidelightError as error:
                answers[one.id] = error
    return answers


@attrs.frozen
class Declarations:
    """Dates at which the claims of a run were declared.

    Args:
        recipe: digest of the resolved recipe, claims included.
        claims: id to `digest` of the claim and `after`, the date of the run whose results could be seen before it was
            declared so; empty where there is none.
        withdrawn: sentences about claims that such a run declared, and this one does not.
    """

    recipe: str
    claims: dict[str, dict[str, str]]
    withdrawn: tuple[str, ...] = ()

    @property
    def late(self) -> dict[str, str]:
        """Claims that were declared after results could be seen, id to the date of the run that showed them."""
        return {name: one["after"] for name, one in self.claims.items() if one["after"]}

    def plain(self) -> dict[str, Any]:
        """As the manifest holds them."""
        return {"recipe": self.recipe, "claims": self.claims}


def declarations(resolved: Resolved, previous: Mapping[str, Any]) -> Declarations:
    """Declarations of a run's claims, beside the manifest of the run that stood in its folder, if any."""
    claims = {one.id: digest_of(_plain(one)) for one in resolved.of_role("claim")}
    is_same = _object(previous, "facts").get("name") == resolved.name
    seen = str(previous.get("finished", "")) if is_same else ""
    known = _object(_object(previous, "declarations"), "claims") if is_same else {}
    entries = {name: {"digest": digest, "after": seen} for name, digest in claims.items()}
    for name, digest in claims.items():
        if isinstance(one := known.get(name), dict) and one.get("digest") == digest:
            entries[name]["after"] = str(one.get("after", ""))
    verdicts = _object(previous, "claims")
    withdrawn = tuple(
        f"the claim {quoted(name)}, {verdicts.get(name, 'not judged')} in the run of {seen}, is no longer declared"
        for name in known
        if name not in claims
    )
    return Declarations(digest_of(resolved.plain), entries, withdrawn)


def _object(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A part of another run's manifest, which may hold anything; empty where it is no object."""
    part = document.get(key)
    return part if isinstance(part, dict) else {}


def _plain(one: ResolvedComponent) -> dict[str, Any]:
    needs = {slot: other.id if other else None for slot, other in one.needs.items()}
    return {"use": one.use, "with": params_plain(one.params), "needs": needs}


def check_claims(results: Results) -> None:
    """Raise `ClaimContradicted`, which names the claims, where one is contradicted."""
    refuted = {name: one for name, one in results.claims.items() if one.verdict == CONTRADICTED}
    if refuted:
        of = f"{len(refuted)} of {len(results.claims)} claims" if len(results.claims) > 1 else "the claim"
        texts = "; ".join(f"{name}: {quoted(one.text)}, {one.reason}" for name, one in refuted.items())
        raise ClaimContradicted(f"{of} {'are' if len(refuted) > 1 else 'is'} contradicted: {texts}")
