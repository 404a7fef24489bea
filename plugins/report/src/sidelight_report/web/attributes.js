// @ts-check
/** Ranked attributes of each class, with images before and after. */
import "./animation.js";
import "./flicker.js";
import { h } from "./elements.js";
import { limitsOf } from "./limits.js";
import { format, percent, signed } from "./numbers.js";
import { count, section } from "./sections.js";

/** @typedef {import("./document.js").Report} Report */
/** @typedef {import("./document.js").Attribute} Attribute */
/** @typedef {import("./document.js").AttributeClass} AttributeClass */
/** @typedef {import("./document.js").Demonstration} Demonstration */

const FEW = 3; // with more classes than these, all but the first unfold
const OPEN = 4; // attributes of a class that show at once; the others unfold

/** @param {Report} report */
export function attributes(report) {
  return report.attributes.map(({ name, summary, paper, limits, drawn, classes }, i) => section(`attributes-${i + 1}`, `Attributes found by ${name}`,
    h("p", { class: "note" }, summary, paper && h("small", {}, ` ${paper}`)), limitsOf(limits),
    Boolean(drawn) && h("p", { class: "note" }, `Measured on ${drawn}. The pictures below are some of these draws, none of them an explained image.`), contents(classes, i), ...classes.map((group, k) => folded(ofClass(group, `attributes-${i + 1}-${k + 1}`), group, classes.length > FEW && k > 0))));
}

/** @param {HTMLElement} panel @param {AttributeClass} group @param {boolean} fold */
function folded(panel, group, fold) {
  return fold ? h("details", { class: "fold" }, h("summary", {}, titled(group)), panel) : panel;
}

/** Links to the classes, if there are several. @param {AttributeClass[]} classes @param {number} i */
function contents(classes, i) {
  if (classes.length < 2) return null;
  return h("ul", { class: "ways" }, ...classes.map((group, k) => h("li", {}, h("a", { href: `#attributes-${i + 1}-${k + 1}` }, titled(group)), ` ${group.count}`)));
}

/** `Towards “smiling”`, or of a value `Raises “age”`. @param {AttributeClass} group */
function titled({ class: name, value, lowers }) {
  return `${value ? (lowers ? "Lowers" : "Raises") : "Towards"} “${name}”`;
}

/** @param {AttributeClass} group @param {string} id */
function ofClass(group, id) {
  const { class: name, attributes: ranked, count: total, unexplained } = group;
  const largest = Math.max(...ranked.map(({ effect }) => Math.abs(effect ?? 0)), 1e-12);
  const rows = ranked.map((attribute, i) => row(attribute, i + 1, group, largest));
  const shown = ranked.some(({ directions, strengths }) => directions.length || strengths?.some((one) => one.directions.length));
  const less = h("details", { class: "weaker" }, h("summary", {}, `${count(rows.length - OPEN, "further attribute")}`), h("ol", { class: "attributes", start: OPEN + 1 }, ...rows.slice(OPEN)));
  return h("section", { class: "towards", id, "aria-labelledby": `${id}-title` }, h("h3", { id: `${id}-title` }, titled(group)),
    unexplained !== null && h("p", { class: "note" }, explanation(ranked, unexplained, group)),
    group.recall && h("p", { class: "note" }, certified(group.recall)),
    h("p", { class: "note" }, shown ? `In the corners: ${group.value ? `“${name}”` : `how likely “${name}” is`}, before and after this attribute alone was changed. Point at a framed picture, or press it, to compare it with the original.` : "No example images were kept."),
    h("ol", { class: "attributes" }, ...rows.slice(0, OPEN)), rows.length > OPEN && less,
    total > ranked.length && h("p", { class: "note" }, `${count(total - ranked.length, "further attribute")} not shown.`));
}

/** @param {Attribute} attribute @param {number} rank @param {AttributeClass} group @param {number} largest */
function row(attribute, rank, group, largest) {
  const item = h("li", { class: "attribute" });
  const { strengths, at = 0 } = attribute;
  if (!strengths) {
    fill(item, attribute, rank, group, largest, null);
    return item;
  }
  const slider = h("input", { type: "range", min: 0, max: strengths.length - 1, value: at, "aria-label": `Shift along ${attribute.name}` });
  const told = h("output", {});
  const control = h("label", { class: "strength" }, h("span", {}, "Shift"), slider, told);
  const show = () => {
    const chosen = strengths[Number(slider.value)] ?? attribute;
    told.textContent = chosen.name.startsWith(attribute.name) ? chosen.name.slice(attribute.name.length).trim() : chosen.name;
    slider.setAttribute("aria-valuetext", chosen.name);
    const focused = document.activeElement === slider;
    fill(item, { ...chosen, name: attribute.name }, rank, group, largest, control);
    if (focused) slider.focus();
  };
  slider.oninput = show;
  show();
  return item;
}

