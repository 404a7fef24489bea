"""Fingerprints of what components share: whoever uses another's model must leave all of it as it was.

Of live components: weights, modes, hooks, modules and methods. Of the process: numeric settings, and the global random
streams. The kernel compares them around every step, the conformance kit around every call. torch and numpy are looked
at only where they are loaded.
"""

from __future__ import annotations

import math
import os
import random
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import attrs

from sidelight_specs.errors import Cancelled

if TYPE_CHECKING:
    import numpy as np

_DEPTH = 6  # of objects within objects that are looked into
_SAMPLE = 1 << 20  # items of an array of the data that are read; weights are read whole
_FOREIGN = ("sidelight", "torch", "numpy", "pathlib", "threading", "_thread", "re", "random", "concurrent")
"""Packages whose objects are not looked into: the kernel's own, and what has no state of the component's."""
_ROUNDING = 1e-5  # relative to the largest value: what another order of summation changes
_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)
_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, property, staticmethod, classmethod)
_PLAIN = (str, bytes, int, float, complex, type(None), type, ModuleType, *_FUNCTIONS)
_CALLABLES = (FunctionType, BuiltinFunctionType, type)


@attrs.define
class Fingerprint:
    """Comparable state of live components and process-wide settings.

    Args:
        facts: name, in words, to a value that can be compared; only names in both of two fingerprints are compared,
            so that what is loaded at its first use is no change.
        modules: names of submodules and parameters, whose disappearance is a change.
        functions: (class or module, name) to the function found there.
        held: objects whose identity is a fact, kept so that no other object gets their address.
    """

    facts: dict[str, Any] = attrs.field(factory=dict)
    modules: set[str] = attrs.field(factory=set)
    functions: dict[tuple[Any, str], Any] = attrs.field(factory=dict)
    held: list[Any] = attrs.field(factory=list)

    def differences(self, later: Fingerprint) -> list[str]:
        """Names of facts, modules and functions that a later fingerprint has otherwise or lacks."""
        changed = [name for name, fact in self.facts.items() if name in later.facts and later.facts[name] != fact]
        gone = [name for name in sorted(self.modules) if name not in later.modules]
        return changed + gone + [f"{_name(owner)}.{name}" for owner, name in self.replaced(later)]

    def replaced(self, later: Fingerprint) -> list[tuple[Any, str]]:
        """Functions of classes and modules that are another one later, or were added over an inherited one."""
        before = self.functions
        other = [key for key, function in before.items() if later.functions.get(key) is not function]
        seen = {owner for owner, _ in before}
        added = [key for key in later.functions if key not in before and key[0] in seen and _overrides(*key)]
        return other + added

    def restore_functions(self, later: Fingerprint) -> None:
        """Put every function back that `replaced` names."""
        for owner, name in self.replaced(later):
            if (owner, name) in self.functions:
                setattr(owner, name, self.functions[owner, name])
            else:
                delattr(owner, name)


def fingerprint(components: dict[str, tuple[Any, bool]]) -> Fingerprint:
    """Fingerprint of live components: all that another component's step must leave as it is.

    Args:
        components: place in the recipe to the instance, and whether it is a fixed function (classifier, generator,
            inverter, data), whose arrays and modules must not change at all; of other components only the methods are
            looked at, for they may learn while they work.
    """
    result = Fingerprint()
    classes: set[type] = set()
    own = {id(instance) for instance, _ in components.values()}
    for path, (instance, strict) in components.items():
        walk = _Walk(result, own - {id(instance)}, strict, classes)
        walk.visit(path, instance, 0)
    _add_functions(result, classes)
    return result


