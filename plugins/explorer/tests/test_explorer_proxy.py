"""The page behind a reverse proxy, under a path and by a public origin; and the visitor of a full server."""

import http.client
import json
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest
from sidelight_explorer.server import api
from sidelight_explorer.server.app import application
from sidelight_specs.stage import Public
from starlette.testclient import TestClient

from .conftest import World, serving

TOKEN = "the token"
HEADERS = {"x-sidelight-token": TOKEN}
ORIGIN = "https://lab.example.org"


@pytest.fixture
def behind(world):
    """A client of a page at a public origin, under a path."""
    app = application(world.live, TOKEN, upload=1 << 20, public=Public(ORIGIN, "/a/explorer"))
    with TestClient(app, base_url="http://127.0.0.1:9", raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("prefix", ["", "/a/explorer"])
@pytest.mark.parametrize("host", ["127.0.0.1:9", "lab.example.org", "lab.example.org:443"])
def test_a_proxy_may_pass_on_the_path_and_the_host_or_its_own(behind, prefix, host):
    headers = {**HEADERS, "host": host, "origin": ORIGIN}
    assert behind.get(f"{prefix}/?token=the%20token", headers={"host": host}).status_code == 200
    entered = behind.post(f"{prefix}/api/tabs", headers=headers)
    assert entered.status_code == 200
    path = f"{prefix}/api/tabs/{entered.json()['tab']}/draw"
    assert behind.post(path, headers=headers, json={"specs": []}).status_code == 200


def test_other_origins_names_and_paths_stay_refused(behind):
    for origin in ("http://lab.example.org", "https://lab.example.org.evil.example", "https://evil.example", "null"):
        answer = behind.post("/api/tabs", headers={**HEADERS, "host": "127.0.0.1:9", "origin": origin})
        assert answer.status_code == 403, origin
    assert behind.get("/?token=the%20token", headers={"host": "evil.example"}).status_code == 421
    for path in ("/a/explorers/", "/a/", "/a/explorer/a/explorer/", "/a/explorer/../explorer/x"):
        assert behind.get(f"{path}?token=the%20token").status_code == 404, path
    assert behind.post("/a/explorer/api/tabs").status_code == 403, "the token is wanted there too"


def test_a_named_origin_narrows_what_a_public_interface_answers_to(world):
    app = application(world.live, TOKEN, upload=1 << 20, host="0.0.0.0", public=Public(ORIGIN))
    with TestClient(app, base_url="http://lab.example.org") as client:
        assert client.get("/?token=the%20token").status_code == 200
        assert client.get("/?token=the%20token", headers={"host": "rebound.example"}).status_code == 421


def test_events_are_not_to_be_held_back_and_a_silent_stream_gives_signs_of_life(world, monkeypatch):
    monkeypatch.setattr(api, "ALIVE_SECONDS", 0.05)
    with serving(world) as made:
        host, port = made.address.split("/")[2].split(":")
        asking = http.client.HTTPConnection(host, int(port), timeout=20)
        asking.request("POST", "/api/tabs", headers=HEADERS)
        tab = json.loads(asking.getresponse().read())["tab"]
        asking.request("GET", f"/api/tabs/{tab}/events")
        stream = asking.getresponse()
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["cache-control"] == "no-store"
        lines = [stream.readline() for _ in range(6)]
        asking.close()
    assert lines.count(b": alive\n") == 2


def test_a_tab_that_does_not_read_is_told_no_progress_and_gets_no_more_work(world):
    from sidelight_explorer.server import clients

    with TestClient(world.app, base_url="http://127.0.0.1:9") as client:
        tab = client.post("/api/tabs", headers=HEADERS).json()["tab"]
        one = world.live.clients.find(tab)
        for _ in range(3 * clients.MOST_EVENTS):
            one._put({"state": "running"})
        assert one.events.qsize() == clients.MOST_EVENTS
        for _ in range(clients.MOST_RESULTS):
            one._put({"state": "done"})
        answer = client.post(f"/api/tabs/{tab}/data", headers=HEADERS, json={"split": "test", "index": 0})
        assert answer.status_code == 429
        assert "does not read its results" in answer.json()["error"]


NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port};
    location /explorer/ {{
      proxy_pass http://127.0.0.1:{behind}/;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      client_max_body_size 20m;
      proxy_read_timeout 1h;
    }}
  }}
}}
"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  redir /explorer /explorer/
  handle_path /explorer/* {{
    reverse_proxy 127.0.0.1:{behind}
  }}
}}
"""
PROXIES = {
    "nginx": (NGINX, lambda file: ["nginx", "-e", "/dev/null", "-c", file]),
    "caddy": (CADDY, lambda file: ["caddy", "run", "--adapter", "caddyfile", "--config", file]),
}


@contextmanager
def proxied(name, folder, port, behind):
    """A real proxy that takes the path off."""
    text, command = PROXIES[name]
    file = folder / "proxy.conf"
    file.write_text(text.format(folder=folder, port=port, behind=behind))
    with subprocess.Popen(command(str(file)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                with socket.socket() as trying:
                    if trying.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


@pytest.mark.browser
@pytest.mark.parametrize("proxy", sorted(PROXIES))
def test_the_page_works_behind_a_real_proxy(chromium, tmp_path, proxy):
    if shutil.which(proxy) is None:
        pytest.skip(f"NOT RUN: {proxy} is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    origin = f"http://127.0.0.1:{port}"
    world = World(public=Public(origin, "/explorer"))
    with serving(world) as made, proxied(proxy, tmp_path, port, made.address.split(":")[2].split("/")[0]):
        page = chromium.new_page()
        errors = []
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{origin}/explorer/?token=the%20token")
        page.wait_for_selector("html[data-ready]", state="attached", timeout=30_000)
        before = page.locator(".current-panel .big").inner_text()
        page.locator(".matrix .cell >> nth=0").click()
        page.wait_for_function("before => document.querySelector('.big').textContent !== before", arg=before)
        world.inverter.leave.clear()
        page.get_by_role("button", name="Invert").click()
        page.wait_for_selector(".jobs li:has-text('optimising')", timeout=20_000)  # progress is not held back
        world.inverter.leave.set()
        page.wait_for_selector(".gallery li:has-text('test 0')", timeout=20_000)
        count = len(list(world.live.clients))
        page.goto("about:blank")
        for _ in range(100):
            if len(list(world.live.clients)) < count:
                break
            time.sleep(0.05)
        assert len(list(world.live.clients)) < count, "the tab said that it was closed"
        page.close()
        assert errors == []


@pytest.mark.browser
def test_the_visitor_of_a_full_server_waits_and_gets_in(chromium):
    world = World(visitors=1)
    with serving(world) as made:
        first, second = chromium.new_page(), chromium.new_page()
        first.goto(made.address)
        first.wait_for_selector("html[data-ready]", state="attached", timeout=30_000)
        second.goto(made.address)
        second.wait_for_selector(".wait:has-text('1 tabs have this page open')", timeout=30_000)
        first.goto("about:blank")
        second.wait_for_selector("html[data-ready]", state="attached", timeout=30_000)
        assert second.locator(".wait").count() == 0
        first.close()
        second.close()
