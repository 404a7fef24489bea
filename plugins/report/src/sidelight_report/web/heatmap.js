// @ts-check
import { ADD, PREDICTED, PROBE, REMOVE, diverging, paint, sequential } from "./colours.js";
import { define, h } from "./elements.js";
import { context2d, decode, pixels } from "./grid.js";
import { signed } from "./numbers.js";
import { PointedPicture } from "./picture.js";

/** @typedef {import("./document.js").Picture} Picture */
/** @typedef {import("./document.js").Grid} Grid */
/** @typedef {import("./document.js").Cursor} Cursor */
/** @typedef {import("./colours.js").Ramp} Ramp */

/**
 * @typedef {object} MapData
 * @property {Picture} picture the image below
 * @property {Grid} values
 * @property {number} saturation the magnitude at which colours saturate
 * @property {string} label what a screen reader says
 * @property {boolean} signed whether negative values mean something
 * @property {[string, string]} ends what the two ends of the scale say
 * @property {"predicted" | "probe" | "contrast" | "any"} [answers]
 */

/**
 * Values over an image, with their scale below.
 * @extends {PointedPicture<MapData>}
 */
class ValueMap extends PointedPicture {
  /** @type {Float32Array} */
  #values = new Float32Array();
  /** @type {ImageData | null} */
  #base = null;
  #bar = h("canvas", { class: "ramp", width: 96, height: 1, "aria-hidden": "true" });
  #opacity = 1;

  /** How strongly the values cover the image, in [0, 1]. */
  get opacity() {
    return this.#opacity;
  }

  set opacity(value) {
    this.#opacity = value;
    this.#paint();
  }

  /** @param {MapData} data */
  draw(data) {
    super.draw(data);
    this.#values = decode(data.values);
    const [low, high] = data.ends;
    const least = data.signed ? signed(-data.saturation, 2) : "0";
    this.append(
      data.saturation > 0
        ? h("div", { class: "scale" }, this.#bar,
            h("span", {}, h("b", {}, least), ` ${low}`), h("span", {}, `${high} `, h("b", {}, signed(data.saturation, 2))))
        : h("p", { class: "note" }, "zero everywhere"),
    );
    void pixels(data.picture).then((base) => {
      this.#base = base;
      this.#paint();
    });
  }

  /** The colours of the values. @returns {Ramp} */
  ramp() {
    return sequential(this.data.saturation);
  }

  /** @param {Cursor} cursor */
  read({ x, y }) {
    const value = this.#values[y * this.data.values.width + x] ?? NaN;
    return Number.isNaN(value) ? "no value" : signed(value);
  }

  #paint() {
    if (!this.#base) return;
    const target = new ImageData(this.#base.width, this.#base.height);
    paint(target, this.#base, this.#values, this.ramp(), this.#opacity);
    context2d(this.canvas).putImageData(target, 0, 0);
    this.#paintBar();
  }

  #paintBar() {
    const { width } = this.#bar;
    const { saturation, signed: both } = this.data;
    const values = Array.from({ length: width }, (_, i) => saturation * (both ? (2 * i) / (width - 1) - 1 : i / (width - 1)));
    const strip = new ImageData(width, 1);
    paint(strip, null, values, this.ramp(), this.#opacity);
    context2d(this.#bar).putImageData(strip, 0, 0);
  }
}

/** A heatmap: teal speaks for the predicted class, amber for the other side; unsigned maps run from dark to bright. */
export class SlHeatmap extends ValueMap {
  ramp() {
    const { signed: both, answers, saturation } = this.data;
    if (!both) return sequential(saturation);
    return answers === "probe" ? diverging(PROBE, PREDICTED, saturation) : diverging(PREDICTED, PROBE, saturation);
  }
}

/** Difference of a counterfactual: red is added, blue is removed. */
export class SlDifference extends ValueMap {
  ramp() {
    return diverging(ADD, REMOVE, this.data.saturation);
  }
}

define("sl-heatmap", SlHeatmap);
define("sl-difference", SlDifference);