def probe(instance: Any, device: str = "cpu") -> np.ndarray | None:
    """Class logits of one fixed picture, or the picture of one fixed latent; None of what cannot be asked.

    A fingerprint does not see everything: a plain attribute may change what a model answers.

    Args:
        instance: a classifier or a generator.
        device: the torch device string.
    """
    import numpy as np

    try:
        torch = sys.modules["torch"]
        with torch.no_grad():
            if hasattr(instance, "synthesize"):
                answer = instance.synthesize(instance.sample(1, np.random.default_rng(0)).to(device))
            else:
                size = math.prod(instance.input_shape)
                picture = torch.arange(size, device=device).reshape(1, *instance.input_shape) % 251 / 250
                answer = instance.class_logits(picture)
        numbers: np.ndarray = answer.detach().float().cpu().numpy()
    except Cancelled:
        raise
    except Exception:  # whoever needs it will hear of it in the component's own words
        return None
    return numbers


def agree(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """True if two answers of `probe` agree up to rounding; None agrees with all."""
    import numpy as np

    if one is None or other is None:
        return True
    scale = float(np.abs(one).max(initial=0))
    same = one.shape == other.shape and np.allclose(one, other, rtol=0, atol=_ROUNDING * scale, equal_nan=True)
    return bool(same)


class _Walk:
    """The way through the objects that a component consists of, each of which is visited once."""

    def __init__(self, result: Fingerprint, seen: set[int], strict: bool, classes: set[type]) -> None:
        self.result, self.seen, self.strict, self.classes = result, seen, strict, classes
        self._torch = sys.modules.get("torch")
        self._numpy = sys.modules.get("numpy")

    def visit(self, path: str, value: Any, depth: int) -> None:
        """Add the facts of an object and of what it holds."""
        if depth > _DEPTH or id(value) in self.seen or isinstance(value, _PLAIN):
            return
        self.seen.add(id(value))
        if self._torch is not None and isinstance(value, self._torch.nn.Module):
            self._visit_module(path, value)
        elif self._torch is not None and isinstance(value, self._torch.Tensor):
            self._add_tensor(path, value)
        elif self._numpy is not None and isinstance(value, self._numpy.ndarray):
            self._add_array(path, value)
        elif isinstance(value, dict):
            self._visit_items(path, value.items(), depth)
        elif isinstance(value, (list, tuple, set, frozenset)):
            self._visit_items(path, enumerate(value), depth)
        else:
            self._visit_object(path, value, depth)

    def _visit_items(self, path: str, items: Any, depth: int) -> None:
        for key, item in list(items):
            self.visit(f"{path}[{key!r}]", item, depth + 1)

    def _visit_object(self, path: str, value: Any, depth: int) -> None:
        if type(value).__module__.partition(".")[0] in _FOREIGN:
            return
        self.classes.add(type(value))
        self._add_overrides(path, value, getattr(value, "__dict__", {}))
        for name, item in _attributes(value):
            self.visit(f"{path}.{name}", item, depth + 1)

    def _add_overrides(self, path: str, value: Any, own: dict[str, Any]) -> None:
        """Methods that an instance has of its own in the place of its class's; an empty table is a fact too."""
        cls = type(value)
        methods = {
            name: item
            for name, item in own.items()
            if callable(item) and isinstance(getattr(cls, name, None), _FUNCTIONS)
        }
        self.result.facts[f"methods of {path}"] = {name: id(item) for name, item in methods.items()}
        self.result.held += methods.values()

    def _visit_module(self, path: str, module: Any) -> None:
        self.classes.add(type(module))
        self.seen.update(id(submodule) for submodule in module.modules())
        for name, submodule in module.named_modules():
            here = f"{path}.{name}".strip(".")
            self.classes.add(type(submodule))
            self._add_overrides(here, submodule, submodule.__dict__)
            if self.strict:
                self._add_module(here, submodule)

    def _add_module(self, path: str, module: Any) -> None:
        facts, held = self.result.facts, self.result.held
        facts[f"the mode of {path}"] = bool(module.training)
        hooks = [hook for kind in _HOOKS for hook in dict(getattr(module, kind, None) or {}).values()]
        facts[f"hooks of {path}"] = tuple(map(id, hooks))
        held += hooks
        for name, child in module.named_children():
            facts[f"the module {path}.{name}"] = id(child)
            self.result.modules.add(f"the module {path}.{name}")
            held.append(child)
        for tensors in (module.named_parameters(recurse=False), module.named_buffers(recurse=False)):
            for name, tensor in tensors:
                facts[f"the tensor {path}.{name}"] = id(tensor)
                self.result.modules.add(f"the tensor {path}.{name}")
                self._add_tensor(f"{path}.{name}", tensor)

    def _add_tensor(self, path: str, tensor: Any) -> None:
        if not self.strict:
            return
        facts = self.result.facts
        key = f"{path} at {id(tensor)}" if not self._in_module(path) else path
        facts[f"requires_grad of {key}"] = bool(tensor.requires_grad)
        facts[f"the gradient of {key}"] = tensor.is_leaf and tensor.grad is None
        facts[f"the values of {key}"] = _digest_tensor(tensor)
        self.result.held.append(tensor)

    def _in_module(self, path: str) -> bool:
        return f"the tensor {path}" in self.result.modules

    def _add_array(self, path: str, array: np.ndarray) -> None:
        if self.strict and not array.dtype.hasobject:
            flat = array.reshape(-1)[:: max(1, array.size // _SAMPLE)]
            self.result.facts[f"the values of {path} at {id(array)}"] = (array.shape, zlib.crc32(flat.tobytes()))
            self.result.held.append(array)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """Name and value of what an object holds, in its dict or in slots."""
    yield from dict(getattr(value, "__dict__", {})).items()
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if not name.startswith("__") and hasattr(value, name):
                yield name, getattr(value, name)


def _digest_tensor(tensor: Any) -> Any:
    """Shape, type and a checksum of the values in logical order, whatever the memory format."""
    plain = tensor.detach()
    if plain.layout is not sys.modules["torch"].strided or plain.device.type == "meta" or plain.is_quantized:
        return tuple(plain.shape), str(plain.dtype), 0
    plain = plain.resolve_conj().resolve_neg()  # bytes are those of the values
    data = plain.reshape(-1).view(sys.modules["torch"].uint8).cpu().numpy() if plain.numel() else b""
    return tuple(plain.shape), str(plain.dtype), zlib.crc32(data)


def _add_functions(result: Fingerprint, classes: set[type]) -> None:
    """The functions of all classes with their bases, of the modules that define them, and of torch's functional API."""
    bases = {base for cls in classes for base in cls.__mro__ if base.__module__ not in ("builtins", "abc", "typing")}
    for base in bases:
        for name, item in vars(base).items():
            if isinstance(item, _FUNCTIONS) or (callable(item) and not isinstance(item, type)):
                result.functions[base, name] = item
    modules = {base.__module__ for base in bases} | {"torch.nn.functional"}
    for name in modules & sys.modules.keys():
        if name not in ("torch", "__main__"):  # torch exchanges some functions itself when parts of it are imported
            module = sys.modules[name]
            result.functions |= {
                (module, key): item for key, item in vars(module).items() if isinstance(item, _CALLABLES)
            }


def _overrides(owner: Any, name: str) -> bool:
    """True if a class defines a name that one of its bases defines too."""
    return isinstance(owner, type) and any(name in vars(base) for base in owner.__mro__[1:])


def _name(owner: Any) -> str:
    return f"{owner.__module__}.{owner.__qualname__}" if isinstance(owner, type) else str(owner.__name__)


@attrs.frozen(eq=False)
class Setting:
    """One setting of the process, as found.

    Args:
        value: compared by `==`.
        restore: puts it back.
    """

    value: Any
    restore: Callable[[], object]


def settings() -> dict[str, Setting]:
    """Process-wide settings that change numbers or files, by name."""
    umask = os.umask(0o022)  # it can only be read by setting it
    os.umask(umask)
    result = {"the umask": _setting(umask, os.umask)}
    if (numpy := sys.modules.get("numpy")) is not None:
        result["numpy's error handling"] = _setting(numpy.geterr(), lambda modes: numpy.seterr(**modes))
    if (torch := sys.modules.get("torch")) is not None and hasattr(torch, "get_default_dtype"):  # loaded to its end
        result |= _torch_settings(torch)
    return result


def restore(before: dict[str, Setting]) -> list[str]:
    """Put back every setting that differs from what `settings` found; gives their names."""
    now = settings()
    changed = [name for name in before if name in now and now[name].value != before[name].value]
    for name in changed:
        before[name].restore()
    return changed


def streams() -> dict[str, Setting]:
    """States of the global random streams, by name."""
    state: Any = random.getstate()
    result = {"the random stream of Python": _setting(state, random.setstate)}
    if (numpy := sys.modules.get("numpy")) is not None:
        state = numpy.random.get_state(legacy=False)
        plain = repr({**state, "state": (state["state"]["key"].tobytes(), state["state"]["pos"])})
        result["the random stream of numpy"] = Setting(plain, partial(numpy.random.set_state, state))
    if (torch := sys.modules.get("torch")) is not None:
        state = torch.random.get_rng_state()
        result["the random stream of torch"] = Setting(
            state.numpy().tobytes(), partial(torch.random.set_rng_state, state)
        )
        if torch.cuda.is_initialized():
            states = torch.cuda.get_rng_state_all()
            result["the random streams of CUDA"] = Setting(
                [one.numpy().tobytes() for one in states], partial(torch.cuda.set_rng_state_all, states)
            )
    return result


@contextmanager
def own_streams(seed: int) -> Iterator[None]:
    """Seed the global random streams within the context, and put them back after it.

    Components draw from `run.rng`. Libraries that draw from the global streams all the same give the same answer at
    every run, and take nothing from anybody else.

    Args:
        seed: in [0, 2**63); a function of what the store's key is made of.
    """
    before = streams()
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    try:
        yield
    finally:
        for stream in before.values():
            stream.restore()


def _setting(value: Any, write: Callable[[Any], object]) -> Setting:
    return Setting(value, lambda: write(value))


def _torch_settings(torch: Any) -> dict[str, Setting]:
    cudnn = torch.backends.cudnn
    strict = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    precision = torch.get_float32_matmul_precision()

    def set_cudnn(flags: tuple[bool, bool, bool]) -> None:
        cudnn.enabled, cudnn.benchmark, cudnn.deterministic = flags

    def set_autocast(modes: dict[str, bool]) -> None:
        for kind, enabled in modes.items():
            torch.set_autocast_enabled(kind, enabled)

    result = {
        "torch's gradient mode": _setting(torch.is_grad_enabled(), torch.set_grad_enabled),
        "torch's default dtype": _setting(torch.get_default_dtype(), torch.set_default_dtype),
        "torch's number of threads": _setting(torch.get_num_threads(), torch.set_num_threads),
        "torch's deterministic mode": _setting(
            strict, lambda both: torch.use_deterministic_algorithms(both[0], warn_only=both[1])
        ),
        "torch's precision of matrix products": _setting(precision, torch.set_float32_matmul_precision),
        "torch's cuDNN settings": _setting((cudnn.enabled, cudnn.benchmark, cudnn.deterministic), set_cudnn),
        "torch's autocast mode": _setting(_autocast(torch), set_autocast),
    }
    for name, table in vars(torch.nn.modules.module).items():  # hooks that torch calls for every module
        if name.startswith("_global_") and isinstance(table, dict):
            result[f"torch's{name.replace('_', ' ')}"] = Setting(dict(table), partial(_refill, table, dict(table)))
    return result


def _autocast(torch: Any) -> dict[str, bool]:
    try:
        return {kind: bool(torch.is_autocast_enabled(kind)) for kind in ("cpu", "cuda")}
    except TypeError:  # before torch 2.4 it takes no argument
        return {}


def _refill(table: dict[Any, Any], content: dict[Any, Any]) -> None:
    table.clear()
    table.update(content)
