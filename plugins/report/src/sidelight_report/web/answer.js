// @ts-check
/** The first screen: what was asked, what was found, in sentences and pictures, and how sure it is. Links lead to the evidence, and back. */
import "./heatmap.js";
import { h } from "./elements.js";
import { sectionOf } from "./kinds.js";
import { limitsOfAll } from "./limits.js";

/** @typedef {import("./document.js").Report} Report */
/** @typedef {import("./document.js").Claim} Claim */
/** @typedef {import("./document.js").Tile} Tile */
/** @typedef {import("./document.js").Picture} Picture */

const WARNINGS = 2; // shown at once; the others unfold

/** @type {Record<string, string>} */
const BASES = {
  measured: "The classifier was asked, or a metric computed the number.",
  heuristic: "A rule of thumb: it may mislead.",
  "not scored": "Nothing in the recipe tells.",
};

/** @param {Report} report */
export function answer(report) {
  const { asked, found, sure, strip, picked, limits } = report.answer;
  const shown = strip.flatMap((tile) => {
    const pictures = shots(tile, report);
    return pictures ? [{ tile, pictures }] : [];
  }).map((one, i) => ({ ...one, letter: String.fromCharCode(65 + i) }));
  const tiles = shown.map(({ tile, pictures, letter }) => figure(tile, pictures, letter));
  const letters = found.map((_, i) => shown.filter(({ tile }) => tile.claim === i).map(({ letter }) => letter));
  return h("section", { class: tiles.length ? "answer" : "answer without", id: "answer", "aria-label": "The answer in short" },
    h("p", { class: "asked", id: "asked" }, asked, " ", h("a", { href: "#overview", class: "evidence", "data-claim": "asked" })),
    found.length > 0 && claims("found", "What was found", found, letters),
    tiles.length > 0 && h("div", { class: `pictures ${tiles.length > 4 ? "many" : "few"}`, role: "group", "aria-label": "Pictures of what was found" }, ...tiles, h("p", { class: "note" }, `Pictures are examples, picked by rule: ${picked}.${tiles.some((tile) => tile.querySelector(".changed")) ? " Changed ones are framed." : ""}`)),
    h("div", { class: "sure" }, sure.length > 0 && claims("sure", "How sure it is", sure), warnings(report), limitsOfAll(limits)));
}

/** @param {string} id @param {string} title @param {Claim[]} list @param {string[][]} [letters] of the pictures of each */
function claims(id, title, list, letters = []) {
  return h("div", { class: "claims", id }, h("h2", {}, title), h("ul", {}, ...list.map((claim, i) => sentence(claim, `${id}-${i + 1}`, letters[i] ?? []))));
}

/** @param {Claim} claim @param {string} id @param {string[]} letters */
function sentence({ text, basis, links }, id, letters) {
  return h("li", { id }, text, " ", ...letters.map((letter) => h("a", { class: "letter", href: `#picture-${letter}`, "aria-label": `Picture ${letter}` }, letter)), basis && h("span", { class: `basis ${basis.replace(" ", "-")}`, title: BASES[basis] }, basis),
    ...links.map((link) => h("a", { href: `#${link}`, class: "evidence", "data-claim": id })));
}

/** @param {Report} report */
function warnings({ warnings: texts }) {
  if (!texts.length) return null;
  const items = texts.map((text) => h("li", {}, text));
  const more = items.slice(WARNINGS);
  return h("div", { id: "warnings" }, h("ul", { class: "warnings", "aria-label": "Warnings" }, ...items.slice(0, WARNINGS)),
    more.length > 0 && h("details", { class: "more-warnings" }, h("summary", {}, `${more.length} more warning${more.length === 1 ? "" : "s"}`), h("ul", { class: "warnings" }, ...more)));
}

