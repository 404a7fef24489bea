"""Claims of the recipe on the page."""

import attrs
import pytest
from sidelight_specs.results import ClaimResult


@pytest.mark.browser
def test_the_axis_of_a_claim_shows_its_own_comparison(chromium, render, digits):
    claim = attrs.evolve(ClaimResult.example(digits.split.images, 10), before=None, after=None, captions=())
    sides = {"≥": ("above", False), ">": ("above", True), "≤": ("below", False), "<": ("below", True)}
    claims = {sign: attrs.evolve(claim, side=side, strict=strict) for sign, (side, strict) in sides.items()}
    page = chromium.new_page()
    page.goto(render(attrs.evolve(digits, claims=claims)).as_uri())
    page.wait_for_selector("html[data-ready]", timeout=30_000, state="attached")
    ticks = page.locator("#declared svg .threshold + .tick").all_text_contents()
    assert ticks == [f"{sign} 0.5" for sign in claims]
