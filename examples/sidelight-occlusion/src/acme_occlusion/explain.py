import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer


class Occlusion(Explainer):
    def __init__(self, params, *, classifier, run):
        self.patch, self.classifier, self.run = params.patch, classifier, run

    @torch.no_grad()
    def explain(self, images, targets):
        predicted = torch.from_numpy(targets.predicted).to(images.device)[:, None]
        whole = self.classifier.class_logits(images).gather(1, predicted)
        heat = torch.zeros_like(images[:, 0])
        for top in self.run.progress(range(0, images.shape[2], self.patch), "covering"):
            for left in range(0, images.shape[3], self.patch):
                place = (..., slice(top, top + self.patch), slice(left, left + self.patch))
                covered = images.clone()
                covered[place] = 0.5
                heat[place] = (whole - self.classifier.class_logits(covered).gather(1, predicted))[:, :, None]
        return Heatmap(values=heat.cpu().numpy())
