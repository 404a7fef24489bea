"""The frame of the command line: help that teaches, dispatch, and one clear message for every way to fail."""

import json
import re
import signal
import sys
import types
from importlib.metadata import distributions

import pytest
from sidelight.cli import frame, main
from sidelight.cli.commands import COMMANDS
from sidelight_specs import Cancelled, NotFittedError, SidelightError, UserError
from sidelight_specs.commands import Command
from sidelight_specs.problems import Place, Problem, RecipeError

HELP = """\
usage: sidelight [--debug] COMMAND ...

Sidelight explains what an image classifier looks at.

It reads a recipe, a YAML file that names data, a classifier and the explainers to compare, runs it
once, keeps every result, and shows them on a page. Techniques are plugins: packages of their own.

Try first, with images and a model of your own, or with what comes along:
  sidelight explain photos/*.jpg --model model.pt2
  sidelight run quickstart

Commands:
  explain    explain what a model sees in some images
               $ sidelight explain photos/*.jpg --model timm:resnet18 --with grad-cam
  run        run a recipe; results and a page land in a folder
               $ sidelight run quickstart --set explain.count=4
  results    print what a run measured, or write it for other programs
               $ sidelight results runs/quickstart --answers --to answers.csv
  serve      open a finished run as a live page on this machine
               $ sidelight serve runs/quickstart
  explore    run a recipe and open it as a live page
               $ sidelight explore interactivity
  check      find every mistake in a recipe without loading a model
               $ sidelight check quickstart
  plugins    list what is installed and whether it works
               $ sidelight plugins --role explainer
  cache      show what is kept of earlier runs, or clear it
               $ sidelight cache clear --older-than 30d

Commands of sidelight-bench: bench

Commands of sidelight-dev: describe, new, schema, verify

Commands of sidelight-evidence: audit, bundle

Commands of sidelight-govern: doctor, lock

Commands of sidelight-report: user-study

Commands of sidelight-start: init, recipes

Options:
  -h, --help   this page; `sidelight COMMAND --help` explains a command
  --version    the version
  --debug      with any command: show the traceback of an error

Exit codes: 0 done, 1 the run failed, 2 the recipe or the command line is wrong, 130 interrupted.
"""


@pytest.fixture
def toy(monkeypatch):
    """Makes `sidelight toy [--count N]` do what a function does."""

    def install(action):
        module = types.ModuleType("toy_command")
        module.add_arguments = lambda parser: parser.add_argument("--count", type=int, help="how many")
        module.run = lambda arguments, host: action(arguments)
        monkeypatch.setitem(sys.modules, "toy_command", module)
        toy = Command(name="toy", module="toy_command", summary="play a little", example="sidelight toy --count 2")
        monkeypatch.setitem(COMMANDS, "toy", toy)

    return install


def raising(error):
    def action(arguments):
        raise error

    return action