/** @param {Tile} tile @param {Node[]} pictures @param {string} letter */
function figure({ caption, note, link }, pictures, letter) {
  return h("figure", { id: `picture-${letter}`, tabindex: -1 }, h("div", { class: `shots of-${pictures.length}` }, ...pictures),
    h("figcaption", {}, h("a", { href: `#${link}`, title: caption }, h("b", {}, letter), ` ${caption}`), note && h("small", {}, note)));
}

/** The pictures of a tile, which the evidence below shows too; null where the page has not got them. @param {Tile} tile @param {Report} report @returns {Node[] | null} */
function shots(tile, report) {
  switch (tile.shows) {
    case "attribute": {
      const { section, group, rank, direction, example } = tile.at;
      const row = report.attributes[section]?.classes[group]?.attributes[rank];
      const attribute = row?.strengths?.[row.at ?? 0] ?? row;
      const shown = attribute?.directions[direction]?.examples[example];
      return shown ? pair(shown.before, shown.after) : null;
    }
    case "concept": {
      const pictures = report.exemplars[tile.section]?.concepts[tile.concept]?.pictures.slice(0, 4) ?? [];
      return pictures.length ? pictures.map((picture) => still(picture, "strongest in this image")) : null;
    }
    case "map": {
      const card = report.images[tile.image];
      const maps = tile.explainers.flatMap((id) => {
        const entry = card?.explanations.find(({ explainer }) => explainer === id);
        const map = card && entry ? sectionOf(entry.kind).map?.(entry, card) : null;
        return map ? [map] : [];
      });
      const bare = card && maps.length === 1 ? [still(card.picture, "input")] : [];
      return maps.length ? [...bare, ...maps] : null;
    }
    case "change": return changed(tile, report);
  }
}

/** @param {Extract<Tile, { shows: "change" }>} tile @param {Report} report */
function changed({ image, explainer, rank }, report) {
  const card = report.images[image];
  const entry = card?.explanations.find((one) => one.explainer === explainer);
  if (!card || !entry) return null;
  if (entry.kind === "counterfactual" && entry.picture) return pair(card.picture, entry.picture);
  if (entry.kind === "intervention") return pair(...entry.pictures);
  const change = entry.kind === "image-attributes" ? entry.changes[rank] : undefined;
  return entry.kind === "image-attributes" && change ? pair(entry.reconstruction.picture, change.picture) : null;
}

/** @param {Picture} before @param {Picture} after */
function pair(before, after) {
  return [still(before, "before"), still(after, "after", "changed")];
}

/** @param {Picture} picture @param {string} alt @param {string} [more] */
function still({ src, width, height, crisp }, alt, more = "") {
  const frame = h("div", { class: `frame ${more}${crisp ? " crisp" : ""}` }, h("img", { src, width, height, alt }));
  frame.style.aspectRatio = `${width} / ${height}`;
  return frame;
}

/** Name the links of claims by what they lead to, and lead back from there; links to what this page does not have go. */
export function linkBothWays() {
  /** @type {Map<Element, string[]>} */
  const claimed = new Map();
  for (const link of document.querySelectorAll("a.evidence")) {
    if (!(link instanceof HTMLAnchorElement)) continue;
    const target = document.getElementById(link.hash.slice(1));
    const panel = target?.closest(".panel, .card, #warnings") ?? target;
    if (!target || !panel) { link.remove(); continue; }
    link.textContent = title(target, panel);
    claimed.set(panel, [...(claimed.get(panel) ?? []), link.dataset.claim ?? ""]);
  }
  for (const panel of document.querySelectorAll(".panel, .card")) {
    const [first] = claimed.get(panel) ?? [];
    panel.prepend(h("a", { class: "back", href: `#${first ?? "answer"}`, "aria-label": first ? "Back to what the answer says of this" : "Back to the answer" }, "↑ answer"));
  }
}

/** @param {Element} target @param {Element} panel */
function title(target, panel) {
  if (panel.id === "warnings") return "warnings";
  if (panel.classList.contains("card")) return "images";
  return (target === panel ? panel.querySelector("h2") : target.querySelector("h3") ?? panel.querySelector("h2"))?.textContent ?? "";
}
