"""The server's end, and connections that ask for nothing."""

import json
import socket
import threading
import time
from http.client import HTTPConnection

import pytest
import uvicorn
from sidelight_explorer.priority_lock import Priority
from sidelight_explorer.server import listener
from sidelight_explorer.server.listener import listen, serve

TOKEN = "the token"


@pytest.fixture
def running(world, monkeypatch):
    """The world behind `serve` in a thread; its address, and what ends it as Ctrl-C does."""
    made, ready = [], threading.Event()
    monkeypatch.setattr(uvicorn.Server, "__init__", _remembering(uvicorn.Server.__init__, made))
    listening = listen("127.0.0.1", 0)
    thread = threading.Thread(
        target=serve, args=(world.app, listening, ready.set, world.live.clients.close), daemon=True
    )
    thread.start()
    assert ready.wait(10)

    def end():
        made[0].should_exit = True
        thread.join(listener.GRACE_SECONDS + 5)
        return not thread.is_alive()

    yield listening.getsockname(), end
    end()
    listening.close()


def _remembering(original, made):
    def create(self, *args, **kwargs):
        original(self, *args, **kwargs)
        made.append(self)

    return create


def test_the_end_closes_open_tabs_and_complains_of_nothing(running, capsys):
    (host, port), end = running
    entering = HTTPConnection(host, port)
    entering.request("POST", "/api/tabs", headers={"x-sidelight-token": TOKEN})
    tab = json.loads(entering.getresponse().read())["tab"]
    streaming = HTTPConnection(host, port)
    streaming.request("GET", f"/api/tabs/{tab}/events")
    stream = streaming.getresponse()
    assert stream.status == 200
    assert end()
    assert stream.read() == b": open\n\n", "the stream came to its proper end"
    assert capsys.readouterr().err == ""


def test_a_connection_that_sends_no_whole_head_is_closed_and_others_are_answered(running, monkeypatch):
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.3)
    address, _ = running
    with socket.create_connection(address) as half, socket.create_connection(address) as silent:
        half.sendall(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-half: ")
        for one in (half, silent):
            one.settimeout(10)
            assert one.recv(1000) == b""
    asking = HTTPConnection(*address)
    asking.request("GET", "/?token=the%20token")
    answer = asking.getresponse()
    assert answer.status == 200
    answer.read()
    time.sleep(0.4)
    asking.request("GET", "/?token=the%20token")
    assert asking.getresponse().status == 200, "a connection that has asked stays open for more"


def test_an_edit_finds_a_thread_while_cells_of_many_visitors_wait(running, world, monkeypatch):
    (host, port), _ = running
    leave, under_way, shown = threading.Event(), threading.Semaphore(0), type(world.state).show

    def show(state, specs, priority, own):
        if priority != Priority.EDIT:
            under_way.release()
            leave.wait(60)
        return shown(state, specs, priority, own)

    monkeypatch.setattr(type(world.state), "show", show)
    asking = HTTPConnection(host, port, timeout=60)
    asking.request("POST", "/api/tabs", headers={"x-sidelight-token": TOKEN})
    entered = json.loads(asking.getresponse().read())
    spec = entered["document"]["images"][0]["now"]

    def draw(edit):
        one = HTTPConnection(host, port, timeout=60)
        body = json.dumps({"specs": [spec], "edit": edit})
        one.request("POST", f"/api/tabs/{entered['tab']}/draw", body, {"x-sidelight-token": TOKEN})
        return one.getresponse().status

    others = [threading.Thread(target=draw, args=(False,)) for _ in range(45)]
    for other in others:
        other.start()
    for _ in range(40):  # as many threads as there are for all that is no edit
        assert under_way.acquire(timeout=30)
    try:
        assert draw(True) == 200
    finally:
        leave.set()
        for other in others:
            other.join(60)
