"""Files from strangers run no code: each of these would, or could, if torch's own loader read it."""

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sidelight_specs import UserError
from torch import nn

pytestmark = [
    pytest.mark.processes,  # files are tried in a child process
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.fixture
def marker(tmp_path):
    """A path that exists once a payload ran."""
    path = tmp_path / "ran"
    yield path
    assert not path.exists()


def rewritten(source, target, change):
    """A copy of an archive; `change` gets the members, without their folder, and changes them in place."""
    with zipfile.ZipFile(source) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"model/{name}", content)
    return target


def program_of(members):
    return json.loads(members["models/model.json"])


def nodes_of(program):
    return program["graph_module"]["graph"]["nodes"]


def edit(change):
    """A change of an archive that edits its program."""

    def apply(members):
        program = program_of(members)
        change(program)
        members["models/model.json"] = json.dumps(program).encode()

    return apply


def test_the_payload_is_live(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "ran")))
    assert (tmp_path / "ran").is_dir()


@pytest.mark.parametrize("new_format", [True, False])
def test_pickles_are_refused_by_name(load, tmp_path, marker, new_format):
    torch.save(Payload(marker), tmp_path / "a.pt", _use_new_zipfile_serialization=new_format)
    with pytest.raises(UserError, match="pickle") as caught:
        _ = load(tmp_path / "a.pt").module
    assert "torch.export.save" in caught.value.fix


def test_a_plain_pickle_is_refused(load, tmp_path, marker):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Payload(marker)))
    with pytest.raises(UserError, match="pickle"):
        _ = load(tmp_path / "a.pkl").module


def test_the_sample_inputs_of_an_exported_program_are_not_unpickled(load, pt2, tmp_path, marker, small, images):
    def poison(members):
        buffer = io.BytesIO()
        torch.save(Payload(marker), buffer)
        members["data/sample_inputs/model.pt"] = buffer.getvalue()

    path = rewritten(pt2, tmp_path / "a.pt2", poison)
    with torch.no_grad():
        torch.testing.assert_close(load(path).scores(images), small(images))


def test_pickled_weights_are_refused(load, pt2, tmp_path, marker):
    def poison(members):
        name = "data/weights/model_weights_config.json"
        table = json.loads(members[name])
        next(iter(table["config"].values()))["use_pickle"] = True
        members[name] = json.dumps(table).encode()
        members["data/weights/weight_0"] = pickle.dumps(Payload(marker))

    with pytest.raises(UserError, match="pickled object"):
        _ = load(rewritten(pt2, tmp_path / "a.pt2", poison)).module


CALL = "__import__('os').mkdir({!r})"


