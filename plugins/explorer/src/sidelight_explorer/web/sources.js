// @ts-check
/** Sources of styles and images: random draws, the data, uploads; and shuffles. */
import { WHY } from "./disk.js";
import { button, choice, field, fill, h } from "./dom.js";
import { addImages, addStyles, setStyles, shuffle } from "./edits.js";
import { follow } from "./progress.js";
import { stream } from "./random.js";
import { drawId, groupsOf } from "./spec.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Style} Style */
/** @typedef {import("./types.js").Job} Job */

/** @param {App} app */
export function sources(app) {
  const live = app.backend.live;
  const work = h("ul", { class: "jobs", "aria-label": "Under way", "aria-live": "polite" });
  const into = choice([["styles", "rows of the matrix"], ["images", "images"], ["both", "both"]], "both", () => {});
  /** @param {Style[]} styles */
  const add = (styles) => app.edit((doc) => {
    const rows = into.value === "images" ? doc : addStyles(doc, styles);
    return into.value === "styles" ? rows : addImages(rows, styles);
  });
  const space = spaces(app);
  const element = h("section", { class: "panel sources-panel", "aria-label": "Styles" }, h("header", {}, h("h2", {}, "More styles")),
    h("p", { class: "note" }, live ? "" : `New styles: ${WHY}.`), h("fieldset", { disabled: !live }, field("new ones become", into),
      draws(app, add), uploads(app, add, work, space.value), space.element, data(app, add, work, space.value)), shuffles(app), work);
  return { element, show: () => {} };
}

/** @param {string} label @param {number} value @param {number} min @param {number} max */
function count(label, value, min, max) {
  const input = h("input", { type: "number", min, max, value });
  const read = () => Math.min(max, Math.max(min, Math.round(Number(input.value)) || 0));
  return { element: field(label, input), read, write: (/** @type {number} */ next) => { input.value = String(next); } };
}

const EACH = "each";

/** The choice of the class that is drawn, of a class-conditional generator. @param {App} app */
function conditions(app) {
  const known = app.facts.conditions ?? [];
  const options = known.map((name, index) => /** @type {[string, string]} */ ([String(index), name]));
  const pick = choice([["", "any"], [EACH, "each, of the same noise"], ...options], "", () => {}, { title: "The class that the generator draws" });
  /** Indices of the classes to draw; `undefined` stands for any. @returns {(number | undefined)[]} */
  const read = () => (!known.length || pick.value === "" ? [undefined] : pick.value === EACH ? known.map((_, index) => index) : [Number(pick.value)]);
  return { element: known.length > 0 && field("drawn class", pick), read, name: (/** @type {number | undefined} */ index) => known[index ?? -1] ?? "" };
}

/** Random draws, whole or reaching towards one end of the scores. @param {App} app @param {(styles: Style[]) => void} add */
function draws(app, add) {
  const [number, seed, truncation] = [count("draws", 4, 1, 50), count("seed", 1, 0, (app.facts.draws?.seeds ?? 2 ** 31) - 1), count("truncation %", 100, 0, 200)];
  const classes = conditions(app);
  const next = () => seed.write((seed.read() + 1) % (app.facts.draws?.seeds ?? 2 ** 31));
  /** @param {string} kind @param {number} index @param {number} [condition] */
  const name = (kind, index, condition) => `${kind} ${seed.read()}.${index + 1} ${classes.name(condition)}`.trim();
  const drawn = () => Array.from({ length: number.read() }, (_, index) => classes.read().map((condition) =>
    ({ id: drawId(seed.read(), index, truncation.read(), condition), name: name("draw", index, condition) }))).flat();
  /** @param {boolean} high */
  const reach = async (high) => {
    const read = classes.read();
    const condition = read.length === 1 ? read[0] : undefined;
    const wish = { classifier: app.classifier.id, target: app.view.target, high, seed: seed.read(), count: number.read(), pool: 120, percent: truncation.read(), condition: condition ?? null };
    const names = Array.from({ length: wish.count }, (_, index) => name(high ? "high" : "low", index, condition));
    const ids = await app.tell(app.backend.reach(wish));
    if (ids) add(ids.map((id, index) => ({ id, name: names[index] ?? id })));
    next();
  };
  return h("fieldset", {}, h("legend", {}, "Random draws"), classes.element, number.element, seed.element, truncation.element,
    button("Draw", () => { add(drawn()); next(); }), button("Replace rows", () => { app.edit((doc) => setStyles(doc, drawn())); next(); }),
    button("Draw towards high scores", () => void reach(true)), button("Draw towards low scores", () => void reach(false)));
}

