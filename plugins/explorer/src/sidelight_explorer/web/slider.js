// @ts-check
/** One slider for an attribute: its name, what it does at either end, and what can be made of it. */
import { WHY } from "./disk.js";
import { button, choice, h } from "./dom.js";
import { moveTo, withoutSlider } from "./edits.js";
import { setImage } from "./marks.js";
import { SAVED, amountOf, foundName, idsOf, labelOf, leastOf, movesTo, nameOf, withAmount } from "./names.js";
import { fixed, scoreOf, signed } from "./numbers.js";
import { rename, star } from "./rename.js";
import { plain } from "./spec.js";
import { layersText } from "./words.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./names.js").Line} Line */
/** @typedef {import("./types.js").Slider} Slider */
/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {ReturnType<typeof makeSlider>} SliderPart */

/** From disk a slider goes as far as the page holds pictures: all the way. @param {App} app @param {Line} line @param {(layers: [number, number]) => void} restrict */
export function makeSlider(app, line, restrict) {
  const least = leastOf(line);
  const range = h("input", { type: "range", class: "from-zero", min: least, max: 100, step: app.backend.live ? 1 : 100 });
  const amount = h("output", {});
  /** @param {Item} item @param {number} percent */
  const held = (item, percent) => app.backend.holds(withAmount(item.now, line, percent));
  /** @param {number} percent @param {boolean} sliding */
  const move = (percent, sliding) => {
    const item = app.item;
    if (!item) return;
    if (held(item, percent)) app.edit((doc) => moveTo(doc, item.id, movesTo(line, percent)), sliding ? `move ${item.id} ${line.up.id}` : "");
    else app.say(`This edit ${WHY}.`);
  };
  range.addEventListener("input", () => move(Number(range.value), true));
  range.addEventListener("dblclick", () => move(0, false));
  const [low, high] = [makeEnd(app, line, least, (percent) => move(percent, false)), makeEnd(app, line, 100, (percent) => move(percent, false))];
  const name = rename("the slider", () => nameOf(app, line), (text) => app.label(idsOf(line), { name: text === foundName(line) ? "" : text }));
  const mark = star(() => app.label(idsOf(line), { starred: !labelOf(app, line).starred }));
  const found = h("small", { class: "found" });
  const flags = [line.up.flagged, line.down?.flagged].filter(Boolean);
  const menu = makeMenu(app, line, () => name.edit(), restrict);
  const element = h("div", { class: "attribute", "data-slider": idsOf(line).join(" ") },
    h("div", { class: "attribute-head" }, mark.element, h("span", { class: "naming" }, name.element, found,
      flags.length > 0 && h("small", { class: "flag" }, ` ${[...new Set(flags)].join("; ")}`)), menu.element),
    low.element, h("div", { class: "track" }, range, line.down && ends(line.up, line.down)), high.element, amount);

  let visible = false;
  /** Pictures of its ends, where it is on the screen. @returns {Spec[]} */
  const specs = () => (visible ? [low.spec(), high.spec()].filter((spec) => spec !== undefined) : []);
  const show = () => {
    const item = app.item;
    const value = amountOf(item?.now, line);
    const shown = nameOf(app, line);
    range.value = String(value);
    for (const [end, at] of /** @type {const} */ ([["--low", Math.min(0, value)], ["--high", Math.max(0, value)]])) range.style.setProperty(end, String((at - least) / (100 - least)));
    range.disabled = !item || (!app.backend.live && ![100, 0, -100].some((percent) => percent >= least && percent !== value && held(item, percent)));
    range.title = !item ? "Select an image" : range.disabled ? WHY : "";
    range.setAttribute("aria-label", `${shown}, by ${line.up.finder}`);
    range.setAttribute("aria-valuetext", `${value} percent`);
    amount.textContent = String(value).replace("-", "\u2212");
    found.textContent = [shown === foundName(line) ? "" : foundName(line), aboutOf(line)].filter(Boolean).join(" · ");
    for (const part of [low, high, name, menu]) part.show();
    mark.show(Boolean(labelOf(app, line).starred), shown);
  };
  return { element, specs, show, rename: name.edit, seen: (/** @type {boolean} */ now) => { visible = now; } };
}

/** Where a slider comes from and, where one effect was measured, that. @param {Line} line */
function aboutOf({ up, down }) {
  return up.finder === SAVED ? "saved" : down ? up.finder : `${up.finder} · ${signed(up.effect)}${up.measured ? ` to \u201c${up.measured}\u201d` : ""}`;
}

