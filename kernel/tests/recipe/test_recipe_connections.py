"""A recipe of unknown origin sends nothing to another machine."""

import pytest

REMOTE = "renderers: {sent: {use: shop/sent, with: {server: 'https://tracker.example.org'}}}\n"


def test_another_machine_is_refused_where_the_recipe_names_it(mistake, working, monkeypatch):
    monkeypatch.delenv("SHOP_SERVER", raising=False)
    text = mistake(working + REMOTE)
    assert 'the recipe leads to another machine, "https://tracker.example.org"' in text
    assert "set SHOP_SERVER=https://tracker.example.org in the environment, or name it by `--set`" in text
    assert "recipe.yaml:" in text


def test_the_users_own_server_is_not(load, mistake, working, monkeypatch):
    monkeypatch.setenv("SHOP_SERVER", "https://tracker.example.org/")
    load(working + REMOTE)
    monkeypatch.setenv("SHOP_SERVER", "https://other.example.org")
    assert "another machine" in mistake(working + REMOTE)


def test_a_server_of_the_command_line_is_not(load, mistake, working, monkeypatch):
    monkeypatch.delenv("SHOP_SERVER", raising=False)
    load(working + REMOTE, set=["renderers.sent.with.server=https://mine.example.org"])
    assert "another machine" in mistake(working + REMOTE, set=["renderers.sent.use=shop/sent"])


@pytest.mark.parametrize("server", ["", "http://localhost:5000", "/srv/runs"])
def test_this_machine_needs_no_leave(load, working, server):
    load(working + REMOTE.replace("https://tracker.example.org", server))
