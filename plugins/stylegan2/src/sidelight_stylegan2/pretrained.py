"""StyleGAN2 from a checkpoint."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.arrays import to_tensor
from sidelight_toolkit.batching import in_batches

from sidelight_stylegan2.files.checkpoint import load_checkpoint
from sidelight_stylegan2.generator import StyleGan2

if TYPE_CHECKING:
    from sidelight_specs import Run

    from sidelight_stylegan2.networks.synthesis import Network
    from sidelight_stylegan2.params import PretrainedParams

DRAWS = 4096  # samples whose w are averaged where a file does not hold the average
BATCH = 256


class Pretrained(StyleGan2):
    """The generator of a file, read when first needed."""

    _params: PretrainedParams

    def __init__(self, params: PretrainedParams, *, run: Run) -> None:
        self._params, self._run = params, run

    @cached_property
    @torch.inference_mode(False)  # tensors made in inference mode could never be differentiated through
    def network(self) -> Network:
        """The network, with the average w that truncation needs."""
        checkpoint = load_checkpoint(Path(self._params.path).expanduser())
        network = checkpoint.network.to(device=self._run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.synthesis.modulated_by(self._params.modulation)
        if not checkpoint.centered:
            self._center(network)
        for text in checkpoint.remarks:
            self._run.warn(text)
        return network  # type: ignore[no-any-return]

    def _center(self, network: Network) -> None:
        normal = self._run.rng("average w").standard_normal((DRAWS, network.architecture.z), dtype="float32")
        z = to_tensor(normal, self._run)
        network.mapping.center.copy_(in_batches(network.mapping, z, BATCH).mean(0))
