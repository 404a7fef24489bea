"""CDeepEx and xGEMs: the closest generated image at which a classifier cannot decide between two classes.

Feghahati, Shelton, Pazzani and Tang 2020, "CDeepEx: Contrastive Deep Explanations", section 3.3; Joshi et al. 2018,
"xGEMs". The symbols:

    I    (N, C, H, W)  images; y and y' their predicted class and the probe: why y and not y'?
    G                  generator, z to images
    z0   (N, k)        latents of I (equation 1, see `inversion`)
    I_z                G(z) + (I - G(z0)), the composite image: I with what changes from z0 to z
    llh                the classifier's log-likelihood of a class in I_z

    min ||z - z0||^2  so that  llh(y) = llh(y')
                               llh(y) - llh(y'') >= epsilon,  llh(y') - llh(y'') >= epsilon               (equation 2)

for every third class y''. xGEMs has the first constraint alone. log-softmax subtracts one number from all logits of an
image, so that differences of log-likelihoods are differences of logits.

These options are not in the paper. With `margin` m > 0 an answer lies beyond the boundary, llh(y') >= llh(y) + m,
and third classes stay below the probe alone, llh(y') - llh(y'') >= epsilon. With an ensemble, the constraints hold for
each of its classifiers. With `proximity` u, `prior` v and `reconstruction` w, the objective is

    ||z - z0||^2 + u ||I_z - I||^2 + v ||z||^2 + w ||G(E(I_z)) + (I - G(z0)) - I_z||^2

E the generator's encoder: the image is to stay close where a small step of z repaints all of it (Wachter et al. 2017,
"Counterfactual Explanations without Opening the Black Box"), z is to be likely to be drawn, and an image that the
autoencoder reproduces, as in Dhurandhar et al. 2018, "Explanations based on the Missing", equation 2.

Reading order: this file, then `augmented_lagrangian` (equations 3 and 4), then `inversion` (equation 1).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Counterfactual
from sidelight_specs.roles import Explainer, Generator
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch, in_batches

from sidelight_cdeepex.augmented_lagrangian import Values, closest_point, nearest_solution
from sidelight_cdeepex.inversion import check_shape
from sidelight_cdeepex.params import NO_ENCODER, SEARCHED_ON_CPU

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier, Inverter
    from torch import Tensor

    from sidelight_cdeepex.augmented_lagrangian import Solution
    from sidelight_cdeepex.params import CdeepexParams, XgemsParams

PASSES = 3.0  # of the classifier for a step: forward, and backward, which counts as two


class BoundaryCounterfactual(Explainer):
    """Equation 2, from the inverted latents z0 to the closest image on the boundary between two classes."""

    def __init__(
        self,
        params: XgemsParams,
        *,
        classifier: Classifier,
        generator: Generator,
        inverter: Inverter,
        run: Run,
        second_classifier: Classifier | None = None,
        third_classifier: Classifier | None = None,
    ) -> None:
        self._params, self._run = params, run
        self._batch = Batch(params.batch, run, SEARCHED_ON_CPU)
        self._together = Batch(params.together, run, 1)
        self._classifier, self._generator, self._inverter = classifier, generator, inverter
        others = {"second classifier": second_classifier, "third classifier": third_classifier}
        self._ensemble = {"": classifier} | {f", {name}": one for name, one in others.items() if one is not None}

    @property
    @abstractmethod
    def epsilon(self) -> float | None:
        """Margin of the third classes; None leaves their constraints out."""

    def explain(self, images: Tensor, targets: Targets) -> Counterfactual:
        """Counterfactuals with their paths, and the violation of each family of constraints.

        Raises:
            UserError: the generator makes images of another shape or lacks an encoder that `reconstruction` asks for,
                or the classifiers have different classes.
        """
        check_shape(images, self._generator)
        if self._params.reconstruction and type(self._generator).encode is Generator.encode:
            raise UserError(*NO_ENCODER)
        for slot, one in self._ensemble.items():
            check_classes(one, self._classifier, slot.strip(" ,"))
        z0 = to_tensor(self._inverter.invert(images).latents, self._run)  # equation 1
        pair = torch.as_tensor(np.stack([targets.predicted, targets.probe]), device=images.device)  # y and y', (2, N)

        def of_rows(rows: slice) -> Counterfactual:
            return self._explain_batch(images[rows], z0[rows], pair[:, rows])

        return Counterfactual.concat(self._batch.each(of_rows, len(images), "searches", shown=False))

    def _explain_batch(self, images: Tensor, z0: Tensor, pair: Tensor) -> Counterfactual:
        params, start = self._params, z0.flatten(1)
        composite = CompositeImage(self._generator, images, z0, self._together)

        # An answer may miss what the search asks for by the tolerance, and keeps epsilon and the margin in full.
        epsilon = None if self.epsilon is None else self.epsilon + params.tolerance
        margin = params.margin + params.tolerance if params.margin else 0.0

        def constraints(z: Tensor, rows: Tensor) -> Values:
            made = composite(z, rows)
            families = [
                family
                for one in self._ensemble.values()
                for family in equation_2(one.class_logits(made), pair[:, rows], epsilon, margin).values()
            ]
            term = self._further_terms(composite, made, z, rows)
            return Values(torch.cat([f.h for f in families], 1), torch.cat([f.g for f in families], 1), term)

        steps = path_steps(params.steps, params.path)
        solution = nearest_solution(
            [
                closest_point(constraints, start, params, self._run, offset=offset, record=steps)
                for offset in self._offsets(start)
            ]
        )
        return self._measure(composite, steps, z0, pair, solution)

    def _further_terms(self, composite: CompositeImage, made: Tensor, z: Tensor, rows: Tensor) -> Tensor | None:
        """(n,): the terms of the objective beside ||z - z0||^2; None where their weights are 0."""
        params = self._params
        if not params.proximity and not params.prior and not params.reconstruction:
            return None
        term = params.prior * z.square().sum(1)
        if params.proximity:
            term = term + params.proximity * composite.change(made, rows).square().flatten(1).sum(1)  # u ||I_z - I||^2
        if params.reconstruction:
            cycle = composite(self._generator.encode(made).flatten(1), rows)  # G(E(I_z)) + (I - G(z0)), clamped
            term = term + params.reconstruction * (cycle - made).square().flatten(1).sum(1)
        return term

    def _offsets(self, start: Tensor) -> Iterator[Tensor | None]:
        """From z0 to the first point of each search: none, then random ones that are the same for every image."""
        yield None
        rng = self._run.rng("starts")
        for _ in range(self._params.starts - 1):
            yield torch.from_numpy(self._params.spread * rng.standard_normal(start.shape[1])).to(start)

    def _measure(
        self, composite: CompositeImage, steps: Sequence[int], z0: Tensor, pair: Tensor, solution: Solution
    ) -> Counterfactual:
        """The result, judged by the classifier's logits of the returned images, not by the search.

        Args:
            composite: I_z.
            steps: T numbers of steps, those of `solution.path`.
            z0: (N, *latent_shape).
            pair: (2, N).
            solution: its `z` are the answers.
        """
        params, path = self._params, composite.path(solution.path)  # (N, T, C, H, W)
        flat = in_batches(self._classifier.class_logits, path.flatten(0, 1), self._together, "classifying")
        logits = flat.reshape(*path.shape[:2], -1)  # (N, T, K)
        violations = {
            f"{name}{of}": values.violation()
            for of, one in self._ensemble.items()
            for name, values in equation_2(
                self._final_logits(one, path, logits), pair, self.epsilon, params.margin
            ).items()
        }
        generated = composite.generated(solution.z)  # (N, 2, C, H, W)
        own = in_batches(self._classifier.class_logits, generated.flatten(0, 1), self._together, "classifying")
        is_near = torch.stack([violation <= params.tolerance for violation in violations.values()]).all(0)
        converged = is_near & solution.feasible  # a search without an answer ends anywhere, by chance near the boundary
        return Counterfactual(
            answers="contrast",
            passes=to_array(PASSES * len(self._ensemble) * solution.steps + len(steps) + 1 + len(self._ensemble)),
            images=to_array(path[:, -1]),
            logits_before=to_array(logits[:, 0]),
            logits_after=to_array(logits[:, -1]),
            converged=to_array(converged),
            constraints={name: to_array(violation) for name, violation in violations.items()},
            tolerance=params.tolerance,
            path_images=to_array(path),
            path_logits=to_array(logits),
            path_steps=np.array(steps),
            latents=to_array(solution.z.reshape(z0.shape)),
            start_latents=to_array(z0),
            generated=to_array(generated),
            generated_logits=to_array(own.reshape(len(logits), 2, -1)),
        )

    def _final_logits(self, classifier: Classifier, path: Tensor, logits: Tensor) -> Tensor:
        """(N, K) of the answers, which end the path (N, T, C, H, W); `logits` (N, T, K) are those of the explained."""
        if classifier is self._classifier:
            return logits[:, -1]
        return in_batches(classifier.class_logits, path[:, -1], self._together, "classifying")


class CDeepEx(BoundaryCounterfactual):
    """Predicted class and probe equally likely, and every third class less likely than both."""

    _params: CdeepexParams

    @property
    def epsilon(self) -> float:
        """As given."""
        return self._params.epsilon


class XGEMs(BoundaryCounterfactual):
    """Predicted class and probe equally likely, whatever the third classes."""

    @property
    def epsilon(self) -> None:
        """No margin."""


class CompositeImage:
    """I_z = G(z) + (I - G(z0)), clamped to [0, 1]; at z0 it is I itself, to the last bit.

    The paper writes the residual as G(z0) - I, which would give 2 G(z0) - I. Classifier and reader see the same clamped
    image. Its gradient is the true one: zero where a pixel is at its limit and pushed beyond.

    Args:
        generator: G.
        images: (N, C, H, W).
        z0: (N, *latent_shape).
        together: images generated in a pass.
    """

    def __init__(self, generator: Generator, images: Tensor, z0: Tensor, together: int | Batch) -> None:
        self._generator, self._images, self._latent_shape, self._together = generator, images, z0.shape[1:], together
        self._reconstructions = in_batches(generator.synthesize, z0, together, "drawing")  # G(z0), (N, C, H, W)

    def __call__(self, z: Tensor, rows: Tensor) -> Tensor:
        """(n, k) flattened latents of the images `rows` (n,) to (n, C, H, W)."""
        change = self._generator.synthesize(z.reshape(-1, *self._latent_shape)) - self._reconstructions[rows]
        return (self._images[rows] + change).clamp(0, 1)  # this order of sums gives I exactly at z0

    def change(self, made: Tensor, rows: Tensor) -> Tensor:
        """I_z - I, (n, C, H, W), of composite images of the images `rows` (n,)."""
        return made - self._images[rows]

    def generated(self, z: Tensor) -> Tensor:
        """(N, k) latents of all images to the generator's own G(z0) and G(z), (N, 2, C, H, W)."""
        after = in_batches(self._generator.synthesize, z.reshape(-1, *self._latent_shape), self._together, "drawing")
        return torch.stack([self._reconstructions, after], 1)

    def path(self, z: Tensor) -> Tensor:
        """(N, T, k) latents of all images to (N, T, C, H, W)."""
        rows = torch.arange(len(z), device=z.device).repeat_interleave(z.shape[1])  # (N T,), image by image
        flat, every = z.flatten(0, 1), torch.arange(len(rows), device=z.device)
        with torch.inference_mode():
            images = in_batches(lambda part: self(flat[part], rows[part]), every, self._together, "drawing")
        return images.reshape(*z.shape[:2], *images.shape[1:])


