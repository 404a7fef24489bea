// @ts-check
/** Pictures by key: what is there, and fetching what is not. What the user waits for goes first; the rest gives way. */
import { keyOf } from "./spec.js";

/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./types.js").Backend} Backend */

const KEPT_PIXELS = 30_000_000;
/** Widths that larger images are reduced to, for screens of fine pixels twice those of a cell, of the stage, and to compare. */
const [SMALL, LARGE, EXACT] = [256, 640, 1024];
const AT_ONCE = 24;

export class Pictures {
  /** @type {Map<string, Picture | null>} */
  #cache = new Map();
  /** @type {Map<string, Spec>} */
  #wanted = new Map();
  #fetching = new AbortController();
  #busy = false;
  /** Keys of pictures that are there as large as the stage. @type {Set<string>} */
  #large = new Set();
  /** @type {Record<string, number>} */
  #ask = {};

  /**
   * @param {Backend} backend
   * @param {[number, number, number]} shape of an image: channels, height, width
   * @param {() => void} arrived called when there is more to show
   */
  constructor(backend, [, height, width], arrived) {
    this.backend = backend;
    this.most = Math.max(300, Math.floor(KEPT_PIXELS / (height * width)));
    this.isReduced = width > SMALL;
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

  /** Lossless pictures, to be compared pixel by pixel; from disk those that the page holds. @param {Spec[]} specs @param {Record<string, number>} ask */
  exact(specs, ask) {
    return this.backend.draw(specs, { edit: true, ask, side: EXACT, exact: true });
  }

  /** Forget everything: other classes are asked about, or a session brought other styles. */
  clear() {
    this.#cache.clear();
    this.#large.clear();
    this.#stop();
  }

  /**
   * The one picture that the user waits for.
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
    const side = edit ? LARGE : SMALL;
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
    this.#cache.delete(key);
    this.#cache.set(key, picture);
    if (this.#cache.size <= this.most) return;
    const oldest = this.#cache.keys().next().value ?? "";
    this.#cache.delete(oldest);
    this.#large.delete(oldest);
  }

  #stop() {
    this.#fetching.abort();
    this.#fetching = new AbortController();
    this.#wanted.clear();
  }
}
