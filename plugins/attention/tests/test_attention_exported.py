"""Attention read from model files: exported programs and TorchScript give the heatmaps of their module."""

import numpy as np
import pytest
import torch
from sidelight_attention.gradient_attention import GradientAttention
from sidelight_attention.legrad import LeGrad
from sidelight_attention.params import GradientAttentionParams, LeGradParams, RolloutParams
from sidelight_attention.rollout import Rollout
from sidelight_specs.testing import ToyRun

torch_model = pytest.importorskip("sidelight_classifiers.files.torch_model")
METHODS = [(Rollout, RolloutParams), (GradientAttention, GradientAttentionParams), (LeGrad, LeGradParams)]


def exported(network, images, path):
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.export.save(torch.export.export(network, (images,), dynamic_shapes=({0: batch},)), path)


def scripted(network, images, path):
    torch.jit.trace(network, images).save(str(path))


def as_onnx(network, images, path):
    pytest.importorskip("onnxruntime")
    names = {"input_names": ["images"], "output_names": ["scores"]}
    axes = {"images": {0: "batch"}, "scores": {0: "batch"}}
    torch.onnx.export(network, (images,), str(path), dynamo=False, opset_version=17, dynamic_axes=axes, **names)


@pytest.mark.training  # exporting takes seconds
@pytest.mark.parametrize("spelling", ["fused", "torch", "explicit"])
@pytest.mark.parametrize(("save", "name"), [(exported, "model.pt2"), (scripted, "model.pt"), (as_onnx, "model.onnx")])
def test_heatmaps_of_a_file(save, name, spelling, classify, vit, images, ask, tmp_path):
    from sidelight_classifiers.files.onnx_model import OnnxModel
    from sidelight_classifiers.params import OnnxParams, TorchParams

    live = classify(vit(prefix=2, reads="pair", spelling=spelling))
    save(live.module, images, tmp_path / name)
    make, options = (OnnxModel, OnnxParams) if save is as_onnx else (torch_model.TorchModel, TorchParams)
    params = options(path=str(tmp_path / name), classes=tuple("abcd"), channels=3, height=24, width=20)
    classifier = make(params, run=ToyRun())
    targets = ask(live, images)
    for method, options in METHODS:
        result = method(options(batch=2), classifier=classifier, run=ToyRun()).explain(images, targets)
        expected = method(options(batch=2), classifier=live, run=ToyRun()).explain(images, targets)
        assert result.resolution == (6, 5)
        assert np.abs(result.values - expected.values).max() <= 1e-5 * np.abs(expected.values).max()