/** @param {HTMLElement} item @param {Attribute} attribute @param {number} rank @param {AttributeClass} group @param {number} largest @param {Node | null} control */
function fill(item, attribute, rank, group, largest, control) {
  const bar = h("span", { class: `fill${(attribute.effect ?? 0) < 0 ? " less" : ""}` });
  bar.style.width = `${(100 * Math.abs(attribute.effect ?? 0)) / largest}%`;
  const header = h("header", {}, h("span", { class: "rank", "aria-hidden": "true" }, `${rank}`), h("h4", {}, attribute.name),
    h("p", { class: "facts" }, [attribute.where, attribute.how].filter(Boolean).join(", ")),
    h("div", { class: "effect" }, h("span", { class: "track", "aria-hidden": "true" }, bar), h("p", {}, h("b", {}, signed(attribute.effect)), group.value ? "" : " logits", h("small", {}, ` ${measuredOn(attribute)}`))));
  const flag = attribute.flagged ? h("p", { class: "implausible" }, h("b", {}, "Not plausible: "), attribute.flagged, /[.!?]$/.test(attribute.flagged) ? "" : ".") : null;
  const shown = attribute.directions.length ? h("div", { class: "directions" }, ...attribute.directions.map((one) => direction(one, attribute, group))) : null;
  item.classList.toggle("flagged", Boolean(attribute.flagged));
  if (control?.parentNode === item) { // the slider stays where it is, so that a drag goes on
    for (const old of [...item.children]) if (old !== control) old.remove();
    item.prepend(header);
    item.append(...[flag, shown].filter((node) => node !== null));
  } else item.append(...[header, control, flag, shown].filter((node) => node !== null));
}

/** @param {Attribute[]} ranked @param {number} unexplained @param {AttributeClass} group */
function explanation(ranked, unexplained, { value, lowers }) {
  const images = Math.max(0, ...ranked.map((one) => one.images));
  return `In the order in which they were found. An attribute explains an image when it ${lowers ? "lowers" : "raises"} the ${value ? "value" : "class"} by more than the threshold; explained images are left out when the next one is looked for. ${unexplained ? `${unexplained} of ${count(images, "image")} left unexplained.` : `All of ${count(images, "image")} are explained.`}`;
}

/** @param {import("./document.js").Recall} recall */
function certified({ recall, low, high, left, sampled, missed }) {
  return `The search did not measure every coordinate. Of the ${count(left, "coordinate")} that it left out, ${sampled} were drawn at random and measured: ${missed === 0 ? "none" : missed} of these would have been chosen. Its recall is about ${percent(recall)} (95 % interval: ${percent(low)} to ${percent(high)}).`;
}

/** @param {Attribute} attribute */
function measuredOn({ images, moves, explains, effect: mean }) {
  if (!images) return "on average";
  const effect = images === 1 ? "on one image" : `mean of ${images} images, ${(mean ?? 0) < 0 ? "negative" : "positive"} on ${moves === 1 ? "all" : percent(moves).replace(" ", "\u00a0")}`;
  return explains === null ? effect : `${effect}; explains ${explains}\u00a0of\u00a0${images}`;
}

/** @param {Demonstration} shown @param {Attribute} attribute @param {AttributeClass} group */
function direction({ away, chosen, animation, examples }, attribute, group) {
  const title = away ? `Away from “${group.class}”` : titled(group);
  const words = `${attribute.name}, ${title[0]?.toLowerCase() ?? ""}${title.slice(1)}`;
  const moving = animation && h("sl-animation");
  if (moving) moving.data = { animation, label: words };
  return h("section", { class: "direction", "aria-label": words },
    h("h5", {}, title, chosen && !group.value && h("small", {}, away ? " on images called so" : " on images called otherwise")),
    h("div", { class: moving ? "shown" : "shown unmoving" }, moving, h("ul", { class: "changes" }, ...examples.map((example, m) => change(example, `${words}, image ${m + 1}`, group.value ? format : percent)))));
}

/** @param {import("./document.js").AttributeExample} example @param {string} label @param {(value: number | null) => string} write */
function change({ before, after, probabilities }, label, write) {
  const [was, is] = [0, 1].map((side) => (probabilities ? write(probabilities[side] ?? null) : ["before", "after"][side] ?? ""));
  const flicker = h("sl-flicker");
  flicker.data = { before, after, names: [was ?? "", is ?? ""], label, bare: true };
  const original = h("div", { class: before.crisp ? "frame crisp" : "frame" }, h("img", { src: before.src, width: before.width, height: before.height, alt: `Original, ${was}` }), h("span", { class: "tag", "aria-hidden": "true" }, was));
  original.style.aspectRatio = `${before.width} / ${before.height}`;
  return h("li", {}, original, flicker);
}
