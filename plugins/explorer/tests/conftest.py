"""Explorers of toy models: behind a client in this process, behind a real server, and in a real browser."""

import threading
from contextlib import contextmanager
from contextvars import ContextVar

import attrs
import pytest
import torch
import uvicorn
from sidelight_explorer._params import WebParams
from sidelight_explorer.server.app import application
from sidelight_explorer.server.listener import address, listen
from sidelight_explorer.server.live_state import LiveState
from sidelight_explorer.session.names import KeptNames
from sidelight_explorer.session.state import explorer_state, initial_session
from sidelight_specs.results import Inversion
from sidelight_specs.roles import Inverter
from sidelight_specs.stage import Public
from sidelight_specs.testing.explanations import toy_results
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyData, ToyExplainer, ToyGenerator, ToyInverter

SHAPE = (1, 32, 32)
TOKEN = "the token"
WATCHER = ContextVar("watcher", default=None)


class SlowInverter(Inverter):
    """Takes steps that are told, and waits for leave before the last one."""

    def __init__(self, generator):
        self.inner, self.leave, self.begun = ToyInverter(generator), threading.Event(), threading.Event()
        self.leave.set()

    def invert(self, images) -> Inversion:
        watch = WATCHER.get()
        watch("optimising", 0, 4)
        self.begun.set()
        while not self.leave.wait(0.005):
            watch("optimising", 1, 4)
        watch("optimising", 4, 4)
        return self.inner.invert(images)


@attrs.frozen
class ToyPart:
    id: str
    made: object
    provides: tuple = ()
    use: str = "toy/part"
    summary: str = "A toy."

    def component(self):
        return self.made

    def build(self, classifier):
        return type(self.made)(classifier)


class ToyStage:
    host, port, folder, public = "127.0.0.1", 0, None, Public()

    def __init__(self, **roles):
        self.roles = roles

    def parts(self, role):
        return self.roles.get(role, ())

    @contextmanager
    def watching(self, watcher):
        token = WATCHER.set(watcher)
        try:
            yield
        finally:
            WATCHER.reset(token)

    def opened(self, address):
        self.address = address


class World:
    """An explorer of toys and all that is behind it."""

    def __init__(self, attributes=None, folder=None, public=None, **options):
        self.params = WebParams(**{"images": 4, "styles": 3, "groups": 2, "region": 64, **options})
        self.generator = ToyGenerator(SHAPE, "w")
        self.classifiers = {"main": ToyClassifier(SHAPE), "two": ToyClassifier(SHAPE, "binary")}
        self.inverter = SlowInverter(self.generator)
        self.stage = ToyStage(
            explainer=(ToyPart("heat", ToyExplainer(self.classifiers["main"]), ("heatmap",)),),
            inverter=(ToyPart("inverter", self.inverter),),
            data=(ToyPart("data", ToyData(SHAPE)),),
        )
        results = attrs.evolve(toy_results(), inversion=None)
        if attributes is not None:
            results = attrs.evolve(results, attributes=attributes)
        self.state = explorer_state(results, self.params, self.generator, self.classifiers, ToyRun(), styled=True)
        self.session = initial_session(self.state, self.params)
        names = folder and KeptNames(folder, (2, 3))
        visitors = self.params.visitors
        self.live = LiveState(
            self.state, self.stage, self.session, own={}, encodes=False, names=names, visitors=visitors
        )
        self.app = application(self.live, TOKEN, upload=1 << 20, public=public)


@pytest.fixture
def world():
    torch.set_num_threads(1)
    made = World()
    yield made
    made.inverter.leave.set()
    made.live.jobs.close()


@pytest.fixture(scope="module")
def served():
    """A world behind a real server in a thread; its address."""
    torch.set_num_threads(1)
    with serving(World()) as made:
        yield made


@contextmanager
def serving(made):
    """A real server in a thread; the world knows its address."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(made.app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    made.address = address(listening, TOKEN.replace(" ", "%20"))
    try:
        yield made
    finally:
        made.inverter.leave.set()
        server.should_exit = True
        thread.join(10)
        listening.close()
