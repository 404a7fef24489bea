"""Arrays as views of files: what is mapped, joined unread or let go of is what was saved."""

import os
import zipfile
from pathlib import Path

import attrs
import numpy as np
import pytest
from numpy.lib import format as npy
from sidelight_specs import Artifact, SidelightError, stored
from sidelight_specs.digests import digest_of
from sidelight_specs.mapped import file_of, let_go
from sidelight_specs.results import Attribute, Heatmap, ImageAttributes, Inversion, Measurement, Measurements, Split


@pytest.fixture(autouse=True)
def small_files_are_mapped(monkeypatch):
    monkeypatch.setattr(stored, "LEAST_MAPPED", 0)
    monkeypatch.setattr("sidelight_specs.mapped.BLOCK", 100)


def a_heatmap(count=7):
    rng = np.random.default_rng(0)
    values = rng.random((count, 5, 3), dtype=np.float32)
    return Heatmap(values=values, passes=np.arange(count, dtype=np.float32), answered=np.ones(count, bool))


def a_split(count=5):
    images = np.linspace(0, 1, count * 12, dtype=np.float32).reshape(count, 1, 4, 3)
    return Split(images=images, ids=tuple("abcdefgh"[:count]), masks={"part": images[:, 0] > 0.5}, class_names=("x",))


def test_mapped_arrays_are_aligned_read_only_views_of_one_file(tmp_path):
    a_heatmap().save(tmp_path)
    loaded = Artifact.load(tmp_path, mapped=True)
    arrays = loaded.values, loaded.passes, loaded.answered
    assert len({file_of(array) for array in arrays}) == 1
    assert all(array.ctypes.data % stored.ALIGNMENT == 0 for array in arrays)
    with pytest.raises(ValueError, match="read-only"):
        loaded.values[0] = 0
    assert loaded.digest() == loaded.digest() == a_heatmap().digest()
    assert Artifact.load(tmp_path).values.flags.writeable, "where nobody asks for views"


def test_the_file_is_still_one_that_numpy_reads(tmp_path):
    a_heatmap().save(tmp_path)
    with np.load(tmp_path / "arrays.npz") as arrays:
        np.testing.assert_array_equal(arrays["values"], a_heatmap().values)


def test_files_of_earlier_versions_are_read(tmp_path):
    artifact = a_heatmap()
    artifact.save(tmp_path)
    with zipfile.ZipFile(tmp_path / "arrays.npz", "w") as archive:  # as they wrote it
        for name in ("passes", "answered", "values"):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, getattr(artifact, name), allow_pickle=False)
    loaded = Artifact.load(tmp_path, mapped=True)
    assert file_of(loaded.values) is None or loaded.values.flags.aligned
    assert not loaded.values.flags.writeable
    assert loaded.digest() == Artifact.find(tmp_path).digest() == artifact.digest()


def test_small_files_are_read_and_read_only_too(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "LEAST_MAPPED", 1 << 18)
    a_heatmap().save(tmp_path)
    loaded = Artifact.load(tmp_path, mapped=True)
    assert file_of(loaded.values) is None
    assert not loaded.values.flags.writeable


def test_a_file_that_is_removed_stays_readable(tmp_path):
    a_heatmap().save(tmp_path)
    loaded = Artifact.load(tmp_path, mapped=True)
    (tmp_path / "arrays.npz").unlink()
    loaded.let_go()
    assert loaded.digest() == a_heatmap().digest()


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells how much of a file is in memory")
def test_a_file_that_was_gone_over_in_blocks_takes_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("sidelight_specs.mapped.BLOCK", 1 << 22)
    images = np.ones((60, 3, 224, 224), np.float32)
    Split(images=images).save(tmp_path)
    loaded = Artifact.load(tmp_path, mapped=True)
    for start in range(0, 60, 8):
        digest_of(loaded.take(range(start, min(start + 8, 60))).images)
    assert resident(tmp_path / "arrays.npz") < images.nbytes / 100  # a file in memory maps a few pages around each read
    assert float(loaded.images[30].mean()) == 1


