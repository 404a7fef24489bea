"""Fixtures for the conformance kit: toy directions, and a session of toy images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_specs.results import Attribute
from sidelight_specs.testing import ToyRun, Toys
from sidelight_specs.testing.toys import ToyClassifier, ToyData, ToyGenerator, ToyInverter

from sidelight_explorer._params import DirectionParams
from sidelight_explorer.session.edit import EditSpec, plain
from sidelight_explorer.session.file import Image, Session, write_latents, write_session
from sidelight_explorer.session.slider import make_slider

if TYPE_CHECKING:
    from pathlib import Path

    from sidelight_specs import Need
    from sidelight_specs.roles.classifier import Task

FEW = DirectionParams(train=96, validation=32, batch=16)
TASKS: tuple[Task, ...] = ("multiclass", "binary", "regression")


class ExplorerToys(Toys):
    """Toys with a finder of directions and an inverter into latents of each layer."""

    def fill(self, need: Need) -> Any:
        """The generator, finder or inverter, otherwise a toy; without them the kit fills in a generator of z."""
        if need.role == "generator":
            return ToyGenerator(self.shape, "w")
        if need.role == "inverter":
            return ToyInverter(ToyGenerator(self.shape, "w"))
        if need.role != "attribute_finder":
            return super().fill(need)
        from sidelight_explorer.directions import LatentDirections

        classifier, generator = ToyClassifier(self.shape, self.task), ToyGenerator(self.shape, "w")
        return LatentDirections(FEW, classifier=classifier, generator=generator, run=ToyRun())


def toy_session(folder: Path) -> dict[str, str]:
    """Path of a session in which toy images of every task are moved along all class patterns."""
    images = np.concatenate([ToyData(task=task).split("test").images[:4] for task in TASKS])
    latents = ToyGenerator(space="w").encode(torch.from_numpy(images)).numpy()
    direction = np.array([[2, 2, 2], [0, 0, 0]], np.float32)
    slider = make_slider("finder", Attribute(name="patterns", coordinate=0), direction)
    names = [f"run-{row}" for row in range(len(latents))]
    edited = [
        Image(f"i{row}", name, plain(name, 2), EditSpec(plain(name, 2).layers, ((slider.id, 100),)))
        for row, name in enumerate(names)
    ]
    session = Session(layers=2, groups=2, styles=(), images=tuple(edited), sliders=(slider,))
    path = folder / "session.json"
    encoded = write_latents(dict(zip(names, latents, strict=True)))
    path.write_text(json.dumps({**write_session(session), "latents": encoded}), "utf-8")
    return {"session": str(path)}


toys = {"along-direction": ExplorerToys(), "line-search": ExplorerToys(), "by-hand": ExplorerToys(example=toy_session)}
