"""What `perceptual: auto` is depends on the machine: answers kept without LPIPS are not taken for answers with it."""

import pytest
from sidelight.registry.catalog import installed


@pytest.mark.parametrize(
    ("role", "use"),
    [("inverter", "stylegan2/project"), ("inverter", "stylegan2/encoder"), ("generator", "stylex/generator")],
)
def test_auto_has_another_fingerprint_once_lpips_is_there(role, use, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("sidelight_toolkit.lpips_weights.find_spec", lambda _: object())
    descriptor = installed().lookup(use, role).descriptor
    auto, none = descriptor.params(), descriptor.params(perceptual="none")
    before = descriptor.fingerprint(auto)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth").touch()
    assert descriptor.fingerprint(auto) != before
    assert descriptor.fingerprint(none) == before == ""