def resident(file):
    """Bytes of a mapped file that are in memory."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.endswith(str(file)))
    return next(int(line.split()[1]) * 1024 for line in lines[start:] if line.startswith("Rss:"))


def test_the_same_bytes_in_another_shape_have_another_digest(tmp_path):
    a_heatmap().save(tmp_path)
    loaded = Artifact.load(tmp_path, mapped=True)
    turned = attrs.evolve(loaded, values=loaded.values.reshape(7, 3, 5))
    in_memory = attrs.evolve(a_heatmap(), values=a_heatmap().values.reshape(7, 3, 5))
    assert loaded.digest() == a_heatmap().digest()
    assert turned.digest() == in_memory.digest()


def test_what_is_let_go_of_is_read_again(tmp_path):
    a_heatmap().save(tmp_path)
    loaded = Artifact.load(tmp_path, mapped=True)
    let_go(loaded.values[2:4])
    let_go(loaded.values[::-1, 1])
    let_go(np.zeros(3))
    np.testing.assert_array_equal(loaded.values, a_heatmap().values)


def test_a_changed_byte_is_noticed_unless_the_files_were_verified(tmp_path):
    a_heatmap().save(tmp_path)
    content = bytearray((tmp_path / "arrays.npz").read_bytes())
    place = content.index(a_heatmap().values.tobytes())
    content[place + 8] ^= 1
    (tmp_path / "arrays.npz").write_bytes(bytes(content))
    with pytest.raises(SidelightError, match="CRC"):
        Artifact.load(tmp_path, mapped=True)
    assert Artifact.load(tmp_path, mapped=True, intact=True).values.shape == (7, 5, 3)


@pytest.mark.parametrize("artifact", [a_heatmap(), a_split()], ids=["heatmap", "split"])
def test_shards_that_are_joined_unread_give_the_same_bytes(tmp_path, artifact):
    count = next(iter(artifact.rows().values()))
    parts = [artifact.take(range(start, min(start + 2, count))) for start in range(0, count, 2)]
    for number, part in enumerate(parts):
        part.save(tmp_path / str(number))
    found = [Artifact.find(tmp_path / str(number)) for number in range(len(parts))]
    type(artifact).concat(found).save(tmp_path / "joined")
    artifact.save(tmp_path / "whole")
    for file in ("artifact.json", "arrays.npz"):
        assert (tmp_path / "joined" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


@pytest.mark.parametrize("rows", [[], [3], [1, 2, 3], [4, 0, 4]], ids=str)
def test_rows_are_the_same_from_memory_from_views_and_unread(tmp_path, rows):
    split = a_split()
    split.save(tmp_path)
    expected = split.take(rows).digest()
    assert Artifact.load(tmp_path, mapped=True).take(rows).digest() == expected
    assert Artifact.find(tmp_path).take(rows).digest() == expected


def test_rows_that_follow_one_another_are_a_view(tmp_path):
    a_split().save(tmp_path)
    loaded = Artifact.load(tmp_path, mapped=True)
    assert np.shares_memory(loaded.take([1, 2]).images, loaded.images)
    assert not np.shares_memory(a_split().take([1, 2]).images, a_split().images), "others may be changed"


def test_saving_makes_a_hard_link_where_the_arrays_are_the_same(tmp_path):
    a_heatmap().save(tmp_path / "one")
    loaded = Artifact.load(tmp_path / "one", mapped=True)
    attrs.evolve(loaded, answers="probe").save(tmp_path / "two", link=True)
    assert (tmp_path / "one" / "arrays.npz").samefile(tmp_path / "two" / "arrays.npz")
    assert Artifact.load(tmp_path / "two").answers == "probe"
    attrs.evolve(loaded, passes=None).save(tmp_path / "three", link=True)
    assert not (tmp_path / "one" / "arrays.npz").samefile(tmp_path / "three" / "arrays.npz")


def test_saving_without_links_copies(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    a_heatmap().save(tmp_path / "one")
    loaded = Artifact.load(tmp_path / "one", mapped=True)
    monkeypatch.setattr(os, "link", refuse)
    loaded.save(tmp_path / "two", link=True)
    assert Artifact.load(tmp_path / "two").digest() == loaded.digest()
    (tmp_path / "one" / "arrays.npz").unlink()
    monkeypatch.undo()
    loaded.save(tmp_path / "three", link=True)
    assert Artifact.load(tmp_path / "three").digest() == loaded.digest()


def test_a_kind_with_a_join_of_its_own_is_joined_unread_too(tmp_path):
    def part(target):
        images = np.full((1, 1, 2, 2), 0.5, np.float32)
        return ImageAttributes(
            attributes=(Attribute(name=f"to {target}", coordinate=target, target=target),),
            chosen=np.zeros((1, 1), np.int64),
            before=images,
            after=images[:, None],
            logits=np.zeros((1, 3), np.float32),
            logits_before=np.zeros((1, 3), np.float32),
            logits_after=np.zeros((1, 1, 3), np.float32),
        )

    parts = [part(2), part(1)]
    for number, one in enumerate(parts):
        one.save(tmp_path / str(number))
    joined = ImageAttributes.concat([Artifact.find(tmp_path / str(number)) for number in range(2)])
    assert joined.digest() == ImageAttributes.concat(parts).digest()


def test_values_and_doubts_are_looked_at_block_by_block():
    values = np.ones((50, 5, 3), np.float32)
    values[7, 2, 1] = np.nan
    with pytest.raises(SidelightError, match="values: 1 of 750 numbers are NaN or infinite"):
        Heatmap(values=values).validate()
    values[7] = np.arange(15).reshape(5, 3)
    answered = np.arange(50) != 3
    assert Heatmap(values=values).doubts() == ["49 of 50 heatmaps are constant and point at nothing"]
    told = Heatmap(values=values, answered=answered, no_answer="it is dark").doubts()
    assert told[1] == "48 of 49 heatmaps are constant and point at nothing"


def test_numbers_of_shards_are_joined_by_their_names():
    def numbers(*values, name="size", **more):
        one = Measurement(name=name, values=np.array(values, np.float32), variants={"grey": np.array(values)}, **more)
        return Measurements(items=(one,), answers=np.zeros((len(values), 2, 3), np.float32))

    joined = Measurements.concat([numbers(1, 2), numbers(3)])
    assert joined.items[0].values.tolist() == [1, 2, 3]
    assert joined.digest() == numbers(1, 2, 3).digest()
    assert joined.take([2, 0]).digest() == numbers(3, 1).digest()
    assert joined.of_all(3) == ""
    assert joined.of_all(2) == "size"
    for other in (numbers(3, name="other"), numbers(3, limits=(0.0, 1.0))):
        with pytest.raises(ValueError, match=r"other numbers|whole set"):
            Measurements.concat([numbers(1, 2), other])


def test_an_inversion_is_found_unread_and_indexed(tmp_path):
    latents = np.arange(12, dtype=np.float32).reshape(4, 3)
    images = np.zeros((4, 1, 2, 2), np.float32)
    Inversion(latents=latents, reconstructions=images, error=np.zeros(4, np.float32)).save(tmp_path)
    found = Artifact.find(tmp_path).latents
    assert (found.shape, found.ndim, found.size, len(found)) == ((4, 3), 2, 12, 4)
    for key in (2, slice(1, 3), [3, 0], slice(None, None, 2), np.array([True, False, True, False])):
        np.testing.assert_array_equal(found[key], latents[key])
    np.testing.assert_array_equal(np.asarray(found, np.float64), latents)
