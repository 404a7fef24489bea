from sidelight_specs import ExplainerDescriptor, Need, hookimpl, param, params


@params
class OcclusionParams:
    """Options of `occlusion`."""

    patch: int = param(4, "Side of the grey square.", unit="pixels", minimum=1, maximum=512)


@hookimpl
def sidelight_explainers():
    yield ExplainerDescriptor(
        name="occlusion",
        summary="How far the logit drops when a grey square covers each place.",
        params=OcclusionParams,
        factory="acme_occlusion.explain:Occlusion",
        needs=(Need("classifier"),),
        gives="heatmap",
        answers="predicted",
        example={"patch": 8},
        paper="Zeiler and Fergus 2014, section 4.2",
        limits=("Of two parts either of which is enough, neither is found: one place is covered at a time.",),
    )
