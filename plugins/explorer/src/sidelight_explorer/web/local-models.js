// @ts-check
/** The models of a page from disk: latents by id, edits as images with scores, inversion; as `models.py` and `session/` do it. */
import { complete, savedSlider } from "./local-directions.js";
import { Runtime, softmax } from "./local-runtime.js";
import { MOST_SLIDERS, base64Of, floatsOf, readName, readSession, usedSliders, usedStyles } from "./local-session.js";
import { keyOf } from "./spec.js";

/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {import("./types.js").Document} Document */
/** @typedef {import("./types.js").Models} Content */
/** @typedef {import("./local-session.js").StoredSlider} StoredSlider */
/** @typedef {{ pixels: Uint8ClampedArray, values: Record<string, Float32Array>, distance: number }} Drawn */

const KEPT = 1500; // drawn images that are remembered
const MOST_VALUES = 64; // classes up to which all values are shown; else the highest ten and the one asked about

export class Models {
  /** Latents of uploads and of session files. @type {Map<string, Float32Array>} */
  own = new Map();
  /** @type {Map<string, StoredSlider>} */
  #loaded = new Map();
  /** @type {Map<string, Drawn>} */
  #drawn = new Map();

  /** @param {Content} content @param {Runtime} runtime */
  constructor(content, runtime) {
    this.content = content;
    this.runtime = runtime;
    const [layers, length] = content.latent;
    this.layers = layers;
    this.length = length;
    this.functions = Object.fromEntries(Object.entries(content.graphs).map(([name, graph]) => [name, runtime.compile(graph)]));
    this.sliders = new Map(content.sliders.map((slider) => [slider.id, slider]));
    /** @type {(reference: { c: number }) => Float32Array} */
    const constant = ({ c }) => runtime.constant(c);
    /** @type {Record<string, string[]>} */
    this.classes = Object.fromEntries(content.classifiers.map(({ id, classes }) => [id, classes]));
    this.mean = constant(content.region.mean);
    this.whitening = constant(content.region.whitening);
    this.draws = constant(content.draws.latents);
    this.run = constant(content.run.latents);
    for (const [id, data] of Object.entries(content.own)) this.own.set(id, floatsOf(data, this.layers * this.length, "own: no latent"));
  }

  /** @param {Content} content */
  static async of(content) {
    return new Models(content, await Runtime.of(content.constants));
  }

  get canInvert() {
    return "encode" in this.functions;
  }

  /** (layers, d) of a style. @param {string} id @returns {Float32Array} */
  latents(id) {
    const own = this.own.get(id);
    if (own) return own;
    if (id === "average") return this.mean;
    const size = this.layers * this.length;
    const draw = /^draw-(\d{1,10})-(\d{1,6})-(\d{1,3})$/.exec(id);
    if (draw) {
      const [seed, index, percent] = draw.slice(1).map(Number);
      const w = this.#draw(/** @type {number} */ (seed), /** @type {number} */ (index));
      return this.mean.map((mean, place) => Math.fround(mean + Math.fround(/** @type {number} */ (percent) / 100) * Math.fround(/** @type {number} */ (w[place]) - mean)));
    }
    const image = /^run-(\d{1,9})$/.exec(id);
    if (image && Number(image[1]) < this.content.run.count) return this.run.subarray(Number(image[1]) * size, (Number(image[1]) + 1) * size);
    throw new Error(`there is no style '${id}' here; images have to be inverted first`);
  }

