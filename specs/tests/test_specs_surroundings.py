"""Changes of the interpreter's shared parts: which count, and which do not."""

import json
import time

import pytest
from sidelight_specs.surroundings import Surroundings


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the platform has no tzset")
def test_reading_the_time_zone_again_is_no_change():
    before, known = Surroundings(), time.tzname
    time.tzset()
    assert time.tzname is not known
    assert before.mend() == ""


def test_a_replaced_function_is_put_back_and_named(monkeypatch):
    before, dumps = Surroundings(), json.dumps
    monkeypatch.setattr(json, "dumps", None)
    assert "json.dumps" in before.mend()
    assert json.dumps is dumps