/** Both effects of a slider that goes both ways. @param {Slider} up @param {Slider} down */
function ends(up, down) {
  /** @param {Slider} slider */
  const text = ({ towards, effect }) => `${towards} ${signed(effect)}`.trim();
  return h("span", { class: "ends" }, h("span", {}, `← ${text(down)}`), h("span", {}, `${text(up)} →`));
}

/**
 * The picture at one end of a slider, of the selected image as it began, and its score. A press goes there.
 * @param {App} app @param {Line} line @param {number} percent @param {(percent: number) => void} move
 */
function makeEnd(app, line, percent, move) {
  const [image, score] = [h("img", { alt: "", class: "crisp" }), h("span", { class: "score" })];
  // by keyboard the slider's own Home and End go there
  const element = h("button", { type: "button", class: "end", tabindex: -1, "aria-hidden": "true", onclick: () => move(percent) }, image, score);
  let last = { item: "", spec: /** @type {Spec | undefined} */ (undefined) };
  /** @returns {Spec | undefined} */
  const spec = () => {
    const item = app.item;
    const bases = item ? [item.start, item.now] : [plain("average", app.facts.layers)];
    const held = bases.map((base) => withAmount(base, line, percent)).find((one) => app.backend.holds(one));
    // a page from disk holds the ends of an image as the session has it, not as it is after another edit
    if (held || last.item !== item?.id) last = { item: item?.id ?? "", spec: held };
    return last.spec;
  };
  const show = () => {
    const shown = spec();
    const picture = shown ? app.pictures.of(shown) : null;
    setImage(image, picture);
    score.textContent = picture ? fixed(scoreOf(picture, app.view)) : "";
    element.title = picture === null ? WHY : `${percent === 0 ? "At 0" : `At ${signed(percent).replace(/\.00$/, "")}`}, of the image as it began`;
  };
  return { element, spec, show };
}

/** Rename, hide, remove, and a slider of some layers only. @param {App} app @param {Line} line @param {() => void} edit @param {(layers: [number, number]) => void} restrict */
function makeMenu(app, line, edit, restrict) {
  const hide = button("", () => app.label(idsOf(line), { hidden: !labelOf(app, line).hidden }));
  const remove = button("Remove", () => app.label(idsOf(line), null, (doc) => withoutSlider(doc, line.up.id)), { hidden: line.up.finder !== SAVED });
  const summary = h("summary", { title: "More" }, "⋯");
  const element = h("details", { class: "more" }, summary, h("div", { class: "menu" }, h("div", { class: "actions" }, button("Rename", edit), hide, remove), inLayers(app, line, restrict)));
  const show = () => {
    const tested = app.doc.notes.some(({ tests }) => tests?.some(({ measure }) => line.up.id in measure.edit.moves));
    remove.disabled = tested;
    remove.title = tested ? "A test of a hypothesis moves it" : "Remove it from the session, and from every image";
    hide.textContent = labelOf(app, line).hidden ? "Show" : "Hide";
    summary.setAttribute("aria-label", `More of ${nameOf(app, line)}`);
  };
  return { element, show };
}

/** @param {App} app @param {Line} line @param {(layers: [number, number]) => void} restrict */
function inLayers(app, line, restrict) {
  const count = app.facts.layers;
  const why = line.up.along !== "w" ? "A coordinate of the style space lies in one layer." : count < 2 ? "The generator has one layer." : app.backend.live ? "" : `Another slider ${WHY}.`;
  if (why) return h("p", { class: "note" }, why);
  const options = Array.from({ length: count }, (_, layer) => /** @type {[string, string]} */ ([String(layer), String(layer + 1)]));
  const [from, to] = [choice(options, "0", () => show(), { "aria-label": "First layer" }), choice(options, String(count - 1), () => show(), { "aria-label": "Last layer" })];
  /** @returns {[number, number]} */
  const range = () => [Number(from.value), Number(to.value) + 1];
  const make = button("", () => restrict(range()));
  const show = () => {
    const [first, end] = range();
    make.textContent = first < end ? `Slider of ${layersText([first, end])}` : "Slider of no layer";
    make.disabled = first >= end || (first === 0 && end === count);
    make.title = first >= end ? "The last layer lies before the first" : make.disabled ? "This slider moves all layers already" : "Another slider, that moves these layers only";
  };
  show();
  return h("div", { class: "field small" }, h("span", {}, "layers"), from, "to", to, make);
}
