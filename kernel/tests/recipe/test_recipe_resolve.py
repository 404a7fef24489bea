"""Wiring by role and capability, before anything is loaded."""

from __future__ import annotations

import pytest

TWO_GENERATORS = "generator: {vae: {use: gans/vae}, gan: {use: gans/style}}\n"


def wired(recipe, id):
    """Slot to the id of what fills it."""
    component = next(component for component in recipe.components if component.id == id)
    return {slot: other.id if other else None for slot, other in component.needs.items()}


def test_a_need_is_filled_by_the_only_component_of_its_role(load, working):
    recipe = load(
        working + "generator: {use: gans/vae}\ninverter: {use: gans/encoder}\nexplainers: {c: {use: gans/contrast}}\n"
    )
    assert wired(recipe, "c") == {"classifier": "classifier", "generator": "generator", "inverter": "inverter"}
    assert recipe.of_role("explainer")[0].needs["classifier"] is recipe.classifier


def test_an_optional_need_may_stay_empty(load, working):
    text = working + "generator: {use: gans/vae}\nexplainers: {c: {use: gans/contrast}}\n"
    assert wired(load(text), "c")["inverter"] is None
    silenced = text.replace("contrast}", "contrast, needs: {inverter: null}}") + "inverter: {use: gans/encoder}\n"
    assert wired(load(silenced), "c")["inverter"] is None


def test_components_come_after_what_they_need(load, working):
    lines = (working + "explainers: {w: {use: shop/gradient}}\n").splitlines()
    recipe = load("\n".join(reversed(lines)))
    assert [component.id for component in recipe.components] == ["data", "classifier", "w"]
    wrapped = load(working + "explainers: {w: {use: gans/wrapped, needs: {inner: g}}, g: {use: shop/gradient}}\n")
    assert [component.id for component in wrapped.components] == ["data", "classifier", "g", "w"]
    assert list(wrapped.plain["explainers"]) == ["w", "g"]


def test_an_explainer_can_need_another_by_the_kind_that_it_gives(load, mistake, working):
    wrapped = working + "explainers: {w: {use: gans/wrapped}, g: {use: shop/gradient}}\n"
    assert wired(load(wrapped), "w") == {"inner": "g"}
    alone = mistake(working + "explainers: {w: {use: gans/wrapped}}\n")
    assert "gans/wrapped needs an explainer with heatmap; the recipe has none" in alone
    assert "hint: installed: shop/gradient, shop/occlusion" in alone
    other = mistake(wrapped.replace("shop/gradient", "gans/contrast") + "generator: {use: gans/vae}\n")
    assert "gans/wrapped needs an explainer with heatmap; gans/contrast provides counterfactual" in other
    two = wrapped.replace("gans/wrapped}", "gans/wrapped}, o: {use: shop/occlusion}")
    assert "needs an explainer, and the recipe has several: o, g" in mistake(two)
    assert wired(load(two.replace("gans/wrapped}", "gans/wrapped, needs: {inner: g}}")), "w") == {"inner": "g"}


def test_a_trainable_component_learns_from_the_data(load, working):
    recipe = load(working)
    assert recipe.classifier.trained_on is recipe.data
    assert recipe.data.trained_on is None
    assert "data" not in recipe.classifier.needs
    two = (
        working.replace("{use: shop/digits}", "{a: {use: shop/digits}, b: {use: shop/digits}}") + "explain: {data: a}\n"
    )
    named = load(two.replace("{use: shop/lenet}", "{use: shop/lenet, needs: {data: b}}"))
    assert (named.classifier.trained_on.id, named.data.id) == ("b", "a")


def test_capabilities_may_depend_on_parameters(load, mistake, working):
    text = working.replace("shop/lenet", "shop/file, with: {file: m.pt, differentiable: true}")
    assert load(text + "explainers: {use: shop/gradient}\n").of_role("explainer")
    without = text.replace("differentiable: true", "differentiable: false")
    found = mistake(without + "explainers: {use: shop/gradient}\n")
    assert "shop/gradient needs a classifier with differentiable; shop/file provides no capabilities" in found


def test_where_two_could_the_user_names_one(load, mistake, working):
    silent = working + TWO_GENERATORS + "explainers: {c: {use: gans/contrast}}\n"
    assert mistake(silent) == (
        "recipe.yaml:7:23: gans/contrast needs a generator, and the recipe has several: vae, gan\n"
        "    explainers: {c: {use: gans/contrast}}\n" + " " * 26 + "^\n"
        "  expected: needs: {generator: ID}, naming one of them"
    )
    assert wired(load(silent.replace("contrast}", "contrast, needs: {generator: gan}}")), "c")["generator"] == "gan"


