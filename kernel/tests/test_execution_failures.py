"""What fails names itself, keeps what was finished, and leaves nothing half-written."""

import signal
from pathlib import Path

import pytest
from sidelight.cli import main
from sidelight.execution.cancel import Cancellation, on_interrupt
from sidelight_specs import Cancelled, SidelightError, UserError


def failing(toys, **options):
    return toys.small(
        explainers={"bright": {"use": "toy/brightness"}, "bad": {"use": "toy/failing", "with": options}},
        renderers={"page": {"use": "toy/text"}},
    )


def leftovers(tmp_path):
    """Everything in the working folder that is not the cache."""
    return [path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "cache") and path.is_file()]


def test_an_exception_names_the_component_and_the_step(toys, tmp_path):
    with pytest.raises(SidelightError) as caught:
        toys.run(failing(toys))
    assert str(caught.value) == (
        "explainers.bad (toy/failing) failed in the step `explain questions 0 to 1`: ValueError: no such thing"
    )
    assert isinstance(caught.value.__cause__, ValueError)
    assert leftovers(tmp_path) == []


def test_earlier_steps_and_shards_are_kept(toys):
    with pytest.raises(SidelightError, match="questions 2 to 3"):
        toys.run(failing(toys, image=2))
    toys.calls.clear()
    with pytest.raises(SidelightError, match="questions 4 to 5"):  # it fails at the third image that it sees again
        toys.run(failing(toys, image=2))
    assert toys.calls == ["try", "try", "try"]


def test_a_users_mistake_stays_one_and_names_the_component(toys):
    with pytest.raises(UserError) as caught:
        toys.run(failing(toys, error="user"))
    assert caught.value.message == "explainers.bad (toy/failing): the mask file is missing"
    assert caught.value.fix == "Draw one."


def test_a_component_cannot_end_the_process(toys):
    with pytest.raises(SidelightError, match="SystemExit"):
        toys.run(failing(toys, error="exit"))


def test_ctrl_c_stops_at_the_next_item_and_keeps_what_was_finished(toys, tmp_path):
    before = signal.getsignal(signal.SIGINT)  # ignored where the shell has started the tests in the background
    with pytest.raises(Cancelled, match="running again continues"):
        toys.run(failing(toys, error="interrupt", image=1))
    assert toys.calls.count("try") == 2
    assert leftovers(tmp_path) == []
    toys.calls.clear()
    finished = toys.run(failing(toys, error="none"))
    assert "explain 2" not in toys.calls
    assert finished.pages[0].exists()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_stops_at_once():
    said = []
    cancellation = Cancellation()
    with on_interrupt(cancellation, said.append):
        signal.raise_signal(signal.SIGINT)
        assert cancellation.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert "again to stop at once" in said[0]


def test_a_run_can_be_stopped_from_outside(toys):
    from sidelight.execution.recipes import run

    cancellation = Cancellation()
    cancellation.ask()
    with pytest.raises(Cancelled):
        run(toys.small(), progress=False, cancellation=cancellation)
    assert toys.calls == []


def test_a_failed_run_leaves_the_last_good_one(toys):
    good = toys.run(failing(toys, error="none"), out="mine")
    before = {path: path.read_bytes() for path in good.folder.rglob("*") if path.is_file()}
    with pytest.raises(SidelightError):
        toys.run(failing(toys), out="mine")
    assert {path: path.read_bytes() for path in good.folder.rglob("*") if path.is_file()} == before


def test_the_command_line_says_it_in_one_message(toys, tmp_path, capfd):
    recipe = Path("recipe.yaml")
    recipe.write_text(
        "recipe: 1\nname: bad\ndata: {use: toy/squares}\nclassifier: {use: toy/mean}\nexplainers: {use: toy/failing}\n"
    )
    assert main(["run", str(recipe)]) == 1
    error = capfd.readouterr().err
    assert "error: explainers (toy/failing) failed" in error
    assert "Traceback" not in error
    assert not Path("runs/bad").exists()


def test_a_broken_cache_entry_is_mended_on_the_way(toys, tmp_path):
    recipe = failing(toys, error="none")
    first = toys.run(recipe)
    for document in (tmp_path / "cache" / "v1").rglob("entry.json"):
        document.write_text("{")
    again = toys.run(recipe)
    assert toys.hashes(again) == toys.hashes(first)
    assert len([text for text in again.manifest["warnings"] if "unreadable" in text]) >= first.manifest["cache"]["made"]
    assert again.results.warnings == first.results.warnings


def test_a_run_folder_on_a_full_disk_is_the_users_to_mend_and_costs_no_cache_entry(toys, monkeypatch, tmp_path):
    recipe = failing(toys, error="none")
    toys.run(recipe)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.copytree", full)
        with pytest.raises(UserError, match="other cannot be written: No space left on device"):
            toys.run(recipe, out="other")
    assert not (tmp_path / "other").exists()
    assert toys.run(recipe).manifest["cache"]["made"] == 0