const SPACES = /** @type {Record<string, string>} */ ({ w: "w, one for all layers", "w+": "w+, one for each" });

/** The choice of the space that images are inverted into, where the inverter has more than one. @param {App} app */
function spaces(app) {
  const known = app.facts.spaces ?? [];
  const pick = choice(known.map((name) => [name, SPACES[name] ?? name]), known[0] ?? "", () => {}, { title: "w keeps an image as editable as a random draw; w+ is closer to it" });
  return { element: known.length ? field("invert into", pick) : h("span", {}), value: () => (known.length ? pick.value : "") };
}

/** @param {App} app @param {(styles: Style[]) => void} add @param {Element} work @param {() => string} space */
function uploads(app, add, work, space) {
  const input = h("input", { type: "file", accept: "image/png,image/jpeg,image/webp", multiple: true, "aria-label": "Images to upload" });
  input.addEventListener("change", async () => {
    const files = [...(input.files ?? [])];
    input.value = "";
    await Promise.all(files.map((file) => inverted(app, work, file.name, add, (notify) => app.backend.upload(file, space(), notify))));
  });
  return h("fieldset", { disabled: !app.facts.inverts, title: app.facts.inverts ? "" : app.facts.why?.encode ?? "The recipe has no inverter" },
    h("legend", {}, "Your images"), input, h("span", { class: "note" }, "PNG, JPEG or WebP; cut square, then inverted here"));
}

/** @param {App} app @param {(styles: Style[]) => void} add @param {Element} work @param {() => string} space */
function data(app, add, work, space) {
  if (!app.facts.splits.length) return h("span", {});
  const split = choice(app.facts.splits.map((name) => [name, name]), app.facts.splits.includes("test") ? "test" : app.facts.splits[0] ?? "", () => {}, { "aria-label": "Split" });
  const [first, number] = [count("from image", 0, 0, 10000000), count("images", 1, 1, 16)];
  const run = button("Invert", () => {
    const start = first.read();
    for (let index = start; index < start + number.read(); index++) {
      void inverted(app, work, `${split.value} ${index}`, add, (notify) => app.backend.data(split.value, index, space(), notify));
    }
    first.write(start + number.read());
  });
  return h("fieldset", { disabled: !app.facts.inverts }, h("legend", {}, "Images of the data"), field("split", split), first.element, number.element, run);
}

/**
 * @param {App} app
 * @param {Element} work
 * @param {string} name
 * @param {(styles: Style[]) => void} add
 * @param {(notify: (job: Job) => void) => Promise<Job>} start
 */
async function inverted(app, work, name, add, start) {
  const line = follow(app, work, `inverting ${name}`);
  const job = await app.tell(start(line.notify));
  line.end();
  const style = job?.result?.style;
  if (typeof style === "string") add([{ id: style, name: name.replace(/\.\w+$/, "").slice(0, 40) }]);
}

/** @param {App} app */
function shuffles(app) {
  const seed = count("seed", 1, 0, 2147483647);
  const group = h("select", { "aria-label": "Groups to shuffle" });
  const refill = () => fill(group, h("option", { value: "" }, "all groups"), ...groupsOf(app.facts.layers, app.doc.groups).map((_, index) => h("option", { value: index }, `group ${index + 1}`)));
  group.addEventListener("focus", refill);
  refill();
  /** @param {string[]} ids */
  const mix = (ids) => {
    const groups = groupsOf(app.facts.layers, app.doc.groups).filter((_, index) => group.value === "" || Number(group.value) === index);
    const random = stream(seed.read());
    app.edit((doc) => shuffle(doc, ids, groups, random));
    seed.write(seed.read() + 1);
  };
  return h("fieldset", { disabled: !app.backend.live, title: app.backend.live ? "" : WHY }, h("legend", {}, "Shuffle"), seed.element, field("in", group),
    button("This image", () => mix([app.view.selected])), button("All images", () => mix(app.doc.images.map(({ id }) => id))));
}
