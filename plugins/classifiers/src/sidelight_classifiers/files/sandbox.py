"""The first load and trial of a model file, in a process of its own with limits.

torch and onnxruntime are large readers in C++: a file may crash them, or keep them busy for ever. So a file is loaded
and tried in a child first. A digest of each file that passed is kept, so that a later run pays nothing.

One helper process imports torch and then forks a child for each file: the first file costs the import (about 2 s), any
other milliseconds. The helper ends when the process that started it does, or after a while without work.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sidelight_specs import SidelightError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

IDLE_SECONDS = 20.0  # without work, after which the helper ends
WALL_FACTOR, WALL_EXTRA = 4, 60  # by the clock: 4 s for each CPU second of a trial, 60 s more to start the helper
FEWEST_GIB = 4  # of address space for a trial; half of the machine's memory where that is more
ADVICE = "do not use this file, or export the model again"
_LOCK = threading.Lock()
_passed: set[str] = set()
_helper: subprocess.Popen[str] | None = None
_owner = 0


def rehearse(kind: str, params: Mapping[str, Any], digest: str, seconds: int) -> None:
    """Load and try a file in a child process; nothing happens for a file that this process has tried before.

    Args:
        kind: `"torch"` or `"onnx"`.
        params: options of the classifier; `path` names the file.
        digest: of the file, which must not change meanwhile.
        seconds: CPU time that loading and trial may take.

    Raises:
        UserError: what loading or trial raised; or they crashed, or took too long or too much memory.
    """
    if not hasattr(os, "fork"):
        return
    path = str(params["path"])
    absolute = str(Path(path).expanduser().absolute())
    request = json.dumps(
        {"kind": kind, "params": {**params, "path": absolute}, "digest": digest, "seconds": seconds}, sort_keys=True
    )
    with _LOCK:
        if request in _passed:
            return
        answer = _ask(request, WALL_FACTOR * seconds + WALL_EXTRA)
    if answer is None:
        raise UserError(f"{path} took more than {seconds} s to be loaded and tried", _longer(seconds))
    if "signal" in answer:
        raise UserError(_by_signal(path, answer["signal"], seconds), _longer(seconds))
    if "message" in answer:
        raise UserError(answer["message"].replace(absolute, path), answer["fix"])
    _passed.add(request)


def digest_of(paths: Iterable[Path]) -> str:
    """A digest of the content of files."""
    digests = []
    for path in paths:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "blake2b").hexdigest()[:32])
    return " ".join(digests)


def _longer(seconds: int) -> str:
    return f"{ADVICE}; where it is only large, set trial_seconds to more than {seconds}"


def _by_signal(path: str, number: int, seconds: int) -> str:
    if number in {signal.SIGXCPU, signal.SIGKILL}:
        return f"{path} took more than {seconds} s of CPU time, or more memory than there is, to be loaded and tried"
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    return f"{path} crashes the process that loads it ({name}); it ran apart, and nothing else was harmed"


def _ask(request: str, seconds: float) -> dict[str, Any] | None:
    """The helper's answer; None when there is none in time, and the helper is ended."""
    global _helper, _owner
    if _owner != os.getpid():  # a fork of the process that started it must not share its pipes
        _helper, _owner = None, os.getpid()
    for fresh in (False, True):
        if fresh or _helper is None or _helper.poll() is not None:
            _end()
            _helper = _start_helper()
        assert _helper.stdin is not None
        assert _helper.stdout is not None
        try:
            _helper.stdin.write(request + "\n")
            _helper.stdin.flush()
            ready, _, _ = select.select([_helper.stdout], [], [], seconds)
            line = _helper.stdout.readline() if ready else ""
        except (OSError, ValueError):
            continue  # it ended, idle, while the request was under way
        except BaseException:
            _end()
            raise
        if not ready:
            _end()
            return None
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
    raise SidelightError("the process that tries model files ends before it answers")


def _start_helper() -> subprocess.Popen[str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "sidelight_classifiers.files.sandbox_helper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths},
        text=True,
        start_new_session=True,  # Ctrl-C is the caller's to handle
    )


@atexit.register
def _end() -> None:
    """End the helper and whatever it runs."""
    global _helper
    if _helper is not None and _owner == os.getpid():
        with contextlib.suppress(OSError):
            os.killpg(_helper.pid, signal.SIGKILL)
        _helper.wait()
        for stream in (_helper.stdin, _helper.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()
    _helper = None


# below: in the helper and its children


def serve(requests: IO[str], answers: IO[str], tries: Callable[[dict[str, Any]], None]) -> None:
    """Fork a child for each line of json, and answer with its outcome, until there is no work for a while."""
    while select.select([requests], [], [], IDLE_SECONDS)[0]:
        line = requests.readline()
        if not line:
            return
        request = json.loads(line)
        if request["kind"] == "onnx":
            with contextlib.suppress(ImportError):  # once, not in every child, which reports its absence
                import onnx  # noqa: F401
                import onnxruntime  # noqa: F401
        answers.write(json.dumps(_fork(request, tries)) + "\n")
        answers.flush()


def _fork(request: dict[str, Any], tries: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()  # torch is imported already: milliseconds instead of seconds
    if not child:
        os.close(reading)
        answer = _try(request, tries)
        os.write(writing, json.dumps(answer).encode()[:60_000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = _read_for(pipe, child, WALL_FACTOR * request["seconds"])
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) or not text:
        return {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}
    outcome: dict[str, Any] = json.loads(text)
    return outcome


def _read_for(pipe: IO[str], child: int, seconds: float) -> str:
    """Output of the child, which is killed if it writes nothing for so many seconds."""
    ready, _, _ = select.select([pipe], [], [], seconds)
    if not ready:
        os.kill(child, signal.SIGKILL)
    return pipe.read()


def _try(request: dict[str, Any], tries: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    limit(request["seconds"])
    try:
        tries(request)
    except UserError as error:
        return {"message": error.message, "fix": error.fix}
    except SidelightError as error:
        return {"message": f"{request['params']['path']}: {error}", "fix": ADVICE}
    except MemoryError:
        return {"message": f"{request['params']['path']} needs more memory than there is to be tried", "fix": ADVICE}
    except Exception as error:  # readers of damaged files raise nearly everything
        return {"message": f"{request['params']['path']} cannot be loaded: {error!r}"[:500], "fix": ADVICE}
    return {}


def limit(seconds: int) -> None:
    """Bound CPU time, memory and written bytes of this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows has no such limits; the helper's clock still runs
        return
    gib = 1 << 30
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    pages = Path("/proc/self/statm")  # of Linux; elsewhere the limit of address space is not enforced
    used = int(pages.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") if pages.exists() else 0
    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, used + max(FEWEST_GIB * gib, total // 2)),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_STACK, 4 << 20),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))
