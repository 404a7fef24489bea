// @ts-check
import { DataElement, define, h } from "./elements.js";
import { format, percent } from "./numbers.js";

/** @typedef {import("./document.js").ClassEntry} ClassEntry */

/**
 * @typedef {object} ProbabilityData
 * @property {ClassEntry[]} classes
 * @property {(number | null)[]} before
 * @property {(number | null)[] | null} after none where nothing was changed
 * @property {boolean} regression whether the numbers are values instead of probabilities
 */

const PARTS = { predicted: "predicted", probe: "asked about", other: "" };

/**
 * What the classifier says, before and after, as bars.
 * @extends {DataElement<ProbabilityData>}
 */
export class SlProbabilities extends DataElement {
  /** @param {ProbabilityData} data */
  draw(data) {
    const long = data.classes.some(({ name }) => name.length > 6);
    this.classList.toggle("long", long);
    this.classList.toggle("changed", data.after !== null);
    this.append(h("ul", { class: "bars", "aria-label": data.after ? "Probabilities before and after" : "Probabilities" },
      ...data.classes.map((entry, i) => this.#row(entry, data.before[i] ?? null, data.after ? data.after[i] ?? null : undefined))));
  }

  /**
   * @param {ClassEntry} entry
   * @param {number | null} before
   * @param {number | null | undefined} after undefined where nothing was changed
   */
  #row(entry, before, after) {
    const write = this.data.regression ? format : percent;
    const changed = after !== undefined;
    const name = h("span", { class: "name", title: entry.name }, h("i", { class: "mark", "aria-hidden": "true" }), entry.name,
      PARTS[entry.part] && h("span", { class: "sr" }, ` (${PARTS[entry.part]})`));
    const value = h("span", { class: "value" }, changed && h("span", { class: "was" }, write(before)),
      changed && h("span", { class: "arrow", role: "img", "aria-label": "then" }, "→"), h("span", {}, write(changed ? after : before)));
    const bars = h("span", { class: "tracks", "aria-hidden": "true" }, changed && bar("before", before), bar("after", changed ? after : before));
    return h("li", { class: `row ${entry.part}` }, name, this.data.regression ? null : bars, value);
  }
}

/** @param {string} kind @param {number | null} share */
function bar(kind, share) {
  const fill = h("span", { class: "fill" });
  fill.style.width = `${100 * (share ?? 0)}%`;
  return h("span", { class: `track ${kind}` }, fill);
}

define("sl-probabilities", SlProbabilities);