def test_the_only_one_of_two_that_could_is_suggested_not_taken(mistake, working):
    found = mistake(working + TWO_GENERATORS + "attribute_finders: {use: gans/attfind}\n")
    assert 'hint: only "gan" provides latent.style' in found


def test_a_missing_need_says_which_section_and_what_is_installed(mistake, working):
    assert mistake(working + "attribute_finders: {use: gans/attfind}\n") == (
        "recipe.yaml:6:26: gans/attfind needs a generator with latent.style; the recipe has none\n"
        "    attribute_finders: {use: gans/attfind}\n" + " " * 29 + "^\n"
        '  expected: a section "generator"\n'
        "  hint: installed: gans/style"
    )


def test_capabilities_are_matched(mistake, working):
    assert mistake(working + "generator: {use: gans/vae}\nattribute_finders: {use: gans/attfind}\n") == (
        "recipe.yaml:7:26: gans/attfind needs a generator with latent.style; gans/vae provides latent.z\n"
        "    attribute_finders: {use: gans/attfind}\n" + " " * 29 + "^\n"
        "  expected: latent.style: `styles` and `synthesize_styles` expose the style space\n"
        "  hint: installed: gans/style"
    )


@pytest.mark.parametrize(
    ("needs", "message", "note"),
    [
        ("{generator: vea}", 'gans/contrast needs a generator with the id "vea", and the recipe has none', '"vae"?'),
        (
            "{generator: c}",
            'gans/contrast needs a generator with the id "c", and the recipe has none',
            "one of vae, gan",
        ),
        ("{generator: null}", "gans/contrast cannot do without its generator", ""),
        ("{generator: vae, genrator: vae}", 'gans/contrast has no need "genrator"', 'did you mean "generator"?'),
        ("{generator: vae, inverter: x}", 'needs an inverter with the id "x"', 'expected: a section "inverter"'),
    ],
)
def test_wrong_needs(mistake, working, needs, message, note):
    found = mistake(f"{working}{TWO_GENERATORS}explainers: {{c: {{use: gans/contrast, needs: {needs}}}}}\n")
    assert message in found
    assert note in found


def test_trainable_components_need_data(mistake, working):
    assert mistake(working.replace("data: {use: shop/digits}\n", "")) == (
        "recipe.yaml:4:19: shop/lenet is trained, and needs data for it; the recipe has none\n"
        "    classifier: {use: shop/lenet}\n" + " " * 22 + "^\n"
        '  expected: a section "data"\n'
        "  hint: installed: shop/digits"
    )


def test_a_recipe_explains_a_classifier_on_data(mistake, mistakes, working):
    assert "the recipe has no classifier" in mistake(working.replace("classifier: {use: shop/lenet}\n", ""))
    assert len(mistakes("recipe: 1\n")) == 2


def test_the_questions_are_about_one_classifier(load, mistake, working):
    text = working.replace("classifier: {use: shop/lenet}", "classifier: {a: {use: shop/lenet}, b: {use: shop/lenet}}")
    found = mistake(text)
    assert "the recipe has several classifiers and does not say which one its questions are about: a, b" in found
    assert "expected: explain: {classifier: ID}, naming one of them" in found
    assert load(text + "explain: {classifier: b}\n").classifier.id == "b"


def test_the_classifier_called_so_is_meant_where_none_is_named(load, mistake, working):
    both = "classifier: {judge: {use: shop/lenet}, classifier: {use: shop/lenet}}"
    text = working.replace("classifier: {use: shop/lenet}", both) + "explainers: {w: {use: shop/gradient}}\n"
    recipe = load(text)
    assert recipe.classifier.id == "classifier"
    assert wired(recipe, "w") == {"classifier": "classifier"}
    assert load(text + "explain: {classifier: judge}\n").classifier.id == "judge"
    file = {"swap": ["classifier=shop/file"], "set": ["classifier.classifier.with.file=recipe.yaml"]}
    assert load(text.replace("explainers: {w: {use: shop/gradient}}", ""), **file).classifier.use == "shop/file"
    named = load(text.replace("gradient}", "gradient, needs: {classifier: judge}}"))
    assert wired(named, "w") == {"classifier": "judge"}


