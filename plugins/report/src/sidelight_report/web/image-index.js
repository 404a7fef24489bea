// @ts-check
/** All images of a large run: filtered, sorted, and each with its card, which is loaded when it is asked for. */
import { makeCard } from "./card.js";
import { h } from "./elements.js";
import { tick } from "./numbers.js";
import { section } from "./sections.js";

/** @typedef {import("./document.js").Report} Report */
/** @typedef {import("./document.js").ImageIndex} ImageIndex */
/** @typedef {import("./document.js").Card} Card */

const PAGE = 200; // thumbnails drawn at a time

/** Null where every image has its card on the page. @param {Report} report @param {(opacity: number) => void} cover */
export function imageIndex(report, cover) {
  const index = report.index;
  if (index === null) return null;
  const tests = filters(index);
  const sort = chooser("Sorted by", ["order of the run", ...index.numbers.map(({ name, of }) => (of ? `${name}, ${of}` : name))]);
  const down = chooser("Direction", ["highest first", "lowest first"]);
  const grid = h("div", { class: "index-grid" });
  const told = h("p", { class: "note", role: "status" });
  const more = h("button", { type: "button", class: "more" });
  const place = h("div", { class: "picked" });
  /** @type {number[]} */
  let rows = [];
  let drawn = 0;

  const draw = () => {
    const next = rows.slice(drawn, drawn + PAGE);
    const values = index.numbers[sort.selectedIndex - 1]?.values ?? null;
    grid.append(...next.map((row) => thumbnail(index, row, values, () => open(row))));
    drawn += next.length;
    more.hidden = drawn >= rows.length;
    more.textContent = `Show ${Math.min(PAGE, rows.length - drawn)} more of ${rows.length}`;
  };
  const list = () => {
    rows = order(index, index.ids.map((_, row) => row).filter((row) => tests.every((test) => test.holds(row))), sort.selectedIndex - 1, down.selectedIndex === 0);
    drawn = 0;
    grid.replaceChildren();
    place.replaceChildren();
    told.textContent = `${rows.length} of ${index.ids.length} images${report.total > index.ids.length ? ` (of ${report.total} in the run)` : ""}`;
    down.disabled = sort.selectedIndex === 0;
    draw();
  };
  /** The card of a row of the list, with the way on through the list. @param {number} row */
  const open = async (row) => {
    const cards = await load(index, row).catch(() => null);
    const number = row % index.size;
    const shown = cards?.[number] ? makeCard(cards[number], report.images.length + row, report, true)
      : h("p", { class: "alert" }, `The file ${fileName(index, row)} is not beside this page; copy the whole folder of the run.`);
    const at = rows.indexOf(row);
    const steps = [["Previous", rows[at - 1]], ["Next", rows[at + 1]]].map(([name, to]) => press(String(name), typeof to === "number" ? () => open(to) : null));
    place.replaceChildren(h("div", { class: "index-steps" }, ...steps, press("Close", () => place.replaceChildren()), h("span", {}, `${at + 1} of ${rows.length}`)), shown);
    cover(opacity());
    shown.focus({ preventScroll: true });
    place.scrollIntoView({ block: "start" });
  };

  for (const element of [...tests.map(({ element }) => element), sort, down]) element.addEventListener("change", list);
  more.addEventListener("click", draw);
  list();
  return section("all-images", "All images", h("p", { class: "note" }, "Press an image to see its card."),
    h("div", { class: "index-controls" }, ...tests.map(({ element }) => labelled(element)), labelled(sort), labelled(down)), place, told, grid, more);
}

/** A button; without anything to do it is disabled. @param {string} name @param {(() => void) | null} act */
function press(name, act) {
  const button = h("button", { type: "button", class: "more", disabled: act === null }, name);
  if (act) button.addEventListener("click", act);
  return button;
}

/** @param {string} name @param {string[]} options */
function chooser(name, options) {
  return h("select", { "aria-label": name }, ...options.map((text) => h("option", {}, text)));
}

