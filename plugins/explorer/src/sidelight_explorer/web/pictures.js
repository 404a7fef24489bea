// @ts-check
/** Pictures by key: what is there, and fetching what is not. What the user waits for goes first; the rest gives way. */
import { keyOf } from "./spec.js";

/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./types.js").Backend} Backend */

const KEPT_PIXELS = 30_000_000;
const AT_ONCE = 24;

export class Pictures {
  /** @type {Map<string, Picture | null>} */
  #cache = new Map();
  /** @type {Map<string, Spec>} */
  #wanted = new Map();
  #fetching = new AbortController();
  #busy = false;
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

  /** Forget everything: other classes are asked about, or a session brought other styles. */
  clear() {
    this.#cache.clear();
    this.#stop();
  }

  /**
   * The one picture that the user waits for.
   * @param {Spec} spec
   * @param {Record<string, number>} ask
   */
  async now(spec, ask) {
    const key = keyOf(spec);
    if (this.#cache.has(key)) return;
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
    try {
      const pictures = await this.backend.draw(part.map(([, spec]) => spec), { edit, ask, signal });
      part.forEach(([key], index) => this.#keep(key, pictures[index] ?? null));
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
    if (this.#cache.size > this.most) this.#cache.delete(this.#cache.keys().next().value ?? "");
  }

  #stop() {
    this.#fetching.abort();
    this.#fetching = new AbortController();
    this.#wanted.clear();
  }
}
