"""Live objects: tokens, the weak hold, and what cannot be told apart."""

import gc

import pytest
from sidelight_specs import UserError, live


class Model:
    pass


def test_a_token_leads_to_its_object():
    model = Model()
    held = live.hold(model, "ab" * 32)
    assert held.token == "live:" + "ab" * 32
    assert live.get(held.token) is model
    assert live.is_kept([held.token, 3, None])


def test_one_digest_is_held_once():
    first, second = live.hold(Model(), "cd" * 32), None
    second = live.hold(Model(), "cd" * 32)
    assert second is first


def test_an_object_is_forgotten_with_its_last_user():
    token = live.hold(Model(), "ef" * 32).token
    gc.collect()
    assert not live.is_held(token)
    with pytest.raises(UserError, match="give the object again"):
        live.get(token)


def test_what_has_no_identity_gets_a_new_token_each_time():
    model = Model()
    first, second = live.hold(model, None), live.hold(model, None)
    assert first.token != second.token
    assert not live.is_kept([first.token])
