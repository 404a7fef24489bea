from hashlib import sha512

import numpy as np
import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from torch.nn import functional


class Checksum(Explainer):
    def __init__(self, params, *, run):
        del params, run

    def explain(self, images, targets):
        del targets
        sums = b"".join(sha512(np.ascontiguousarray(image).tobytes()).digest() for image in images.cpu().numpy())
        cells = torch.from_numpy(np.frombuffer(sums, np.uint8).reshape(-1, 1, 8, 8).astype(np.float32) / 255)
        return Heatmap(values=functional.interpolate(cells, images.shape[-2:])[:, 0].numpy(), answers="any")