def equation_2(logits: Tensor, pair: Tensor, epsilon: float | None, margin: float = 0.0) -> dict[str, Values]:
    """The constraints by family, in nats: h = 0 and g <= 0.

    Args:
        logits: (n, K).
        pair: (2, n), the classes y and y'.
        epsilon: margin of the third classes; None leaves their families out.
        margin: m, lead of the probe; beyond the boundary third classes are compared with the probe alone.
    """
    of_predicted, of_probe = (logits.gather(1, classes[:, None]) for classes in pair)  # (n, 1)
    none = logits[:, :0]  # (n, 0)
    gap = of_predicted - of_probe
    if margin:  # llh(y) - llh(y') + m <= 0; no class leads itself
        lead = margin * (pair[0] != pair[1])[:, None]
        families = {f"probe leads by {margin:g} nats": Values(none, gap + lead)}
    else:
        families = {"predicted = probe": Values(gap, none)}  # llh(y) - llh(y') = 0
    if epsilon is not None:
        in_pair = (torch.arange(logits.shape[1], device=logits.device) == pair[..., None]).any(0)  # (n, K)
        for name, of_class in (("predicted", of_predicted), ("probe", of_probe))[bool(margin) :]:
            g = logits - of_class + epsilon  # llh(y'') - llh(y) + epsilon <= 0, (n, K)
            families[f"no third class above {name}"] = Values(none, torch.where(in_pair, -1.0, g))  # -1: satisfied
    return families


def check_classes(other: Classifier, classifier: Classifier, slot: str) -> None:
    """Raises a UserError where a classifier of the ensemble has other classes than the explained one."""
    if other.class_names != classifier.class_names:
        raise UserError(
            f"the {slot} has the classes {', '.join(other.class_names)}, "
            f"the explained one {', '.join(classifier.class_names)}",
            "train both on data with the same classes",
        )


def path_steps(last: int, count: int) -> tuple[int, ...]:
    """At most `count` steps from 0 to `last`, closer together at the start, where a search moves most.

    They are the same for every search, so that paths of different images can be laid side by side.
    """
    later = np.geomspace(1, last, count - 1).round().astype(int) if count > 2 else [last]
    return (0, *sorted({int(step) for step in later}))
