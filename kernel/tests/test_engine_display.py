"""How a run shows itself: in notebooks, as a table, and while it goes on."""

import io
import time
from types import SimpleNamespace

import attrs
import numpy as np
import pytest
from rich.console import Console
from sidelight.engine.machine import Cancellation
from sidelight.engine.progress import Bars, Display, choose_display
from sidelight.engine.session import Record, Session
from sidelight.registry.load import Observers
from sidelight_specs import hookimpl
from sidelight_specs.observers import StepFacts
from sidelight_specs.results import (
    Counterfactual,
    Heatmap,
    Measurement,
    Measurements,
    Predictions,
    Results,
    Split,
    State,
    Targets,
)
from sidelight_specs.results.table import table_of


@pytest.fixture
def results():
    images = np.linspace(0, 1, 10 * 9, dtype=np.float32).reshape(10, 1, 3, 3)
    logits = np.tile(np.array([[2, 1]], np.float32), (10, 1))
    measured = Measurement(
        name="total", values=np.array([1, 3, np.nan], np.float32), better="higher", unit="<x>", help="A & b."
    )
    none = Measurement(name="none", values=np.array([np.nan], np.float32))
    return Results(
        name="<b>me</b>",
        split=Split(images=images),
        predictions=Predictions(logits=logits),
        targets=Targets(predicted=np.zeros(10, np.int64), probe=np.ones(10, np.int64)),
        class_names=("cat", "dog"),
        explanations={
            "heat": Heatmap(values=images[:, 0]),
            "other": Counterfactual(
                images=1 - images, logits_before=logits, logits_after=logits, converged=np.arange(10) != 1
            ),
        },
        measurements={"m": {"heat": Measurements(items=(measured, none))}},
    )


def test_the_table(results):
    table = table_of(results)
    first, second = table
    assert (first.metric, first.of, first.name, first.value, first.count) == ("m", "heat", "total", 2.0, 2)
    assert first.cells == ("m", "heat", "total", "2", "", "higher", "<x>"), "two images have no interval"
    assert second.cells[3:] == ("does not apply", "", "", "")
    assert str(table).splitlines()[1].split() == ["m", "heat", "total", "2", "higher", "<x>"]
    assert "&lt;x&gt;" in table._repr_html_()


def test_the_table_says_the_spread_and_what_depends_on_the_baseline(results):
    def over(blur, black):
        parts = {"blur": np.array(blur, np.float32), "black": np.array(black, np.float32)}
        values = np.mean([blur, black], axis=0).astype(np.float32)
        return Measurements(items=(Measurement(name="deletion", values=values, variants=parts, varied="baseline"),))

    measured = {"m": {"heat": over([0.5, 0.4, 0.5], [0, 0, 0.1]), "other": over([0.2, 0.3, 0.2], [0.4, 0.4, 0.3])}}
    table = table_of(attrs.evolve(results, measurements=measured))
    assert table[0].cells[3:5] == ("0.25", "0.127 to 0.373")
    assert table.notes[0] == "m deletion of heat by baseline: blur 0.467, black 0.0333"
    assert table.notes[-1] == "m deletion: depends on the baseline which is better: heat and other"
    assert str(table).endswith(table.notes[-1])
    assert table.notes[-1] in table._repr_html_()


class Drawing:
    @hookimpl
    def sidelight_run_html(self, results):
        return f"<b>{results.name}</b>"


def test_a_real_run_shows_itself(toys, monkeypatch):
    finished = toys.run()
    assert finished._repr_html_().count("<img") == 6 * 3
    monkeypatch.setattr(Observers, "add_installed", lambda self, _: None)
    assert "&lt;sidelight.Run" in finished._repr_html_(), "plain text where no plugin draws runs"
    monkeypatch.setattr(Observers, "add_installed", lambda self, _: self.add(Drawing(), "drawing"))
    assert finished._repr_html_() == "<b>toys</b>"
    assert repr(finished).startswith("<sidelight.Run 'toys': 6 questions, 2 explanations, in ")


STEP = StepFacts(title="fit x", verb="fit", use="toy/x", id="x", role="classifier", number=1, total=2)


def start(display, title, total=1):
    display.sidelight_step_started(attrs.evolve(STEP, title=title, total=total))


def finish(display, title, total=1, seconds=1.0):
    display.sidelight_step_finished(attrs.evolve(STEP, title=title, total=total), seconds, 1, 0, "")


def test_plain_lines():
    stream = io.StringIO()
    reporter = Display(stream)
    start(reporter, "fit classifier", 2)
    with reporter.loop("training", 100) as advance:
        advance()
    finish(reporter, "fit classifier", 2, 2.0)
    reporter.close()
    assert stream.getvalue() == "[1/2] fit classifier ...\n[1/2] fit classifier: done in 2.0 s\n"


