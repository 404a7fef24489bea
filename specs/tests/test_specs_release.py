"""Distributions of this release: only they are named as something to install."""

from importlib import metadata

import pytest
from sidelight_specs import release


@pytest.fixture
def required(monkeypatch):
    """Sets what the kernel's metadata require; None where it is not installed."""

    def install(texts):
        def requires(name):
            if texts is None:
                raise metadata.PackageNotFoundError(name)
            return texts

        monkeypatch.setattr(metadata, "requires", requires)
        release.distributions.cache_clear()

    yield install
    release.distributions.cache_clear()


def test_the_extra_all_lists_the_release(required):
    required(["numpy<3", "sidelight-timm<0.2,>=0.1; extra == 'all'", 'sidelight-x[y]>=0.1 ; extra == "all"'])
    assert release.distributions() == {"sidelight", "sidelight-timm", "sidelight-x"}
    assert release.how_to_install("sidelight-timm") == "pip install sidelight-timm"


def test_what_nobody_releases_is_not_given_to_pip(required):
    required(["sidelight-other>=0.1; extra == 'other'"])
    told = release.how_to_install("sidelight-other")
    assert told == "sidelight-other is none of Sidelight's own; install it from where its authors publish it"


def test_without_the_kernel_there_is_no_release(required):
    required(None)
    assert release.distributions() == frozenset()
