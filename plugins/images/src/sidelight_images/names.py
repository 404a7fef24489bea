"""Names of classes, factors, masks and photographs: one table for options, facts and data. Imports nothing heavy."""

from __future__ import annotations

from itertools import product

PHOTOS = ("camera", "coffee", "chelsea", "motorcycle", "rocket", "flower", "china")
"""Photographs of things that are among the 1,000 classes of ImageNet."""
OTHER_PHOTOS = ("astronaut", "motorcycle-right")
BACKGROUNDS = ("brick", "grass", "gravel", "wood", "bush", "foliage", "sky", "dusk")
"""Regions of photographs that cut-outs are laid on."""
CUTOUT_FACTORS = (
    "cut-out",
    "background",
    "crop-side",
    "crop-left",
    "crop-top",
    "mirror",
    "rotation",
    "size",
    "left",
    "top",
)
PLANTED = ("tint", "mark", "noise")
"""Factors of cut-out images that are there only where `vary` or `confounds` names them."""
CONFOUNDED = ("background", "mirror", "size", "left", "top", *PLANTED)
"""Factors of cut-out images that can be tied to the class."""
PRINTED_CLASSES = ("plain", "printed")
CONTENT_CLASSES = ("first kind", "second kind")
DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
ANY = "any"
"""In place of a class: every class."""


def square_splits(square: str) -> tuple[str, ...]:
    """Splits that show the test images with the square on all, as in training, on any half, and against its class.

    Args:
        square: the option; empty for none, or `ANY`, which no square can go against.
    """
    if not square:
        return ()
    splits = ("test-square", "test-aligned", "test-decorrelated")
    return splits if square == ANY else (*splits, "test-conflicting")


FACE_CLASSES = {
    "skin": ("pale skin", "deep skin"),
    "face-width": ("narrow face", "wide face"),
    "jaw": ("pointed jaw", "square jaw"),
    "nose": ("small nose", "large nose"),
    "hair-colour": ("dark hair", "light hair"),
    "hair-length": ("short hair", "long hair"),
    "hair-volume": ("flat hair", "full hair"),
    "hair-wave": ("straight hair", "wavy hair"),
    "fringe": ("no fringe", "fringe"),
    "parting": ("parted left", "parted right"),
    "eye-colour": ("dark eyes", "light eyes"),
    "eye-size": ("narrow eyes", "wide eyes"),
    "brow-angle": ("worried brows", "stern brows"),
    "brow-thickness": ("thin brows", "bushy brows"),
    "smile": ("not smiling", "smiling"),
    "mouth-opening": ("mouth closed", "mouth open"),
    "lip-colour": ("pale lips", "red lips"),
    "glasses": ("no glasses", "glasses"),
    "glasses-shape": ("round glasses", "square glasses"),
    "beard": ("no beard", "beard"),
    "tilt": ("leaning left", "leaning right"),
    "yaw": ("turned left", "turned right"),
    "light": ("lit from the left", "lit from the right"),
    "background": ("warm background", "cool background"),
    "clothes": ("cool clothes", "warm clothes"),
}
"""Factor of a drawn face to the classes of a label that follows it: its low end, its high end."""
MOST_CROSSED = 4
"""Factors that a label of drawn faces crosses at most: 16 classes."""


def face_classes(label: str | tuple[str, ...]) -> tuple[str, ...]:
    """Classes of a label that follows one factor, or several crossed ones: `"dark hair, no beard"`, ...

    Crossed classes count in binary: the first factor is the most significant digit, and its low end is 0.

    Args:
        label: one factor or several.
    """
    factors = (label,) if isinstance(label, str) else label
    return tuple(", ".join(ends) for ends in product(*(FACE_CLASSES[factor] for factor in factors)))


FACE_PARTS = ("background", "clothes", "skin", "nose", "hair", "beard", "mouth", "eyes", "brows", "glasses")
"""Masks of drawn faces: every pixel belongs to exactly one. Ears and neck are skin, teeth are mouth, lids are eyes."""
