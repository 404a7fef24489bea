from sidelight_specs import ExplainerDescriptor, Need, hookimpl, param, params


@params
class RiseParams:
    """Options of `rise`."""

    masks: int = param(400, "Random masks (N).", unit="masks", minimum=1, maximum=100_000)
    cells: int = param(7, "Cells of a mask along each side (h).", unit="cells", minimum=2, maximum=64)
    keep: float = param(0.5, "Share of cells that stay visible (p).", minimum=0.05, maximum=0.95)


@hookimpl
def sidelight_explainers():
    yield ExplainerDescriptor(
        name="rise",
        summary="Mean probability of the predicted class over random masks that show a pixel.",
        params=RiseParams,
        factory="acme_rise.explain:Rise",
        needs=(Need("classifier"),),
        gives="heatmap",
        answers="predicted",
        example={"masks": 16},
        paper="Petsiuk et al. 2018, RISE, equation 6",
        limits=("Other random masks give another map: small differences may be chance (Petsiuk et al. 2018).",),
    )
