// @ts-check
/** One image, its reconstruction, and the reconstruction with one attribute after the other changed, strongest first. */
import "./flicker.js";
import "./probabilities.js";
import { h } from "./elements.js";
import { register } from "./kinds.js";
import { format, percent, signed } from "./numbers.js";

/** @typedef {import("./document.js").Card} Card */
/** @typedef {import("./document.js").Judged} Judged */
/** @typedef {import("./document.js").ImageChange} ImageChange */
/** @typedef {import("./document.js").ImageAttributesEntry} Entry */

register("image-attributes", {
  tile: (entry, card, report) => ({ body: imageAttributes(entry, card, report.task === "regression"), span: 0, note: `attributes ${entry.side}, each changed alone` }),
  map: first,
  legend: "Framed pictures are changed: point at one, or press it, to compare.",
});

/** The strongest change of one image; null without any. @param {Entry} entry @param {Card} card */
function first(entry, card) {
  const [change] = entry.changes;
  if (!change) return null;
  const probe = card.classes.findLastIndex(({ part }) => part !== "other");
  const corner = (/** @type {(number | null)[]} */ scores) => percent(scores[Math.min(probe, scores.length - 1)]);
  const flicker = h("sl-flicker");
  flicker.data = { before: entry.reconstruction.picture, after: change.picture, names: [corner(entry.reconstruction.scores), corner(change.scores)], label: change.name, bare: true };
  return h("div", { class: "moved" }, flicker);
}

/** @param {Entry} entry @param {Card} card @param {boolean} regression */
function imageAttributes(entry, card, regression) {
  const sides = card.classes.filter(({ part }) => part !== "other");
  const probe = sides.at(-1)?.name ?? "";
  const scored = (/** @type {(number | null)[]} */ scores) => {
    const bars = h("sl-probabilities");
    bars.data = { classes: sides, before: scores, after: null, regression };
    return bars;
  };
  const corner = (/** @type {(number | null)[]} */ scores) => (regression ? format : percent)(scores[sides.length - 1]);
  const original = { picture: card.picture, scores: sides.map((side) => card.scores[card.classes.indexOf(side)] ?? null), says: "" };
  const against = entry.alone ? "input" : "reconstruction";
  const kept = "Changes are added to the input, so that it keeps details that the generator does not draw.";
  return [
    h("p", { class: "note" }, entry.changes.length ? `In the corners: how likely “${probe}” is. Point at a framed picture, or press it, to compare it with the ${against}.${entry.alone ? ` ${kept}` : ""}` : "Nothing was changed on this image that moves the classifier."),
    h("ol", { class: "alone" }, still("Original", original, corner, scored),
      entry.alone ? h("li", {}, framed("The generator's own", entry.alone), h("h4", {}, "The generator's own")) : still("Reconstruction", entry.reconstruction, corner, scored),
      ...(isLine(entry.changes) ? [along(entry, corner, scored)] : entry.changes.map((change) => changed(change, entry.reconstruction, corner, scored)))),
  ];
}

const STRENGTH = /\s*[+\u2212-]?\d+(\.\d+)? ?%$/; // at the end of a name: one of several shifts along one line

/** True for several shifts along one line, which their names say: `smiling +33%`, `smiling +100%`. @param {ImageChange[]} changes */
function isLine(changes) {
  return changes.length > 1 && changes.every(({ name }) => STRENGTH.test(name)) && new Set(changes.map(({ name }) => name.replace(STRENGTH, ""))).size === 1;
}

/**
 * The shifts along one line as one picture with a slider, at first the strongest.
 * @param {Entry} entry
 * @param {(scores: (number | null)[]) => string} corner @param {(scores: (number | null)[]) => Node} scored
 */
function along({ changes, reconstruction }, corner, scored) {
  const amount = ({ name = "" }) => parseFloat((STRENGTH.exec(name)?.[0] ?? "").trim().replace("\u2212", "-"));
  const order = [...changes].sort((a, b) => amount(a) - amount(b));
  const slider = h("input", { type: "range", min: 0, max: order.length - 1, value: order.length - 1, "aria-label": `Shift along ${order[0]?.name.replace(STRENGTH, "")}` });
  const item = h("li", { class: "moved" });
  const control = h("label", { class: "strength" }, slider);
  const show = () => {
    const change = order[Number(slider.value)];
    if (!change) return;
    slider.setAttribute("aria-valuetext", change.name);
    const [picture, title, ...rest] = changed(change, reconstruction, corner, scored).childNodes;
    const kept = control.parentNode === item ? [...item.childNodes].filter((node) => node !== control) : [];
    for (const node of kept) node.remove();
    if (control.parentNode !== item) item.append(control);
    item.prepend(...[picture, title].filter((node) => node !== undefined));
    item.append(...rest);
  };
  slider.oninput = show;
  show();
  return item;
}

/**
 * @param {string} name @param {Judged} judged
 * @param {(scores: (number | null)[]) => string} corner @param {(scores: (number | null)[]) => Node} scored
 */
function still(name, { picture, scores }, corner, scored) {
  const frame = framed(name, picture, h("span", { class: "tag", "aria-hidden": "true" }, corner(scores)));
  return h("li", {}, frame, h("h4", {}, name), scored(scores));
}

/** @param {string} name @param {import("./document.js").Picture} picture @param {Node[]} inside */
function framed(name, { src, width, height, crisp }, ...inside) {
  const frame = h("div", { class: crisp ? "frame crisp" : "frame" }, h("img", { src, width, height, alt: name }), ...inside);
  frame.style.aspectRatio = `${width} / ${height}`;
  return frame;
}

/**
 * @param {ImageChange} change @param {Judged} before
 * @param {(scores: (number | null)[]) => string} corner @param {(scores: (number | null)[]) => Node} scored
 */
function changed(change, before, corner, scored) {
  const flicker = h("sl-flicker");
  flicker.data = { before: before.picture, after: change.picture, names: [corner(before.scores), corner(change.scores)], label: change.name, bare: true };
  return h("li", { class: "moved" }, flicker, h("h4", {}, change.name),
    h("p", { class: "facts" }, change.how, h("br"), h("b", {}, signed(change.effect)), ` logits of “${change.target}”`), scored(change.scores),
    change.says !== before.says && h("p", { class: "turned" }, `now “${change.says}”`), change.flagged && h("p", { class: "alert" }, `Not plausible: ${change.flagged}`));
}