def test_expressions_are_not_evaluated(load, pt2, tmp_path, marker, images):
    def poison(program):
        for value in program["graph_module"]["graph"]["tensor_values"].values():
            for size in value["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = CALL.format(str(marker))
        program["guards_code"] = [CALL.format(str(marker))]

    assert load(rewritten(pt2, tmp_path / "a.pt2", edit(poison))).scores(images).shape == (4, 5)


def test_names_do_not_become_code(load, pt2, tmp_path, marker, images):
    def poison(members):
        text = members["models/model.json"].decode()
        name = json.dumps(f"x): {CALL.format(str(marker))}\n#")
        members["models/model.json"] = text.replace('"name": "images"', f'"name": {name}').encode()

    path = rewritten(pt2, tmp_path / "a.pt2", poison)
    with pytest.raises(UserError, match="no exported program that can be read"):
        load(path).scores(images)


@pytest.mark.parametrize(
    "target",
    [
        "torch.serialization.os.mkdir",
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.save",
        "torch.ops.aten.save.default",
        "torch.ops.aten.__class__.mro",
        "torch.ops.aten.relu.__class__",
        "torch.ops.prim.Print.default",
        "torch.ops.load_library",
        "torch.hub.load",
        "torch.ops.higher_order.cond",
        "_operator.attrgetter",
        "_operator.methodcaller",
        "math.__loader__",
        "os.mkdir",
        "",
    ],
)
def test_only_operators_of_aten_are_called(load, pt2, tmp_path, target):
    path = rewritten(pt2, tmp_path / "a.pt2", edit(lambda program: nodes_of(program)[3].update(target=target)))
    with pytest.raises(UserError, match="the operator"):
        _ = load(path).module


class Saves(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        torch.save(images, "ran")
        return images.mean((2, 3))


class ReadsFiles(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) + torch.from_file("ran", True, 1)


class Seeds(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(1)
        return images.mean((2, 3))


class Unpacks(nn.Module):
    @torch.jit.export
    def __getstate__(self):
        return (1, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[int, bool]):
        self.training = state[1]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))


@pytest.mark.parametrize(
    ("model", "name"),
    [(Saves, "save"), (ReadsFiles, "from_file"), (Seeds, "manual_seed"), (Unpacks, "__setstate__")],
)
def test_torchscript_that_touches_more_than_tensors_is_refused(load, tmp_path, monkeypatch, model, name):
    monkeypatch.chdir(tmp_path)
    torch.jit.script(model()).save("a.ts")
    with pytest.raises(UserError, match=f"has .*{name}"):
        _ = load(tmp_path / "a.ts").module
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    "line",
    [
        "    ops.c10d.barrier()",
        "    ops.aten.save(images, 'ran')",
        "    x = __torch__.torch.classes.dist_rpc.WorkerInfo('a', 1)",
        "    import os",
        "    )",
    ],
)
def test_other_operators_of_torchscript_are_refused(load, scripted, tmp_path, line):
    def poison(members):
        name = next(name for name in members if name.endswith(".py"))
        members[name] = members[name].replace(b") -> Tensor:\n", f") -> Tensor:\n{line}\n".encode(), 1)

    with pytest.raises(UserError, match=r"has|cannot be (read|understood)"):
        _ = load(rewritten(scripted, tmp_path / "a.ts", poison)).module


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no model file"),
        (b"hello", "no model file"),
        (b"\x80\x03}q\x00.", "a Python pickle"),
        (b'\x10\0\0\0\0\0\0\0{"a":{"dtype":"F32"}}', "safetensors"),
        (b"\x08\x08\x12\x07pytorch onnx", "ONNX"),
        (b"PK\x03\x04 damaged", "no model file"),
    ],
)
def test_other_files_are_named_for_what_they_are(load, tmp_path, content, message):
    (tmp_path / "model").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        _ = load(tmp_path / "model").module
    assert caught.value.fix


def test_a_missing_file_is_named(load, tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        _ = load(tmp_path / "model.pt2").module


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda members: members.pop("models/model.json"), "not of a model"),
        (lambda members: members.update({"models/model.json": b"[]"}), "can be read"),
        (lambda members: members.update({"models/model.json": b"{" * 10_000}), "can be read"),
        (lambda members: members.update({"data/weights/weight_0": b"1234"}), "values"),
        (lambda members: members.update({"byteorder": b"big"}), "byte order"),
        (edit(lambda program: program["schema_version"].update(major=99)), "version 99"),
        (
            edit(lambda program: program["graph_module"]["signature"]["output_specs"].append({"token": {}})),
            "changes itself",
        ),
        (edit(lambda program: nodes_of(program).pop(0)), "fails on images"),
    ],
)
def test_damaged_programs_are_named(load, pt2, tmp_path, change, message):
    with pytest.raises(UserError, match=message) as caught:
        _ = load(rewritten(pt2, tmp_path / "a.pt2", change)).module
    assert caught.value.fix


def test_archives_that_unpack_to_more_than_they_hold_are_refused(load, pt2, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/models/model.json", b" " * (65 << 20))
    with pytest.raises(UserError, match="larger than the file can hold"):
        _ = load(tmp_path / "a.pt2").module


def test_two_members_of_one_name_are_refused(load, pt2, tmp_path):
    def twice(source, target):
        with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as copy:
            for name in [*archive.namelist(), archive.namelist()[0]]:
                copy.writestr(name, archive.read(name))

    with pytest.warns(UserWarning, match="Duplicate name"):
        twice(pt2, tmp_path / "a.pt2")
    with pytest.raises(UserError, match="one name"):
        _ = load(tmp_path / "a.pt2").module


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.processes
def test_damage_anywhere_gives_scores_or_a_user_error(load, pt2, scripted, tmp_path, images, data):
    content = bytearray(data.draw(st.sampled_from([pt2, scripted])).read_bytes())
    at = data.draw(st.integers(0, len(content) - 9))
    content[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
    (tmp_path / "a.pt").write_bytes(content)
    try:
        found = tuple(load(tmp_path / "a.pt").scores(images).shape)
    except UserError as error:
        found = error.fix
    assert found