def test_a_need_that_has_to_be_named_stays_empty_unless_it_is(load, mistake, working):
    text = working + "explainers: {w: {use: shop/joint}}\n"
    assert wired(load(text), "w") == {"classifier": "classifier", "other": None}
    both = "classifier: {judge: {use: shop/lenet}, classifier: {use: shop/lenet}}"
    named = text.replace("classifier: {use: shop/lenet}", both).replace("joint}", "joint, needs: {other: judge}}")
    assert wired(load(named), "w") == {"classifier": "classifier", "other": "judge"}


def test_circles(mistake, working):
    found = mistake(
        working + "explainers: {a: {use: gans/wrapped, needs: {inner: b}}, b: {use: gans/wrapped, needs: {inner: a}}}\n"
    )
    assert "components need one another in a circle: explainer a -> explainer b -> explainer a" in found


def test_a_component_does_not_fill_its_own_need(mistake, working):
    assert "gans/wrapped needs an explainer with heatmap; the recipe has none" in mistake(
        working + "explainers: {use: gans/wrapped}\n"
    )


def test_a_metric_measures_some_explanation(load, mistake, working):
    heat = working + "explainers: {use: shop/gradient}\n"
    assert load(heat + "metrics: {use: shop/deletion}\n").of_role("metric")
    found = mistake(heat + "metrics: {use: shop/flips}\n")
    assert "shop/flips has nothing to measure: it accepts counterfactual, the recipe gives heatmap" in found
    assert "the recipe gives no explanation" in mistake(working + "metrics: {use: shop/flips}\n")


def test_one_inverter_inverts_the_explained_images(mistake, load, working):
    text = working + "generator: {use: gans/vae}\ninverter: {a: {use: gans/encoder}, b: {use: gans/encoder}}\n"
    assert "the recipe has several inverters: a, b" in mistake(text)
    assert len(load(text.replace(" b: ", " inverter: ")).of_role("inverter")) == 2


def test_one_latent_space(mistake, load, working):
    text = working + (
        "generator: {a: {use: gans/vae}, b: {use: gans/vae}}\ninverter: {use: gans/encoder, needs: {generator: a}}\n"
        "explainers: {c: {use: gans/contrast, needs: {generator: b}}}\n"
    )
    assert 'gets the generator "b", but its inverter uses the latents of "a"' in mistake(text)
    assert load(text.replace("generator: b}", "generator: a}"))


def test_a_generator_that_draws_with_another_has_latents_of_its_own(load, working):
    text = working + (
        "generator: {a: {use: gans/vae}, b: {use: gans/steered, needs: {generator: a}}}\n"
        "explainers: {c: {use: gans/contrast, needs: {generator: b}}}\n"
    )
    (explainer,) = load(text).of_role("explainer")
    assert explainer.needed("generator").id == "b"


def test_three_ways_to_be_unavailable(mistakes, working):
    found = mistakes(working + "explainers: {a: {use: shop/none}, b: {use: shop/torn}, c: {use: shop/banned}}\n")
    assert [text.splitlines()[0].split(": ", 1)[1] for text in found] == [
        'no explainer "shop/none" is installed',
        '"shop/torn" is installed (sidelight-shop 1.0) but broken: no torch',
        '"shop/banned" is blocked by the policy: deny shop/banned',
    ]


def test_one_mistake_does_not_bring_others_along(mistake, working):
    needing = "explainers: {c: {use: gans/contrast}}\nmetrics: {use: shop/flips}\n"
    assert "is installed" in mistake(working + "generator: {use: gans/vea}\n" + needing)
    assert "is 0" in mistake(working + "generator: {use: gans/vae, with: {latent: 0}}\n" + needing)
    assert "does not say which component" in mistake(working + "generator: {with: {}}\n" + needing)
    assert "generator is 3" in mistake(working + "generator: 3\n" + needing)
    assert "tag" in mistake(working + "generator: !x {use: gans/vae}\n" + needing)
    assert "no explainer" in mistake(working + "explainers: {c: {use: gans/kontrast}}\nmetrics: {use: shop/flips}\n")


def test_a_plugin_that_fails_when_asked_is_named(mistake, working, catalog, monkeypatch):
    def fails(self, params):
        raise RuntimeError("no driver")

    monkeypatch.setattr(type(catalog.found["shop/file", "classifier"]), "provided_by", fails)
    found = mistake(working.replace("shop/lenet", "shop/file, with: {file: x}"))
    assert "shop/file cannot tell its capabilities with these parameters: no driver" in found


def test_the_title_is_kept_as_it_was_written(load, working):
    titled = load(working + 'title: "Is it the $${lips}?"\n')
    assert load(titled.plain).plain["title"] == titled.plain["title"] == "Is it the $${lips}?"
    assert "title" not in load(working).plain
