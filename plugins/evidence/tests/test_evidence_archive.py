"""Bundles on the disk: every byte counts, and nothing of a stranger's bundle does harm."""

import json
import shutil
import stat
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight_evidence.archive import (
    DESCRIPTION,
    MANIFEST,
    Damaged,
    digest_of_text,
    is_safe,
    manifest_text,
    opened,
    verify,
    write_bundle,
    write_zip,
)
from sidelight_specs import SidelightError, UserError

FILES = {
    DESCRIPTION: json.dumps({"sidelight_bundle": 1}).encode(),
    "run/run.json": b"{}\n",
    "run/results/split/arrays.npz": bytes(range(256)),
    "cards/größe.md": "größe\n".encode(),
    "empty": b"",
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "one"
    digest = write_bundle(FILES, folder)
    return folder, digest


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "one.zip"
    return path, write_bundle(FILES, path)


def is_intact(path):
    """As an audit decides it."""
    try:
        with opened(path) as folder:
            return not verify(folder)[1]
    except SidelightError:
        return False


def test_what_was_written_is_intact_and_is_one_bundle_in_both_forms(bundle, archive):
    assert is_intact(bundle[0])
    assert is_intact(archive[0])
    assert bundle[1] == archive[1] == digest_of_text((bundle[0] / MANIFEST).read_text(encoding="utf-8"))


def test_the_same_files_give_the_same_bytes(archive, tmp_path):
    write_bundle(dict(reversed(FILES.items())), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == archive[0].read_bytes()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_changed_byte_of_any_file_of_a_folder_is_seen(bundle, data):
    files = sorted(path for path in bundle[0].rglob("*") if path.is_file() and path.stat().st_size)
    path = data.draw(st.sampled_from(files))
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.integers(1, 255))
    try:
        path.write_bytes(content[:place] + bytes([content[place] ^ other]) + content[place + 1 :])
        assert not is_intact(bundle[0])
    finally:
        path.write_bytes(content)


def test_any_changed_byte_of_an_archive_is_seen(archive, tmp_path):
    content, changed = archive[0].read_bytes(), tmp_path / "changed.zip"
    for place in range(len(content)):  # of its frame too: headers, times, attributes, directory
        changed.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        assert not is_intact(changed), place


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(0, 400), more=st.binary(max_size=8))
def test_an_archive_that_is_cut_or_goes_on_is_seen(archive, tmp_path_factory, cut, more):
    content, changed = archive[0].read_bytes(), tmp_path_factory.getbasetemp() / "cut.zip"
    other = content[: len(content) - cut] + more
    changed.write_bytes(other)
    assert is_intact(changed) == (other == content)


def change(folder, how):
    """Spoil a bundle."""
    if how == "extra":
        (folder / "run/more").write_text("x")
    elif how == "missing":
        (folder / "empty").unlink()
    elif how == "link":
        (folder / "empty").unlink()
        (folder / "empty").symlink_to("run/run.json")
    elif how == "folder":
        (folder / "run/none").mkdir()
    else:
        (folder / MANIFEST).write_text((folder / MANIFEST).read_text() + "\n")


@pytest.mark.parametrize("how", ["extra", "missing", "link", "folder", "manifest"])
def test_what_is_missing_or_does_not_belong_there_is_seen(bundle, tmp_path, how):
    shutil.copytree(bundle[0], tmp_path / "copy")
    change(tmp_path / "copy", how)
    assert not is_intact(tmp_path / "copy")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../out",
            "/etc/passwd",
            "a/../../b",
            "a//b",
            "C:/x",
            "a\\b",
            "con",
            "nul.txt",
            "a\nb",
            "x.",
            " x",
            "a/./b",
            "",
        ),
        *("a/" * 30 + "b", "x" * 2000),
    ],
)
def test_names_that_lead_elsewhere_are_refused(name, tmp_path):
    assert not is_safe(name)
    with pytest.raises(UserError):
        write_bundle({**FILES, name: b""}, tmp_path / "out")
    assert not list(tmp_path.iterdir())
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for one, content in {**FILES, MANIFEST: manifest_text({}).encode()}.items():
            archive.writestr(one, content)
        archive.writestr(zipfile.ZipInfo(name or "x/"), b"evil")
    assert not is_intact(path)
    assert sorted(tmp_path.parent.glob("out")) == []


def refused(path, match):
    with pytest.raises(Damaged, match=match), opened(path):
        pass


def test_compressed_files_are_not_unpacked(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1 << 24))
    refused(path, "compressed")


def test_links_and_names_that_are_there_twice_are_not_unpacked(tmp_path):
    link, twice = zipfile.ZipInfo("link"), tmp_path / "twice.zip"
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(tmp_path / "link.zip", "a link")
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("a", "1")
        archive.writestr("A", "2")
    refused(twice, "twice")


def test_a_name_that_is_a_file_and_a_folder_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for name in (MANIFEST, "run", "run/run.json"):
            archive.writestr(name, "x")
    with pytest.raises(Damaged, match='"run" is a file and a folder'), opened(tmp_path / "both.zip"):
        pass


def test_files_that_claim_more_than_the_archive_holds_are_not_unpacked(tmp_path, archive):
    content = bytearray(archive[0].read_bytes())
    place = content.index(b"PK\x01\x02")  # the directory's first entry
    for offset in (20, 24):  # both sizes
        content[place + offset : place + offset + 4] = (1 << 30).to_bytes(4, "little")
    (tmp_path / "large.zip").write_bytes(content)
    refused(tmp_path / "large.zip", "larger than the archive")


@pytest.mark.parametrize("content", [b"", b"text", b"PK"])
def test_what_is_no_bundle_is_the_users_mistake(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file", tmp_path / "folder", tmp_path / "gone"):
        with pytest.raises(UserError, match=r"bundle|zip|read"), opened(path):
            pass


def test_a_bundle_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(folder, path):
        path.write_bytes(b"half")
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("sidelight_evidence.archive.write_zip", fail)
    with pytest.raises(UserError, match="no space left"):
        write_bundle(FILES, tmp_path / "out.zip")
    assert list(tmp_path.iterdir()) == []


def test_large_archives_stay_canonical(tmp_path):
    (tmp_path / "files").mkdir()
    for number in range(300):
        (tmp_path / "files" / f"{number:03}").write_bytes(bytes(number))
    write_zip(tmp_path / "files", tmp_path / "one.zip")
    write_zip(tmp_path / "files", tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
