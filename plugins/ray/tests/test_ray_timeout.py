"""The time limit of a unit, on a cluster that a test makes up."""

from itertools import count
from types import SimpleNamespace

from sidelight_ray import RayParams, cluster
from sidelight_specs.roles import WorkerLost


class ToyCluster:
    """Of tasks submitted in turn those in `hanging` never end; all others have ended at once."""

    def __init__(self, hanging=()):
        self._hanging, self._numbers, self.cancelled = hanging, count(), []

    def is_initialized(self):
        return True

    def cluster_resources(self):
        return {"CPU": 3}

    def remote(self, function):
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda *_: next(self._numbers)))

    def wait(self, references, num_returns=1, timeout=None):
        ended = [one for one in references if one not in self._hanging][:num_returns]
        return ended, [one for one in references if one not in ended]

    def get(self, reference):
        return b"%d" % reference

    def cancel(self, reference, force):
        self.cancelled.append(reference)


def answers(monkeypatch, toy):
    monkeypatch.setattr(cluster, "ray", toy)
    monkeypatch.setattr(cluster, "time", SimpleNamespace(monotonic=count(step=100).__next__))  # everybody is late
    executor = cluster.Ray(RayParams(timeout=5.0), run=None)
    return dict(filter(None, executor.map(bytes, [b"a", b"b", b"c"])))


def test_a_unit_that_has_ended_is_not_late(monkeypatch):
    """Of several that have ended, one is looked at in each round."""
    toy = ToyCluster()
    assert answers(monkeypatch, toy) == {0: b"0", 1: b"1", 2: b"2"}
    assert toy.cancelled == []


def test_a_unit_that_hangs_is_cancelled(monkeypatch):
    toy = ToyCluster(hanging={1})
    lost = WorkerLost("had not ended after 5 s, the executor's timeout")
    assert answers(monkeypatch, toy) == {0: b"0", 1: lost, 2: b"2"}
    assert toy.cancelled == [1]