/** @param {HTMLSelectElement} select */
function labelled(select) {
  return h("label", {}, h("span", {}, select.getAttribute("aria-label") ?? ""), select);
}

/** Choosers that leave images out, each with its test of a row. @param {ImageIndex} index */
function filters(index) {
  const groups = index.groups.map(({ name, values, rows }) => {
    const element = chooser(name, ["any", ...values.map((value) => value || "not known")]);
    return { element, holds: (/** @type {number} */ row) => element.selectedIndex === 0 || rows[row] === element.selectedIndex - 1 };
  });
  if (index.misclassified.some((wrong) => wrong !== index.misclassified[0])) {
    const element = chooser("Classifier is", ["right or wrong", "right", "wrong"]);
    groups.push({ element, holds: (row) => element.selectedIndex === 0 || index.misclassified[row] === element.selectedIndex - 1 });
  }
  for (const [name, values] of Object.entries(index.turned)) {
    const element = chooser(`Answer of ${name}`, ["any", "does not turn it", "turns it", "none"]);
    groups.push({ element, holds: (row) => element.selectedIndex === 0 || (values[row] ?? 2) === element.selectedIndex - 1 });
  }
  return groups;
}

/**
 * Rows by a number, those without one last.
 * @param {ImageIndex} index
 * @param {number[]} rows
 * @param {number} by -1: as they are
 * @param {boolean} highest
 */
function order(index, rows, by, highest) {
  const values = index.numbers[by]?.values;
  if (!values) return rows;
  const sign = highest ? -1 : 1;
  const key = (/** @type {number} */ row) => (values[row] === null ? Infinity : sign * Number(values[row]));
  return rows.sort((a, b) => (key(a) === key(b) ? a - b : key(a) < key(b) ? -1 : 1));
}

/** @param {ImageIndex} index @param {number} row @param {(number | null)[] | null} values @param {() => void} open */
function thumbnail(index, row, values, open) {
  const number = values && (values[row] === null ? "none" : tick(Number(values[row])));
  const wrong = index.misclassified[row] === 1;
  const button = h("button", { type: "button", title: index.ids[row], "aria-label": `${index.ids[row]}${wrong ? ", misclassified" : ""}`, class: wrong ? "wrong" : null },
    h("img", { src: index.thumbnails[row], width: 56, height: 56, alt: "", loading: "lazy", decoding: "async" }), number !== null && h("span", {}, number));
  button.addEventListener("click", open);
  return button;
}

/** @param {ImageIndex} index @param {number} row */
function fileName(index, row) {
  return `cards/${String(Math.floor(row / index.size)).padStart(4, "0")}.js`;
}

/** @type {Map<string, Promise<Card[]>>} */
const loaded = new Map();

/**
 * The cards of a file: a script that calls `sidelightCards`.
 * @param {ImageIndex} index
 * @param {number} row
 */
function load(index, row) {
  const file = fileName(index, row);
  const known = loaded.get(file) ?? read(file, row - (row % index.size));
  loaded.set(file, known);
  known.catch(() => loaded.delete(file)); // so that it can be tried again
  return known;
}

/** @type {Map<number, (cards: Card[]) => void>} */
const waiting = new Map();

/** @param {string} file @param {number} first @returns {Promise<Card[]>} */
function read(file, first) {
  window.sidelightCards = (start, cards) => waiting.get(start)?.(cards);
  return new Promise((resolve, reject) => {
    waiting.set(first, resolve);
    const script = h("script", { src: file });
    script.addEventListener("load", () => script.remove());
    script.addEventListener("error", () => reject(new Error(file)));
    document.head.append(script);
  });
}

/** What the reader has chosen in the bar. */
function opacity() {
  const slider = document.querySelector(".opacity input");
  return slider instanceof HTMLInputElement ? Number(slider.value) / 100 : 1;
}