  /** @param {number} seed @param {number} index */
  #draw(seed, index) {
    const { seeds, count, controls, from, rows } = this.content.draws;
    const place = index < count ? index : index >= from && index < from + 2 * controls ? count + index - from : -1;
    if (seed >= seeds || place < 0) throw new Error(`the page holds the seeds 0 to ${seeds - 1}, with ${count} random draws and ${controls} random edits each; others need the server: open this with \`sidelight serve\``);
    const size = rows * this.length;
    const start = (seed * (count + 2 * controls) + place) * size;
    const w = this.draws.subarray(start, start + size);
    if (rows === this.layers) return w;
    const all = new Float32Array(this.layers * this.length); // one w for all layers
    for (let layer = 0; layer < this.layers; layer++) all.set(w, layer * this.length);
    return all;
  }

  /** @param {string} id */
  slider(id) {
    const slider = this.sliders.get(id) ?? this.#loaded.get(id);
    if (!slider) throw new Error(`moves: there is no attribute '${id.slice(0, 80)}'`);
    return slider;
  }

  /** Latents of an edit and its moves in the style space: a mix for each layer, then the sliders. @param {Spec} spec */
  edit(spec) {
    const w = new Float32Array(this.layers * this.length);
    spec.layers.forEach(([start, end, share], layer) => {
      const [from, to, place] = [this.latents(start), this.latents(end), layer * this.length];
      const [keep, take] = [Math.fround(1 - share / 100), Math.fround(share / 100)];
      for (let index = place; index < place + this.length; index++) w[index] = Math.fround(keep * /** @type {number} */ (from[index])) + Math.fround(take * /** @type {number} */ (to[index]));
    });
    return this.moved(w, Object.entries(spec.moves).filter(([, amount]) => amount).sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** @param {Float32Array} w changed @param {[string, number][]} moves percents */
  moved(w, moves) {
    /** @type {{ slider: StoredSlider, factor: number }[]} */
    const coordinates = [];
    for (const [id, percent] of moves) {
      const [slider, factor] = [this.slider(id), percent / 100];
      if (slider.direction !== null) {
        const direction = floatsOf(slider.direction, w.length, "slider.direction: of another generator");
        for (let index = 0; index < w.length; index++) w[index] = /** @type {number} */ (w[index]) + Math.fround(Math.fround(factor) * /** @type {number} */ (direction[index]));
      } else coordinates.push({ slider, factor: slider.oneSided ? Math.max(0, factor) : factor });
    }
    return { w, coordinates };
  }

  /** The image of an edit, (C, H, W) in [0, 1]. @param {{ w: Float32Array, coordinates: { slider: StoredSlider, factor: number }[] }} edit */
  image({ w, coordinates }) {
    if (!coordinates.length) return this.call("synthesize", w);
    const styles = this.call("styles", w);
    for (const { slider: { coordinate, shift, value }, factor } of coordinates) {
      const now = styles[coordinate];
      if (now === undefined) throw new Error("moves: the slider is of another generator");
      styles[coordinate] = now + factor * (value === null ? shift : value - now);
    }
    return this.call("synthesize_styles", styles);
  }

  /** @param {string} name @param {Float32Array} input */
  call(name, input) {
    const compute = this.functions[name];
    if (!compute) throw new Error(`the page has no function ${name}`);
    return compute(input);
  }

  /** Raw scores of an image by a classifier, (K,). @param {string} classifier @param {Float32Array} image */
  scores(classifier, image) {
    return this.call(`scores ${classifier}`, image);
  }

  /** Scores as they are shown: probabilities, tanh of a binary logit for both classes, or the value. @param {Float32Array} scores @param {string} task */
  static displayed(scores, task) {
    if (task === "regression") return scores;
    const shown = task === "binary" ? Float32Array.of(-Math.tanh(scores[0] ?? 0), Math.tanh(scores[0] ?? 0)) : new Float32Array(scores.length);
    if (task === "multiclass") softmax(scores, shown);
    return shown.map((value) => (Number.isFinite(value) ? value : 0));
  }

  /** An edit drawn and scored by every classifier; from memory where it was drawn before. @param {Spec} spec @returns {Drawn} */
  show(spec) {
    const key = keyOf(spec);
    const known = this.#drawn.get(key);
    if (known) return known;
    const edit = this.edit(spec);
    const distance = this.distance(edit.w);
    const image = this.image(edit);
    const values = Object.fromEntries(this.content.classifiers.map(({ id, task }) => [id, Models.displayed(this.scores(id, image), task)]));
    const drawn = { pixels: pixelsOf(image, this.content.image), values, distance };
    this.#drawn.set(key, drawn);
    if (this.#drawn.size > KEPT) this.#drawn.delete(this.#drawn.keys().next().value ?? "");
    return drawn;
  }

  /** Mahalanobis distance of the farthest layer, in units of the edge. @param {Float32Array} w */
  distance(w) {
    let most = 0;
    const away = new Float64Array(this.length);
    for (let layer = 0; layer < this.layers; layer++) {
      for (let index = 0; index < this.length; index++) away[index] = /** @type {number} */ (w[layer * this.length + index]) - /** @type {number} */ (this.mean[layer * this.length + index]);
      let total = 0;
      for (let axis = 0; axis < this.length; axis++) {
        let sum = 0;
        for (let index = 0; index < this.length; index++) sum += /** @type {number} */ (away[index]) * /** @type {number} */ (this.whitening[index * this.length + axis]);
        total += sum * sum;
      }
      most = Math.max(most, total);
    }
    return Math.sqrt(most) / this.content.region.edge;
  }

  /** Latents of an image (C, H, W), kept under an id; how far the reconstruction is from it. @param {Float32Array} image @returns {{ style: string, error: number }} */
  invert(image) {
    const w = this.call("encode", image);
    const made = this.call("synthesize", w);
    const style = `upload-${digest(image)}-page`;
    this.own.set(style, w);
    const error = made.reduce((sum, value, index) => sum + (value - /** @type {number} */ (image[index])) ** 2, 0) / made.length;
    return { style, error };
  }

  /** A slider that the user saves: the way from one edit to another, or a slider in some layers. @param {import("./types.js").Direction} wish */
  direction(wish) {
    const name = readName(wish.name, "name");
    const [from, to] = wish.layers ?? [0, this.layers];
    if (!(Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from < to && to <= this.layers)) throw new Error("layers: expected the first and the one after the last");
    let direction;
    if ("slider" in wish) {
      const slider = this.slider(wish.slider);
      if (slider.direction === null) throw new Error("slider: a style coordinate lies in one layer already");
      direction = floatsOf(slider.direction, this.layers * this.length, "slider.direction: of another generator");
    } else {
      const before = this.edit(wish.start).w;
      direction = this.edit(wish.now).w.map((value, index) => value - /** @type {number} */ (before[index]));
    }
    const saved = savedSlider(name, direction, this.layers, [from, to]);
    this.#loaded.set(saved.id, saved);
    return saved;
  }

  /** The session with the latents of its styles and the sliders that it uses, names or holds. @param {Document} doc */
  save(doc) {
    const latents = Object.fromEntries(usedStyles(doc).map((id) => [id, base64Of(this.latents(id))]));
    const named = Object.keys(doc.labels ?? {}).filter((id) => this.sliders.has(id) || this.#loaded.has(id));
    const own = doc.sliders.map(({ id }) => id);
    const kept = [...new Set([...usedSliders(doc), ...named, ...own])].sort().slice(0, MOST_SLIDERS);
    return { ...doc, sliders: kept.map((id) => this.slider(id)), latents };
  }

  /** A session file; its latents and sliders are remembered. @param {string} text @returns {Document} */
  open(text) {
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      throw new Error("this is no JSON");
    }
    const { document, latents } = readSession(value, [this.layers, this.length]);
    const sliders = /** @type {StoredSlider[]} */ (document.sliders);
    for (const slider of sliders) {
      if (slider.direction === null && slider.coordinate >= this.content.styles) throw new Error(`session.sliders: '${slider.name.slice(0, 80)}' is of another generator`);
      if (complete(slider).id !== slider.id) throw new Error("slider.id: it is not that of what the slider moves");
    }
    const before = [this.own, this.#loaded];
    this.own = new Map([...this.own, ...latents]);
    this.#loaded = new Map([...this.#loaded, ...sliders.map((slider) => /** @type {const} */ ([slider.id, slider]))]);
    try {
      for (const id of usedStyles(document)) this.latents(id);
      for (const id of usedSliders(document)) this.slider(id);
    } catch (error) {
      [this.own, this.#loaded] = /** @type {any} */ (before);
      throw error;
    }
    this.#drawn.clear();
    return { ...document, sliders: sliders.map(complete) };
  }
}

/** Values of one classifier, as the page is told them. @param {Float32Array} values @param {number} target @returns {Record<string, number>} */
export function told(values, target) {
  const rows = [...values.keys()];
  const highest = rows.length <= MOST_VALUES ? rows : rows.toSorted((a, b) => (values[b] ?? 0) - (values[a] ?? 0)).slice(0, 10).concat(target);
  return Object.fromEntries(highest.map((row) => [String(row), Math.round(1e5 * (values[row] ?? 0)) / 1e5]));
}

/** RGBA of an image (C, H, W) in [0, 1]. @param {Float32Array} image @param {[number, number, number]} shape */
function pixelsOf(image, [channels, height, width]) {
  const size = height * width;
  const pixels = new Uint8ClampedArray(4 * size).fill(255);
  for (let index = 0; index < size; index++) {
    for (let channel = 0; channel < 3; channel++) pixels[4 * index + channel] = 255 * (image[(channel % channels) * size + index] ?? 0); // clamped and rounded
  }
  return pixels;
}

/** A digest of an image's levels: equal files have equal ids. @param {Float32Array} image */
function digest(image) {
  let [high, low] = [0x811c9dc5, 0x1000193];
  for (const value of image) {
    const level = Math.round(255 * value);
    high = Math.imul(high ^ level, 0x01000193) >>> 0;
    low = (Math.imul(low, 31) + level + 1) >>> 0;
  }
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}
