"""Names on the hub: nothing is asked without `download`, and what was downloaded is read as any folder."""

import huggingface_hub
import pytest
import sidelight_transformers
import torch
from sidelight_specs import UserError
from sidelight_specs.facts import DataFacts
from sidelight_transformers import hub

(DESCRIPTOR,) = (one for one in sidelight_transformers.sidelight_classifiers() if one.name == "image-classifier")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of huggingface_hub."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def offline(monkeypatch):
    """Calls of the hub fail, as without a network, and are counted."""
    calls = []

    def fail(name, **options):
        calls.append((name, options))
        raise OSError("the network is down\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    return calls


def put(cache, folder, revision="main"):
    """Lay a folder out as huggingface_hub does."""
    model = cache / "models--owner--vit"
    (model / "snapshots").mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / revision).write_text(COMMIT)
    (model / "snapshots" / COMMIT).symlink_to(folder)


def test_a_name_is_not_asked_for_without_download(cache, offline, load):
    (mistake,) = DESCRIPTOR.mistakes(DESCRIPTOR.params(path="owner/vit"))
    assert "set download: true" in mistake.fix
    with pytest.raises(UserError, match="there is no folder owner/vit"):
        _ = load("owner/vit").module
    assert offline == []


def test_without_a_network_it_says_so(cache, offline, load):
    params = DESCRIPTOR.params(path="owner/vit", download=True)
    assert list(DESCRIPTOR.mistakes(params)) == []
    assert DESCRIPTOR.facts(params, DataFacts()).shape is None
    with pytest.raises(UserError) as caught:
        _ = load("owner/vit", download=True).module
    assert caught.value.message == "owner/vit cannot be downloaded from the Hugging Face hub: the network is down"
    assert "or name a folder" in caught.value.fix


def test_only_json_and_safetensors_are_fetched(cache, offline, load):
    with pytest.raises(UserError):
        _ = load("owner/vit", download=True, revision="v1").module
    ((name, options),) = offline
    assert name == "owner/vit"
    assert options["revision"] == "v1"
    assert set(options["allow_patterns"]) == {
        "config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "model*.safetensors*",
    }


def test_what_was_downloaded_is_known_to_check_and_used_without_a_network(saved, cache, offline, load, images):
    put(cache, saved()[0])
    params = DESCRIPTOR.params(path="owner/vit", download=True)
    assert DESCRIPTOR.facts(params, DataFacts()).shape == (3, 32, 32)
    assert DESCRIPTOR.fingerprint(params)
    assert torch.equal(load("owner/vit", download=True).scores(images), load(saved()[0]).scores(images))
    assert hub.cached("owner/vit", COMMIT) == hub.cached("owner/vit", "main")
    assert hub.cached("owner/vit", "v2") is None


def test_a_short_call_downloads_before_images_are_read(cache, saved, monkeypatch):
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda *_, **__: put(cache, saved()[0]) or str(saved()[0])
    )
    adoption = DESCRIPTOR.adopts("transformers:owner/vit", download=True, shown=None)
    assert DESCRIPTOR.facts(DESCRIPTOR.params(**adoption.params, download=True), DataFacts()).shape == (3, 32, 32)


def test_a_short_call_without_download_asks_for_nothing(cache, offline):
    DESCRIPTOR.adopts("transformers:owner/vit", shown=None)
    assert offline == []


def test_a_folder_of_that_name_comes_first(folder, offline, load, images, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert load("vit", download=True).scores(images).shape == (3, 3)
    assert offline == []


def test_a_damaged_cache_tells_nothing(cache, tmp_path):
    put(cache, tmp_path)
    assert hub.cached("owner/vit", "main") is None
    (cache / "models--owner--vit" / "refs" / "main").write_text("../../../etc")
    assert hub.cached("owner/vit", "main") is None


@pytest.mark.parametrize("name", ["a/b/c", "/etc/passwd", "../x", "a..b/c", "a--b", "https://hub/x", "a b"])
def test_what_is_no_name_is_refused(cache, offline, load, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no folder is called so
    params = DESCRIPTOR.params(path=name, download=True)
    (mistake,) = DESCRIPTOR.mistakes(params)
    assert "is no name on the Hugging Face hub" in mistake.message
    with pytest.raises(UserError, match="is no name on the Hugging Face hub"):
        _ = load(name, download=True).module
    assert hub.cached(name, "main") is None
    assert offline == []
