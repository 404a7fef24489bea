// @ts-check
/** Pictures by key: what is there, and fetching what is not. What the user waits for goes first; the rest gives way. */
import { keyOf } from "./spec.js";

/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./types.js").Backend} Backend */

/** Characters of pictures that are kept beside those on the page: each is a byte, four for three of the file. */
const KEPT = 48 << 20;
/** Widths in CSS pixels at which pictures are shown: of cells and the gallery; and of the stage, until it is measured. */
export const THUMBNAIL = 104;
const STAGE = 128;
const STEP = 32; // a stage that grows by fewer pixels asks for no larger pictures
/** Width that pictures are compared at, in their own pixels. */
const EXACT = 1024;
const FINEST = 3; // device pixels for a CSS pixel, beyond which nobody sees a difference
const AT_ONCE = 24;

/** Pixels of the screen for a width in CSS pixels: larger images are reduced to it. @param {number} width */
function onScreen(width) {
  return Math.ceil(width * Math.min(FINEST, Math.max(1, globalThis.devicePixelRatio || 1)));
}

export class Pictures {
  /** @type {Map<string, Picture | null>} */
  #cache = new Map();
  /** @type {Map<string, Spec>} */
  #wanted = new Map();
  #fetching = new AbortController();
  #busy = false;
  /** Keys of pictures that are there as large as the stage. @type {Set<string>} */
  #large = new Set();
  /** Keys of what is on the page, which is never dropped: it would be fetched again at once. @type {Set<string>} */
  #shown = new Set();
  #kept = 0;
  /** @type {Record<string, number>} */
  #ask = {};

  /**
   * @param {Backend} backend
   * @param {[number, number, number]} shape of an image: channels, height, width; those that are wider than they are shown come reduced
   * @param {() => void} arrived called when there is more to show
   */
  constructor(backend, [, , width], arrived) {
    this.backend = backend;
    this.small = onScreen(THUMBNAIL);
    this.large = onScreen(STAGE);
    this.isReduced = width > this.small;
    this.arrived = arrived;
    this.message = "";
  }

  /** `undefined` while it is not there, `null` where it cannot be had. @param {string} key */
  get(key) {
    return this.#cache.get(key);
  }

  /** @param {Spec} spec */
  of(spec) {
    return this.#cache.get(keyOf(spec));
  }

  /** Whether the picture is there as large as the stage shows it, or cannot be had. @param {Spec} spec */
  hasLarge(spec) {
    const [key, picture] = [keyOf(spec), this.of(spec)];
    return picture !== undefined && (picture === null || !this.isReduced || !this.backend.live || this.#large.has(key));
  }

  /** The stage is so many CSS pixels wide: pictures of it are asked for anew where it has grown. @param {number} width */
  shownAt(width) {
    const wanted = onScreen(STEP * Math.ceil(width / STEP));
    if (wanted <= this.large) return;
    this.large = wanted;
    this.#large.clear();
    this.arrived();
  }

  /** Lossless pictures, to be compared pixel by pixel; from disk those that the page holds. @param {Spec[]} specs @param {Record<string, number>} ask */
  exact(specs, ask) {
    return this.backend.draw(specs, { edit: true, ask, side: EXACT, exact: true });
  }

  /** Forget everything: other classes are asked about, or a session brought other styles. */
  clear() {
    this.#cache.clear();
    this.#large.clear();
    this.#kept = 0;
    this.#stop();
  }

  /**
   * The one picture that the user waits for, as large as the stage.
   * @param {Spec} spec
   * @param {Record<string, number>} ask
   */
  async now(spec, ask) {
    const key = keyOf(spec);
    if (this.hasLarge(spec)) return;
    this.#stop();
    await this.#fetch([[key, spec]], true, ask);
  }

  /**
   * Pictures for all that is on the page; what was wanted before and is not any more is given up.
   * @param {Spec[]} specs
   * @param {Record<string, number>} ask
   */
  want(specs, ask) {
    this.#ask = ask;
    this.#wanted = new Map(specs.map((spec) => [keyOf(spec), spec]));
    this.#shown = new Set(this.#wanted.keys());
    for (const key of this.#wanted.keys()) if (this.#cache.has(key)) this.#wanted.delete(key);
    if (!this.#busy) void this.#work();
  }

  async #work() {
    this.#busy = true;
    while (this.#wanted.size) {
      const part = [...this.#wanted].slice(0, AT_ONCE);
      for (const [key] of part) this.#wanted.delete(key);
      await this.#fetch(part, false, this.#ask);
    }
    this.#busy = false;
  }

  /** @param {[string, Spec][]} part @param {boolean} edit @param {Record<string, number>} ask */
  async #fetch(part, edit, ask) {
    const signal = edit ? undefined : this.#fetching.signal;
    const side = edit ? this.large : this.small;
    try {
      const pictures = await this.backend.draw(part.map(([, spec]) => spec), { edit, ask, side, ...(signal && { signal }) });
      for (const [index, [key]] of part.entries()) {
        this.#keep(key, pictures[index] ?? null);
        if (edit) this.#large.add(key);
      }
      this.message = "";
    } catch (error) {
      if (signal?.aborted) return;
      this.message = error instanceof Error ? error.message : String(error);
      for (const [key] of part) this.#keep(key, null);
    }
    this.arrived();
  }

  /** @param {string} key @param {Picture | null} picture */
  #keep(key, picture) {
    this.#drop(key);
    this.#cache.set(key, picture);
    this.#kept += picture?.src.length ?? 0;
    for (const old of this.#cache.keys()) {
      if (this.#kept <= KEPT) return;
      if (old !== key && !this.#shown.has(old)) this.#drop(old);
    }
  }

  /** @param {string} key */
  #drop(key) {
    this.#kept -= this.#cache.get(key)?.src.length ?? 0;
    this.#cache.delete(key);
    this.#large.delete(key);
  }

  #stop() {
    this.#fetching.abort();
    this.#fetching = new AbortController();
    this.#wanted.clear();
  }
}
