import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from torch.nn import functional


class Rise(Explainer):
    def __init__(self, params, *, classifier, run):
        self.params, self.classifier, self.run = params, classifier, run

    @torch.no_grad()
    def explain(self, images, targets):
        masks = self.masks(images.shape[2], images.shape[3]).to(images)
        heat = torch.zeros_like(images[:, 0])
        for index in self.run.progress(range(len(images)), "images"):
            for some in masks.split(64):
                scores = self.classifier.class_logits(images[index] * some[:, None]).softmax(1)
                heat[index] += (scores[:, int(targets.predicted[index]), None, None] * some).sum(0)
        mean = heat / masks.sum(0)  # S = sum_i f(I * M_i) M_i / sum_i M_i
        return Heatmap(values=(mean - mean.amin((1, 2), keepdim=True)).cpu().numpy(), signed=False)  # it ranks alone

    def masks(self, height, width):
        rng, cells = self.run.rng("masks"), self.params.cells
        grid = torch.from_numpy((rng.random((self.params.masks, 1, cells, cells)) < self.params.keep).astype("float32"))
        step_y, step_x = -(-height // (cells - 1)), -(-width // (cells - 1))
        large = functional.interpolate(grid, (height + step_y, width + step_x), mode="bilinear", align_corners=False)
        tops, lefts = rng.integers(0, step_y, len(grid)), rng.integers(0, step_x, len(grid))
        shifted = [one[0, y : y + height, x : x + width] for one, y, x in zip(large, tops, lefts, strict=True)]
        return torch.stack(shifted) + 1e-6  # a pixel that no mask shows has no mean
