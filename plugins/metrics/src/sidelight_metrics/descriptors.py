"""Descriptors that check splits, regions, factors and baselines before a run. This module imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs import MetricDescriptor
from sidelight_specs.facts import Mistake, unknown_names, unknown_split
from sidelight_toolkit.lpips_weights import lpips_mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.facts import DataFacts, Given


@frozen(kw_only=True)
class DataMetricDescriptor(MetricDescriptor):
    """Describes a metric that takes images from a split of its data.

    Args:
        whole_count: refuses a split with fewer images than its parameter `count`.
    """

    whole_count: bool = False

    def misfits(self, params: Any, given: Given) -> Iterator[Mistake]:
        """A split, a mask or a factor that the data does not have; a split with too few images."""
        data = given.data()
        yield from unknown_split(data, params.split)
        yield from self._too_few(params, data)
        masks = (data.masks or {}).get(params.split)
        if hasattr(params, "region") and masks is not None and params.region not in masks:
            known = ", ".join(masks) or "none"
            message = f'the images of the split "{params.split}" have no mask "{params.region}"; known are {known}'
            yield Mistake(message, "set `split` and `region`, or name other data in needs: {data: ID}", "region")
        if masks is not None:
            yield from unknown_names("the data has no mask", getattr(params, "regions", {}).values(), masks, "regions")
        # `factors` are names of true factors, but multiples of a shift in `sufficiency`
        factors = [name for name in getattr(params, "factors", ()) if isinstance(name, str)]
        yield from unknown_names("the data has no factor", factors, data.factors, "factors")

    def _too_few(self, params: Any, data: DataFacts) -> Iterator[Mistake]:
        size = (data.splits or {}).get(params.split)
        if self.whole_count and size is not None and size < params.count:
            message = f'the split "{params.split}" has {size} images and count is {params.count}'
            yield Mistake(message, "lower `count`, or make the split larger", "count")


@frozen(kw_only=True)
class FidelityDiversityDescriptor(DataMetricDescriptor):
    """Describes a metric of k nearest neighbours in a split."""

    def misfits(self, params: Any, given: Given) -> Iterator[Mistake]:
        """A split with too few images for k neighbours, beside the mistakes of every split."""
        yield from super().misfits(params, given)
        count = min(params.count, (given.data().splits or {}).get(params.split) or params.count)
        if count < params.nearest + 2:
            message = f'split "{params.split}" gives {count} images, {params.nearest} nearest neighbours take more'
            yield Mistake(message, f"give at least {params.nearest + 2} images, or lower nearest", "nearest")


@frozen(kw_only=True)
class JudgedDescriptor(MetricDescriptor):
    """Describes a metric whose classifier may be another one than the explained."""

    def misfits(self, params: Any, given: Given) -> Iterator[Mistake]:
        """A judge with other classes, whose answers would be read as those of the explained classifier's."""
        del params
        judge, explained = given.classifier_of().classes, given.classifier.classes
        if judge and explained and judge != explained:
            message = f"the judge knows the classes {', '.join(judge)}, the explained classifier {', '.join(explained)}"
            yield Mistake(message, "name a classifier of the same classes in needs: {classifier: ID}")


@frozen(kw_only=True)
class LpipsDescriptor(MetricDescriptor):
    """Describes LPIPS, whose network may be missing."""

    def mistakes(self, params: Any) -> Iterator[Mistake]:
        """LPIPS without its package or backbone."""
        if params.network == "lpips":
            yield from lpips_mistakes("network")


@frozen(kw_only=True)
class FactorMetricDescriptor(MetricDescriptor):
    """Describes a metric that draws its own images from factors of its data."""

    def misfits(self, params: Any, given: Given) -> Iterator[Mistake]:
        """A factor that the data does not have."""
        yield from unknown_names("the data has no factor", params.factors, given.data().factors, "factors")


@frozen(kw_only=True)
class InsertionDeletionDescriptor(MetricDescriptor):
    """Describes insertion and deletion, a curve over each of several baselines."""

    def mistakes(self, params: Any) -> Iterator[Mistake]:
        """No baseline, or one that is named twice and would count twice in the mean."""
        if not params.baselines or len(set(params.baselines)) < len(params.baselines):
            known = ", ".join(params.baselines) or "none"
            message = f"baselines differ, and there is at least one; named are {known}"
            yield Mistake(message, "name each baseline once", "baselines")
