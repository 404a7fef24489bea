"""Image shapes of checkpoints, read without torch."""

import torch
from safetensors.torch import save_file
from sidelight_stylegan2.files import header
from sidelight_stylegan2.networks.architecture import Architecture


def test_the_shape_in_a_header(tmp_path):
    facts = Architecture(image_channels=1, widths=(4, 4, 4), z=4, w=4, shuffle=2)
    save_file({"weight": torch.zeros(1)}, tmp_path / "g.safetensors", metadata=facts.settings())
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "huge.safetensors").write_bytes(b"\xff" * 8 + b"{}")
    (tmp_path / "g.pkl").write_bytes(b"\x80\x04")
    assert header.shape_of_file(tmp_path / "g.safetensors") == facts.image_shape == (1, 32, 32)
    assert [
        header.shape_of_file(tmp_path / name) for name in ("other.safetensors", "huge.safetensors", "g.pkl", "x")
    ] == ([None] * 4)
