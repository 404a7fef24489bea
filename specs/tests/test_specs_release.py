"""Distributions of this release: only they are named as something to install, and from where there is something."""

from email.message import Message
from importlib import metadata

import pytest
from sidelight_specs import release


@pytest.fixture
def required(monkeypatch):
    """Sets what the kernel's metadata require, and the project's address; None where it is not installed."""

    def install(texts, address="https://code.acme.com/sidelight"):
        def requires(name):
            if texts is None:
                raise metadata.PackageNotFoundError(name)
            return texts

        def described(name):
            requires(name)
            message = Message()
            message["Project-URL"] = f"Homepage, {address}"
            return message

        monkeypatch.setattr(metadata, "requires", requires)
        monkeypatch.setattr(metadata, "metadata", described)
        forget()

    def forget():
        release.distributions.cache_clear()
        release.is_published.cache_clear()

    yield install
    forget()


OURS = ["numpy<3", "sidelight-timm<0.2,>=0.1; extra == 'all'", 'sidelight-x[y]>=0.1 ; extra == "all"']


def test_the_extra_all_lists_the_release(required):
    required(OURS)
    assert release.distributions() == {"sidelight", "sidelight-timm", "sidelight-x"}
    assert release.how_to_install("sidelight-timm") == "pip install sidelight-timm"
    assert release.how_to_install("sidelight-timm", "sidelight-x") == "pip install sidelight-timm sidelight-x"
    assert release.how_to_install("sidelight-x", again=True) == "pip install --force-reinstall sidelight-x"


@pytest.mark.parametrize("address", ["https://example.org/xai", "https://code.sidelight.example/x"])
def test_before_it_is_published_the_folder_of_the_wheels_is_named(required, address):
    required(OURS, address)
    assert not release.is_published()
    assert release.how_to_install("sidelight-x") == (
        "pip install --find-links DIST sidelight-x (DIST is the folder of this release's wheels, which no package "
        "index has)"
    )


def test_what_nobody_releases_is_not_given_to_pip(required):
    required(["sidelight-other>=0.1; extra == 'other'"])
    told = release.how_to_install("sidelight-other")
    assert told == "sidelight-other is none of Sidelight's own; install it from where its authors publish it"


def test_without_the_kernel_there_is_no_release(required):
    required(None)
    assert release.distributions() == frozenset()
    assert not release.is_published()
