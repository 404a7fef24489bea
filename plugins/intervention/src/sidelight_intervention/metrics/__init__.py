"""Tables 1 and 2 and figures 4 to 6 of the paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import UserError

if TYPE_CHECKING:
    from sidelight_specs.results import Split
    from sidelight_specs.roles import Data

    from sidelight_intervention.params import ConceptFactorsParams, LayerFidelityParams, SharedInformationParams


def measured_split(data: Data, params: LayerFidelityParams | SharedInformationParams | ConceptFactorsParams) -> Split:
    """The images that a metric of a whole data set measures."""
    return data.split(params.split).read(count=params.images)


def select_factors(metric: str, wanted: tuple[str, ...], available: tuple[str, ...]) -> tuple[str, ...]:
    """The wanted factors, or all where none is named. Raises a UserError for a factor that the data does not have."""
    if unknown := [name for name in wanted if name not in available]:
        raise UserError(f"{metric}: no factor {', '.join(unknown)}", f"name some of {', '.join(available)}")
    return wanted or available
