"""Numbers as the page writes them, asked of the front end's own module in a browser."""

import pytest
from sidelight_ui.bundle import bundle, reader

pytestmark = pytest.mark.browser

MINUS, DASH = "\u2212", "\u2013"


@pytest.fixture(scope="module")
def numbers_module(chromium):
    page = chromium.new_page()
    page.add_script_tag(content=bundle("numbers", reader("sidelight_report")))
    yield page
    page.close()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("format(0)", "0"),
        ("ofImage({ value: 1, unit: 'share of images' })", "yes"),
        ("ofImage({ value: 0.25, unit: 'share of images' })", "0.250"),
        ("ofImage({ value: 1, unit: 'logits' })", "1.00"),
        ("format(null)", DASH),
        ("format(0.123456)", "0.123"),
        ("format(-1234.5)", f"{MINUS}1\u202f235"),
        ("format(0.00001234)", f"1.2e{MINUS}5"),
        ("format(60)", "60"),
        ("format(99.97)", "100"),
        ("signed(0.5)", "+0.500"),
        ("signed(-0.5, 2)", f"{MINUS}0.50"),
        ("tick(0.5)", "0.5"),
        ("tick(100)", "100"),
        ("percent(0)", "0 %"),
        ("percent(1)", "100 %"),
        ("percent(0.9999)", ">99.9 %"),
        ("percent(0.9962)", "99.6 %"),
        ("percent(0.0001)", "<0.1 %"),
        ("percent(0.0123)", "1 %"),
        ("percent(0.5)", "50 %"),
    ],
)
def test_numbers_read_well(numbers_module, call, text):
    assert numbers_module.evaluate(f"m_numbers.{call}") == text
