"""Grad-CAM of transformers against pytorch-grad-cam, on photographs; `benchmarks/grad_cam_peer.py` has more."""

import numpy as np
import pytest
import torch
from sidelight_captum.grad_cam import GradCam
from sidelight_captum.params import GradCamParams
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.torchvision_import import import_with_torchvision
from torch import nn

skimage_data = pytest.importorskip("skimage.data")
try:
    package = import_with_torchvision("pytorch_grad_cam")
    timm = import_with_torchvision("timm")
except UserError as missing:
    pytest.skip(f"grad-cam and timm are installed by `make test` alone: {missing}", allow_module_level=True)


@pytest.fixture
def images():
    """Three photographs of 96 x 96."""
    photos = [getattr(skimage_data, name)() for name in ("astronaut", "chelsea", "coffee")]
    tensors = [torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255 for photo in photos]
    return torch.cat(
        [nn.functional.interpolate(tensor, (96, 96), mode="bilinear", antialias=True) for tensor in tensors]
    )


def timm_vit():
    return timm.models.VisionTransformer(96, 8, embed_dim=48, depth=3, num_heads=3, num_classes=4)


def timm_swin():
    return timm.models.SwinTransformer(
        96, 4, embed_dim=24, depths=(1, 2), num_heads=(2, 4), window_size=6, num_classes=4
    )


def torchvision_vit():
    from torchvision.models import VisionTransformer

    return VisionTransformer(96, 8, num_layers=3, num_heads=3, hidden_dim=48, mlp_dim=96, num_classes=4)


class TransformersViT(nn.Module):
    def __init__(self):
        super().__init__()
        transformers = pytest.importorskip("transformers")
        shape = {"hidden_size": 48, "num_attention_heads": 3, "intermediate_size": 96, "num_hidden_layers": 3}
        config = transformers.ViTConfig(**shape, image_size=96, patch_size=8, num_labels=4)
        self.model = transformers.ViTForImageClassification(config)

    def forward(self, images):
        return self.model(pixel_values=images).logits


def tokens(output):
    return output[:, 1:].unflatten(1, (12, 12)).permute(0, 3, 1, 2)


def last(output):
    return output.permute(0, 3, 1, 2)


NETWORKS = {
    "timm ViT": (timm_vit, "blocks.2.norm1", tokens),
    "timm Swin": (timm_swin, "layers.1.blocks.1.norm1", last),
    "torchvision ViT": (torchvision_vit, "encoder.layers.encoder_layer_2.ln_1", tokens),
    "transformers ViT": (TransformersViT, "vit.layers.2.layernorm_before", tokens),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.training
def test_the_maps_are_those_of_pytorch_grad_cam(name, classify, images, ask):
    make, layer, transform = NETWORKS[name]
    torch.manual_seed(1)
    network = make().eval()
    for part in network.modules():
        if isinstance(part, nn.Linear) and part.out_features == 4:
            nn.init.normal_(part.weight)  # torchvision's head begins at zero
    (layer,) = [known for known, _ in network.named_modules() if known.endswith(layer)]
    classifier = classify(network)
    options = {} if "ViT" in name else {"layer": layer}  # the layer that their users name is a ViT's default
    for target in ("predicted", "probe"):
        targets = ask(classifier, images)
        params = GradCamParams(target=target, **options)
        ours = GradCam(params, classifier=classifier, run=ToyRun()).explain(images, targets).values
        network.requires_grad_(True)
        scores = [
            lambda logits, c=c: logits[c]
            for c in (targets.predicted if target == "predicted" else targets.probe).tolist()
        ]
        with package.GradCAM(network, [network.get_submodule(layer)], transform) as cam:
            theirs = cam(images, scores)
        network.requires_grad_(False)
        some = theirs.any((1, 2))
        assert some.any()
        assert np.array_equal(some, ours.std((1, 2)) > 0)
        for mine, other in zip(ours[some], theirs[some], strict=True):
            assert np.corrcoef(mine.ravel(), other.ravel())[0, 1] >= 0.9999
