"""Types of model in transformers: their image processors, those built of attention, those not explained."""

from __future__ import annotations

_BIT, _CONVNEXT, _VIT = "BitImageProcessor", "ConvNextImageProcessor", "ViTImageProcessor"

PROCESSORS = {
    "beit": "BeitImageProcessor",
    "bit": _BIT,
    "clip": "CLIPImageProcessor",
    "convnext": _CONVNEXT,
    "convnextv2": _CONVNEXT,
    "cvt": _CONVNEXT,
    "data2vec-vision": "BeitImageProcessor",
    "deit": "DeiTImageProcessor",
    "dinat": _VIT,
    "dinov2": _BIT,
    "dinov2_with_registers": _BIT,
    "donut-swin": "DonutImageProcessor",
    "efficientnet": "EfficientNetImageProcessor",
    "focalnet": _BIT,
    "hiera": _BIT,
    "ijepa": _VIT,
    "levit": "LevitImageProcessor",
    "metaclip_2": "CLIPImageProcessor",
    "mobilenet_v1": "MobileNetV1ImageProcessor",
    "mobilenet_v2": "MobileNetV2ImageProcessor",
    "mobilevit": "MobileViTImageProcessor",
    "mobilevitv2": "MobileViTImageProcessor",
    "perceiver": "PerceiverImageProcessor",
    "poolformer": "PoolFormerImageProcessor",
    "pvt": "PvtImageProcessor",
    "pvt_v2": "PvtImageProcessor",
    "regnet": _CONVNEXT,
    "resnet": _CONVNEXT,
    "segformer": "SegformerImageProcessor",
    "siglip": "SiglipImageProcessor",
    "swiftformer": _VIT,
    "swin": _VIT,
    "swinv2": _VIT,
    "textnet": "TextNetImageProcessor",
    "vit": _VIT,
    "vit_msn": _VIT,
}
"""Type to the image processor that transformers gives it, where a folder has none. A test compares them."""

ATTENTION = {
    *("beit", "clip", "data2vec-vision", "deit", "dinov2", "dinov2_with_registers", "ijepa", "metaclip_2"),
    *("siglip", "swin", "swinv2", "vit", "vit_msn"),
}
"""Types that mix image tokens by self-attention in every block."""

FIXED_SIZE = {"clip", "deit", "ijepa", "metaclip_2", "siglip", "vit", "vit_msn"}
"""Types that refuse images of another size than image_size."""

_EXPORT = "export the part that classifies images (torch.export.save) and use classifiers/torch"
NOT_EXPLAINED = {
    "imagegpt": ("which takes colours as words, so that nothing can be differentiated", "use another model"),
    "pp_lcnet": ("whose scores transformers does not return as logits", "use another model"),
    "shieldgemma2": ("which takes text beside the image", "use another model"),
    "siglip2": ("which takes patches cut beforehand in place of images", "use siglip, or another model"),
    "timm_wrapper": ("a model of timm", "use timm/model"),
    "vision-encoder-decoder": ("which writes text", _EXPORT),
}
"""Type to why it is not explained, as the end of "FOLDER holds TYPE, ...", and what to do."""