def test_plain_lines_tell_now_and_then_how_far_a_long_loop_is():
    stream, seconds = io.StringIO(), iter(range(0, 10_000, 10))
    reporter = Display(stream, clock=lambda: float(next(seconds)))
    with reporter.loop("training", 40) as advance:
        for _ in range(6):
            advance()
    with reporter.loop("drawing", None) as advance:
        for _ in range(3):
            advance()
    assert stream.getvalue().splitlines() == [
        "      training: 3 of 40, about 6 min left",
        "      training: 6 of 40, about 6 min left",
        "      drawing: 3",
    ]


@pytest.mark.parametrize(
    ("made", "found", "said"),
    [(1, 0, "done in 3.0 s"), (0, 4, "stored"), (1, 3, "done in 3.0 s (3 of 4 parts stored)"), (0, 0, "done in 3.0 s")],
)
def test_outcomes(made, found, said):
    stream = io.StringIO()
    Display(stream).sidelight_step_finished(STEP, 3.0, made, found, "")
    assert stream.getvalue() == f"[1/2] fit x: {said}\n"


def test_a_failure_is_said_and_its_bar_removed():
    terminal = io.StringIO()
    bars = Bars(Console(file=terminal, force_terminal=True, width=80))
    bars.sidelight_step_started(STEP)
    bars.sidelight_step_finished(STEP, 3.0, 0, 0, "no such file")
    assert bars._progress.tasks == []
    bars.close()
    assert "[1/2] fit x: failed" in terminal.getvalue()
    assert "failed, and the run goes on: no such file" in terminal.getvalue()


def test_bars_show_the_step_and_its_loops(capsys):
    reporter = Bars()
    start(reporter, "fit [classifier]", 1)
    with reporter.loop("training", 3) as advance:
        for _ in range(3):
            advance()
        assert [task.completed for task in reporter._progress.tasks] == [0, 3]
        assert reporter._progress.tasks[1].total == 3
    finish(reporter, "fit [classifier]", 1, 1.0)
    assert reporter._progress.tasks == []
    reporter.close()
    assert "[1/1] fit [classifier]: done in 1.0 s" in capsys.readouterr().err


def test_no_reporter_lets_a_text_drive_the_terminal():
    plain, terminal = io.StringIO(), io.StringIO()
    evil = "\x1b]0;owned\x07"
    for reporter in (Display(plain), Bars(Console(file=terminal, force_terminal=True, width=80))):
        start(reporter, evil)
        with reporter.loop(evil, 2) as advance:
            advance()
        reporter.say(f"warning: {evil}")
        finish(reporter, evil)
        reporter.close()
    for shown in (plain.getvalue(), terminal.getvalue()):
        assert "\x1b]0" not in shown
        assert "\x07" not in shown
        assert "\\x1b]0;owned" in shown


def test_bars_leave_nothing_behind_a_step_that_has_ended():
    terminal = io.StringIO()
    reporter = Bars(Console(file=terminal, force_terminal=True, width=80))
    start(reporter, "explain", 1)
    with reporter.loop("images", 1) as advance:
        advance()
    finish(reporter, "explain", 1, 1.0)
    reporter.close()
    before, _, after = terminal.getvalue().partition("done in 1.0 s")
    assert "0/?" in before
    assert "[1/1]" not in after
    assert "?" not in after.replace("\x1b[?25h", "")  # the sequence shows the cursor again


def test_the_display_follows_the_terminal(monkeypatch, capsys):
    for show, shown in ((False, ""), (True, "[1/1] explain ...\n")):
        display = choose_display(show=show)
        assert type(display) is Display
        start(display, "explain", 1)
        with display.loop("images", 1) as advance:
            advance()
        assert capsys.readouterr().err == shown
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    bars = choose_display(show=True)
    bars.close()
    assert isinstance(bars, Bars)


def test_time_inside_components_is_counted_once_when_they_call_one_another():
    session = Session(SimpleNamespace(seed=0), None, "cpu", Display(), Cancellation())
    outer, inner = SimpleNamespace(title="outer"), SimpleNamespace(title="inner")
    start = time.perf_counter()
    with session.inside(outer, "explain"), session.inside(inner, "build"):
        time.sleep(0.01)
    assert 0.01 <= session.seconds <= time.perf_counter() - start


def test_by_products_of_one_name_are_numbered_and_repeats_are_dropped():
    record, one, other = Record(), State(settings={"a": "1"}), State(settings={"a": "2"})
    for artifact in (one, other, one, other):
        record.emit("x/curve", artifact)
    assert list(record.emitted) == ["x/curve", "x/curve-2"]
