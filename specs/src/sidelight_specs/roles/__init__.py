"""One abstract class for each role. Authors subclass it, type checkers see it, the conformance kit checks it.

Every component is constructed as `Component(params, run=run, **needs)`: its params instance, the other components
that its descriptor's `needs` name, by slot, and the `Run`. Construction is cheap; nothing is computed in it.
Images are torch tensors, float32, (N, C, H, W), in [0, 1], on `run.device`; results hold numpy arrays.
"""

from sidelight_specs.role_table import ROLES, SECTIONS, Role
from sidelight_specs.roles.attribute_finder import AttributeFinder
from sidelight_specs.roles.claim import Claim
from sidelight_specs.roles.classifier import Activations, Classifier
from sidelight_specs.roles.data import Data
from sidelight_specs.roles.executor import Executor, WorkerLost
from sidelight_specs.roles.explainer import Explainer
from sidelight_specs.roles.generator import Generator, StyleLayer
from sidelight_specs.roles.inverter import Inverter
from sidelight_specs.roles.metric import Metric
from sidelight_specs.roles.renderer import Renderer
from sidelight_specs.roles.trainable import Trainable

__all__ = [
    "ROLES",
    "SECTIONS",
    "Activations",
    "AttributeFinder",
    "Claim",
    "Classifier",
    "Data",
    "Executor",
    "Explainer",
    "Generator",
    "Inverter",
    "Metric",
    "Renderer",
    "Role",
    "StyleLayer",
    "Trainable",
    "WorkerLost",
]
