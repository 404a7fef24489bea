"""`sidelight verify`: what it says when there is nothing to verify."""

import sys

import pytest
from sidelight.cli import main
from sidelight.cli.host import KernelHost
from sidelight_dev import verify

pytestmark = pytest.mark.processes


@pytest.fixture
def site(tmp_path, monkeypatch):
    info = tmp_path / "sidelight_acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sidelight-acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sidelight.v1.metric]\nnothing = no_such_module_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("wanted", ["sidelight-acme", "sidelight_acme", "Sidelight.Acme"])
def test_names_are_normalised(site, wanted):
    assert verify.installed(wanted, KernelHost()) == "sidelight-acme"


@pytest.mark.parametrize(
    ("wanted", "fix"),
    [
        ("acme", "fix: sidelight verify sidelight-acme"),
        ("sidelight-acne", "fix: sidelight verify sidelight-acme"),
        ("pytest", "`sidelight plugins` lists what is installed"),
    ],
)
def test_a_distribution_without_components_is_the_users_mistake(site, capsys, wanted, fix):
    assert main(["verify", wanted]) == 2
    assert fix in capsys.readouterr().err


def test_a_folder_must_be_installed_first(tmp_path, capsys):
    (tmp_path / "pyproject.toml").write_text("")
    assert main(["verify", str(tmp_path)]) == 2
    assert f"pip install -e {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["pytest", "torch"])
def test_what_is_missing_is_named(site, monkeypatch, capsys, missing):
    found = verify.find_spec
    monkeypatch.setattr(verify, "find_spec", lambda name: None if name == missing else found(name))
    assert main(["verify", "sidelight-acme"]) == 2
    message = capsys.readouterr().err
    assert missing in message
    assert f"fix: {sys.executable} -m pip install {missing}\n" in message


@pytest.mark.parametrize(
    ("end", "told"),
    [("os._exit(0)", "ended the process with status 0"), ("os.kill(os.getpid(), 9)", "crashed the process (SIGKILL)")],
)
def test_a_component_that_ends_the_process_is_no_success(site, capsys, end, told):
    (site / "no_such_module_anywhere.py").write_text(f"import os\n{end}")
    assert main(["verify", "sidelight-acme"]) == 1
    assert f"error: sidelight-acme {told} before the first check" in capsys.readouterr().err


def test_the_check_that_ends_the_process_is_named(site, monkeypatch, capsys):
    text = (
        "import os\nimport pytest\n\n"
        '@pytest.mark.parametrize("case", ["metric/one-fine", "metric/two-same-seed"])\n'
        'def test_conformance(case, record_property):\n    case == "metric/one-fine" or os._exit(0)\n'
    )
    monkeypatch.setattr(verify, "_TEST", text.replace("{", "{{").replace("}", "}}"))
    assert main(["verify", "sidelight-acme"]) == 1
    assert "ended the process with status 0 in the check metric/two-same-seed\n" in capsys.readouterr().err


def test_a_light_module_that_does_not_import_fails_two_checks(site, capfd):
    assert main(["verify", "sidelight-acme"]) == 1
    told = capfd.readouterr().out
    assert "FAILED entry-point: ModuleNotFoundError: No module named 'no_such_module_anywhere'" in told
    assert "FAILED light-import" in told
    assert "sidelight-acme: 2 conformance checks were run" in told
    assert "warning" not in told.lower()  # pytest's, of a report that takes no properties
