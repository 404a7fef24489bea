// @ts-check
import { accuracies } from "./accuracies.js";
import { agreement } from "./agreement.js";
import { answer, linkBothWays } from "./answer.js";
import { attributes } from "./attributes.js";
import { makeCard } from "./card.js";
import { declaredClaims } from "./claims.js";
import { glance } from "./glance.js";
import { SlDifference, SlHeatmap } from "./heatmap.js";
import { h } from "./elements.js";
import { foldAll, keepFolds } from "./fold.js";
import { guide } from "./guide.js";
import { imageIndex } from "./image-index.js";
import { pixels } from "./grid.js";
import { arrowKeys, bar } from "./navigation.js";
import { overview } from "./overview.js";
import { byProducts, count, exemplars, measured, origin } from "./sections.js";

/** @typedef {import("./document.js").Report} Report */

const OPACITY = 0.85;

/** @returns {Report} */
function read() {
  return JSON.parse(document.getElementById("document")?.textContent ?? "{}");
}

/** @param {Report} report */
function header(report) {
  const shown = report.images.length < report.total ? report.index === null ? `, of which the first ${report.images.length} are shown` : `, the first ${report.images.length} below, the others in the list of all images` : "";
  const models = report.components.filter(({ role }) => ["data", "classifier", "generator"].includes(role));
  const uses = new Set(models.map(({ use }) => use));
  return h("header", { class: "masthead" }, h("p", { class: "name" }, report.name), h("h1", {}, report.title),
    h("p", { class: "facts" }, [`${count(report.total, "image")}${shown}`, count(report.explainers.length, "explainer"), ...uses].join(" · ")));
}

/** Table of contents: panels in order, of the cards only the first; and folding of everything. */
function contents() {
  const parts = [...document.querySelectorAll(".panel, #image-1")].map((part) => h("li", {}, h("a", { href: `#${part.id}` }, part.id === "image-1" ? "Images" : part.querySelector("h2")?.textContent ?? "")));
  const [open, close] = [["Unfold all", true], ["Fold all", false]].map(([name, to]) => {
    const button = h("button", { type: "button" }, String(name));
    button.onclick = () => foldAll(to === true);
    return button;
  });
  return h("nav", { class: "contents", "aria-label": "On this page" }, h("ul", {}, ...parts, h("li", { class: "folds" }, open, close)));
}

/** @param {number} opacity */
function cover(opacity) {
  for (const element of document.querySelectorAll("sl-heatmap, sl-difference")) {
    if (element instanceof SlHeatmap || element instanceof SlDifference) element.opacity = opacity;
  }
}

/** @param {Report} report */
async function show(report) {
  const cards = report.images.map((card, i) => makeCard(card, i, report));
  const images = [glance(report), h("div", { class: "cards" }, ...cards), imageIndex(report, cover)];
  const parts = report.first === "images" ? [...images, ...attributes(report)] : [...attributes(report), ...images];
  const main = h("main", { id: "main", tabindex: -1 }, ...overview(report), ...parts, agreement(report), accuracies(report.accuracies), measured(report), ...exemplars(report), byProducts(report));
  const head = h("div", { class: "head" });
  document.body.append(h("a", { class: "skip", href: "#main" }, "Skip to the images"), header(report), declaredClaims(report) ?? "", answer(report), head, bar(report, cards, cover), main, h("footer", {}, origin(report)));
  head.append(contents(), guide(report));
  linkBothWays();
  cover(OPACITY);
  arrowKeys(cards);
  keepFolds();
  await Promise.all(report.images.map(({ picture }) => pixels(picture)));
  document.documentElement.dataset.ready = "true";
}

void show(read());
