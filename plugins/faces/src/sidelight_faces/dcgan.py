"""DCGAN (Radford, Metz and Chintala 2016, "Unsupervised Representation Learning with Deep Convolutional GANs").

    z ~ N(0, 1)  (N, k)    latents
    G(z)                   five transposed convolutions, batch norm and ReLU between them, tanh at the end

The weights are those of the package gan-face-generate, 64x64 faces. Its checkpoint holds nothing but tensors under
`netG_state_dict`, and is read without unpickling.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.files import refuse_special
from sidelight_specs.roles import Generator
from sidelight_toolkit.arrays import to_tensor
from sidelight_toolkit.pickled_tensors import TENSORS
from sidelight_toolkit.torch_files import read_archive
from sidelight_toolkit.weights_files import load_weights, refuse_larger
from torch import nn

from sidelight_faces.locations import DCGAN, weights_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sidelight_specs import Run
    from torch import Tensor

    from sidelight_faces.params import DcganParams

CONTENT = "netG_state_dict"
LAYERS = ("main.0", "main.3", "main.6", "main.9", "main.12")  # transposed convolutions of the checkpoint
CHANNELS, SIDE = 3, 64
LARGEST = 1 << 30  # bytes of a checkpoint


class DcganNetwork(nn.Module):
    """Decoder from (N, k) to (N, 3, 64, 64) in [-1, 1], with the names of the checkpoint.

    Args:
        widths: length of z, channels after each convolution but the last: (100, 512, 256, 128, 64).
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(widths)):
            # z is a 1x1 map, which becomes 4x4; then 8x8, 16x16, 32x32
            stride, padding = (1, 0) if number == 0 else (2, 1)
            layers += [nn.ConvTranspose2d(before, after, 4, stride, padding, bias=False), nn.BatchNorm2d(after)]
            layers.append(nn.ReLU())
        layers += [nn.ConvTranspose2d(widths[-1], CHANNELS, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """(N, k) to (N, 3, 64, 64)."""
        images: Tensor = self.main(z[:, :, None, None])
        return images


def load_dcgan(path: Path) -> DcganNetwork:
    """The network of a checkpoint, its widths those of the file.

    Raises:
        UserError: the file cannot be read, or does not hold a DCGAN of 64x64 colour images.
    """
    state = _state(path)
    weights = [state.get(f"{layer}.weight") for layer in LAYERS]
    if any(weight is None or weight.ndim != 4 for weight in weights):
        raise UserError(f"{path} holds no DCGAN of five layers", DCGAN.fix())
    widths = tuple(weight.shape[0] for weight in weights if weight is not None)
    refuse_larger(lambda: DcganNetwork(widths), state, path, DCGAN.fix())
    with torch.device("meta"):  # no random weights are drawn, only to be replaced
        network = DcganNetwork(widths)
    network = network.to_empty(device="cpu")
    for buffer in network.buffers():
        buffer.zero_()
    load_weights(network, state, path, "a DCGAN of 64x64 colour images", DCGAN.fix())
    return network.eval().requires_grad_(False)


def _state(path: Path) -> Mapping[str, Tensor]:
    try:
        refuse_special(path)
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
        checkpoint = read_archive(path.read_bytes(), TENSORS)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}", DCGAN.fix()) from error
    except Exception as error:  # of a damaged pickle or archive, which may raise anything
        raise UserError(f"{path} holds no weights that can be read: {error}", DCGAN.fix()) from error
    state = checkpoint.get(CONTENT) if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict) or not all(isinstance(each, torch.Tensor) for each in state.values()):
        raise UserError(f'{path} holds no weights under "{CONTENT}"', DCGAN.fix())
    return {str(name): each for name, each in state.items()}


class Dcgan(Generator):
    """64x64 colour faces from standard normal z."""

    def __init__(self, params: DcganParams, *, run: Run) -> None:
        self._params, self._run = params, run

    @cached_property
    @torch.inference_mode(False)  # tensors made in inference mode could never be differentiated through
    def network(self) -> DcganNetwork:
        """The network, read when first asked for, frozen and in evaluation mode."""
        network = load_dcgan(weights_file(DCGAN, self._params.where))
        return network.to(device=self._run.device, dtype=getattr(torch, self._run.dtype))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(3, 64, 64)."""
        return (CHANNELS, SIDE, SIDE)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(k,), 100 for the published weights."""
        first = self.network.main[0]
        assert isinstance(first, nn.ConvTranspose2d)
        return (first.in_channels,)

    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """z ~ N(0, 1), (n, k)."""
        return to_tensor(rng.standard_normal((n, *self.latent_shape), dtype=np.float32), self._run)

    def synthesize(self, latents: Tensor) -> Tensor:
        """(N, k) to (N, 3, 64, 64) in [0, 1]."""
        images: Tensor = (self.network(latents) + 1) / 2  # tanh ends in [-1, 1]
        return images