def help_of_installed():
    """HELP without the lines of distributions that are not installed: the kernel is also tested without them."""
    lines = re.findall(r"^Commands of (\S+): .*\n\n", HELP, re.MULTILINE)
    absent = [name for name in lines if not list(distributions(name=name))]
    return re.sub(rf"^Commands of ({'|'.join(absent)}): .*\n\n", "", HELP, flags=re.MULTILINE) if absent else HELP


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"], ["--debug", "--help"]])
def test_help_teaches(argv, capsys):
    assert main(argv) == 0
    assert capsys.readouterr() == (help_of_installed(), "")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("sidelight 0.")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_explains_itself(command, capsys):
    assert main([command.name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: sidelight {command.name} ")
    assert f"example: {command.example}\n" in text


def test_a_command_gets_its_arguments_and_gives_the_exit_code(toy, capsys):
    toy(lambda arguments: arguments.count)
    assert main(["toy", "--count", "7"]) == 7
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("argv", [["--debug", "toy"], ["toy", "--debug"]])
def test_debug_is_understood_before_and_after_the_command(toy, argv):
    toy(lambda arguments: 0 if arguments.debug else 1)
    assert main(argv) == 0


def test_a_commands_help_has_its_example(toy, capsys):
    toy(lambda arguments: 1)
    assert main(["toy", "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: sidelight toy [-h] [--debug] [--count COUNT]\n\nPlay a little.\n")
    assert text.endswith("example: sidelight toy --count 2\n")


@pytest.mark.parametrize("argv", [["toy", "--count", "x"], ["toy", "--coun", "1"], ["toy", "extra"]])
def test_a_wrong_argument_of_a_command_is_the_users_mistake(toy, capsys, argv):
    toy(lambda arguments: 0)
    assert main(argv) == 2
    assert "sidelight toy: error: " in capsys.readouterr().err


MISTAKES = {
    "typo": (
        ["chekc"],
        'error: unknown command "chekc"\n  fix: did you mean "check"? `sidelight --help` lists the commands\n',
    ),
    "nonsense": (["xyzzy"], 'error: unknown command "xyzzy"\n  fix: `sidelight --help` lists the commands\n'),
    "option": (
        ["--set", "a=1"],
        'error: unknown option "--set"\n  fix: put options of a command after it; `sidelight --help` lists all\n',
    ),
}


@pytest.mark.parametrize(("argv", "text"), MISTAKES.values(), ids=MISTAKES)
def test_what_is_no_command(argv, text, capsys):
    assert main(argv) == 2
    assert capsys.readouterr() == ("", text)


FAILURES = {
    "user": (
        UserError("no such folder: x", "name one that exists"),
        2,
        "error: no such folder: x\n  fix: name one that exists\n",
    ),
    "recipe": (
        RecipeError((Problem("unknown key", Place("r.yaml", 3, 5, "    stepz: 1")),)),
        2,
        "r.yaml:3:5: unknown key\n",
    ),
    "sidelight": (SidelightError("the store is full"), 1, "error: the store is full\n"),
    "not fitted": (NotFittedError("vae is not trained"), 1, "error: vae is not trained\n"),
    "component": (
        ValueError("shapes differ"),
        1,
        "error: ValueError: shapes differ\n  raised in tests/test_cli_frame.py, line ",
    ),
    "a component's pipe": (BrokenPipeError(32, "Broken pipe"), 1, "error: BrokenPipeError: [Errno 32] Broken pipe\n"),
    "exit": (SystemExit(0), 1, "error: SystemExit: 0\n"),
    "past Exception": (GeneratorExit("odd"), 1, "error: GeneratorExit: odd\n"),
    "a component's KeyboardInterrupt": (KeyboardInterrupt(), 1, "error: KeyboardInterrupt\n  raised in tests/"),
    "cancelled": (Cancelled(), 130, "\nstopped; run the same command again to continue\n"),
}


@pytest.mark.parametrize(("error", "code", "text"), FAILURES.values(), ids=FAILURES)
def test_every_failure_is_one_message_and_its_exit_code(toy, capsys, error, code, text):
    toy(raising(error))
    assert main(["toy"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(text)
    assert "Traceback" not in err


def press(arguments=None):
    """A terminal's Ctrl-C, where the shell has not started the tests with SIGINT ignored."""
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interruptible():
    """Python's own handler of Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_has_an_exit_code_of_its_own(toy, interruptible, capsys):
    toy(press)
    assert main(["toy"]) == 130
    assert capsys.readouterr() == ("", "\nstopped; run the same command again to continue\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_while_the_first_is_answered_shows_no_traceback(toy, interruptible, capsys, monkeypatch):
    toy(press)
    explain = frame._explain

    def slow(*arguments, **options):
        press()
        return explain(*arguments, **options)

    monkeypatch.setattr(frame, "_explain", slow)
    assert main(["toy"]) == 130
    assert capsys.readouterr() == ("", "\nstopped; run the same command again to continue\n")


def test_help_before_a_command_is_that_commands(capsys):
    assert main(["--help", "run"]) == 0
    assert capsys.readouterr().out.startswith("usage: sidelight run ")
    assert main(["-h", "rnu"]) == 2
    assert 'did you mean "run"?' in capsys.readouterr().err


@pytest.mark.parametrize("error", [UserError("x"), SidelightError("x"), ValueError("x")])
def test_debug_shows_the_traceback_before_the_message(toy, capsys, error):
    toy(raising(error))
    main(["toy", "--debug"])
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.rindex("error: ") > err.index("Traceback")


def test_control_characters_in_an_error_cannot_drive_the_terminal(toy, capsys):
    toy(raising(UserError("bad \x1b]0;title\x07 name")))
    main(["toy"])
    assert capsys.readouterr().err == "error: bad \\x1b]0;title\\x07 name\n"


def test_control_characters_in_an_argument_cannot_either(toy, capsys):
    toy(lambda arguments: 0)
    assert main(["toy", "\x1b]0;title\x07"]) == 2
    assert "unrecognized arguments: \\x1b]0;title\\x07" in capsys.readouterr().err


LOADED = """
import json, sys
from sidelight.cli import main
code = main(sys.argv[1:])
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    "argv", [["--help"], ["--version"], ["plugins"], ["plugins", "--json"], ["plugins", "--no-load"]]
)
@pytest.mark.processes
def test_no_plugin_and_no_torch_is_imported(site, argv):
    site.install("torch", version="99.0", files={"torch.py": ""})  # a quick stand-in, first on the path
    light = site.plugin("acme-heavy", "import torch")
    done = site.python("-c", LOADED, *argv)
    assert done.returncode == 0
    assert "acme-heavy" in done.stdout or argv[0] != "plugins"
    assert not {"torch", "numpy", light} & set(json.loads(done.stderr.splitlines()[-1]))


def test_it_runs_as_a_module(site):
    done = site.python("-m", "sidelight", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("sidelight ")


def test_a_reader_that_has_seen_enough_is_no_error(site):
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'sidelight', 'plugins'], stdout=subprocess.PIPE, stderr=2)\n"
        "child.stdout.close()\n"
        "sys.exit(child.wait())"
    )
    done = site.python("-c", code)
    assert done.stderr == ""
    assert done.returncode == 1


def test_text_that_the_terminal_cannot_show_is_escaped(site):
    source = "raise RuntimeError('caf\\u00e9')"
    site.plugin("acme-accent", source)
    done = site.python("-X", "utf8=0", "-c", f"import os; os.environ['PYTHONIOENCODING'] = 'ascii'\n{ASCII}")
    assert done.returncode == 0
    assert "caf\\xe9" in done.stdout


ASCII = """
import subprocess, sys
sys.exit(subprocess.run([sys.executable, "-m", "sidelight", "plugins"]).returncode)
"""
