"""Live objects: tokens, the weak hold, and what cannot be told apart."""

import gc
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sidelight_specs import UserError, live


class Model:
    pass


def test_a_token_leads_to_its_object():
    model = Model()
    held = live.hold(model, lambda _: "ab" * 32)
    assert held.token == "live:" + "ab" * 32
    assert live.get(held.token) is model
    assert live.is_kept([held.token, 3, None])


def test_one_digest_is_held_once():
    first, second = live.hold(Model(), lambda _: "cd" * 32), None
    second = live.hold(Model(), lambda _: "cd" * 32)
    assert second is first


def test_an_object_is_forgotten_with_its_last_user():
    token = live.hold(Model(), lambda _: "ef" * 32).token
    gc.collect()
    assert not live.is_held(token)
    with pytest.raises(UserError, match="give the object again"):
        live.get(token)


def test_what_has_no_identity_gets_a_new_token_each_time():
    model = Model()
    first, second = live.hold(model, None), live.hold(model, None)
    assert first.token != second.token
    assert not live.is_kept([first.token])


def test_the_newest_of_equal_objects_is_held_because_an_older_one_may_have_changed():
    def content(model):
        return model.content

    older, newer = Model(), Model()
    older.content = newer.content = "the same"
    first = live.hold(older, content)
    older.content = "another"
    assert first.has_changed()
    assert live.hold(newer, content) is first
    assert live.get(first.token) is newer
    assert not first.has_changed()


def test_threads_that_hold_equal_objects_hold_one(request):
    barrier = Barrier(8)

    def hold(_):
        barrier.wait()
        return live.hold(Model(), lambda _: request.node.name)

    with ThreadPoolExecutor(8) as threads:
        held = list(threads.map(hold, range(8)))
    assert len(set(map(id, held))) == 1
