"""The server's end, and connections that ask for nothing."""

import json
import socket
import threading
import time
from http.client import HTTPConnection

import pytest
import uvicorn
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
