// @ts-check
import { DataElement, define, h } from "./elements.js";

/** @typedef {import("./document.js").Picture} Picture */
/** @typedef {import("./document.js").Cursor} Cursor */

const PERIOD = 650; // milliseconds; slower than three flashes a second, as accessibility guidelines ask

/**
 * @typedef {object} FlickerData
 * @property {Picture} before
 * @property {Picture} after
 * @property {[string, string]} names what the corner says of each
 * @property {string} [label] what a screen reader says of both
 * @property {boolean} [bare] no button: the pictures alternate while pointed at, and from one press to the next
 */

/**
 * Before and after in one place. Holding (pointer, Space or Enter) shows before; the button alternates by itself, or
 * swaps once at each press where the reader prefers reduced motion.
 * @extends {DataElement<FlickerData>}
 */
export class SlFlicker extends DataElement {
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #timer = 0;
  #showsBefore = false;
  #hold = h("button", { type: "button", class: "frame hold" });
  #play = h("button", { type: "button", class: "play", "aria-pressed": "false" });
  #tag = h("span", { class: "tag" });

  /** @param {FlickerData} data */
  draw(data) {
    const { width, height, crisp, src } = data.after;
    this.#hold.classList.toggle("crisp", crisp);
    this.#hold.style.aspectRatio = `${width} / ${height}`;
    this.#hold.replaceChildren(
      h("img", { src, width, height, alt: "", class: "after", draggable: "false" }),
      h("img", { src: data.before.src, width, height, alt: "", class: "before", draggable: "false" }),
      this.#tag,
    );
    this.append(this.#hold);
    if (data.bare) this.#listenBare();
    else this.#listen();
    this.#relabel();
    this.showsBefore = false;
  }

  disconnectedCallback() {
    this.playing = false;
  }

  /** Whether the image before is showing. */
  get showsBefore() {
    return this.#showsBefore;
  }

  set showsBefore(value) {
    this.#showsBefore = value;
    const [before, after] = this.data.names;
    this.classList.toggle("shows-before", value);
    this.#tag.textContent = value ? before : after;
    const { label = "", bare } = this.data;
    this.#hold.setAttribute("aria-label", bare ? `${label}: ${before}, then ${after}. Press to compare.` : `${value ? before : after}. Hold to see ${before}.`);
  }

  /** Whether the images alternate by themselves. */
  get playing() {
    return this.#timer !== 0;
  }

  set playing(value) {
    clearInterval(this.#timer);
    this.#timer = value ? window.setInterval(() => { this.showsBefore = !this.showsBefore; }, PERIOD) : 0;
    this.#play.setAttribute("aria-pressed", String(value));
    this.#relabel();
  }

  #relabel() {
    this.#play.textContent = this.#calm.matches ? "Swap" : this.playing ? "Stop" : "Flicker";
  }

  #listen() {
    const press = () => { this.playing = false; this.showsBefore = true; };
    const release = () => { if (!this.playing) this.showsBefore = false; };
    this.#hold.onpointerdown = press;
    this.#hold.onpointerup = this.#hold.onpointerleave = this.#hold.onpointercancel = this.#hold.onblur = release;
    this.#hold.onkeydown = (event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); press(); } };
    this.#hold.onkeyup = release;
    this.#hold.oncontextmenu = (event) => event.preventDefault();
    this.append(this.#play);
    this.#play.onclick = () => this.#toggle();
    this.#calm.onchange = () => { this.playing = false; };
  }

  /** A mouse over the picture starts and stops it; a finger, Space and Enter press it. */
  #listenBare() {
    const enter = (/** @type {PointerEvent} */ event) => { if (event.pointerType === "mouse" && !this.playing) this.#toggle(); };
    const leave = () => { this.playing = this.showsBefore = false; };
    this.#hold.onpointerenter = enter;
    this.#hold.onpointerleave = (event) => { if (event.pointerType === "mouse") leave(); };
    this.#hold.onblur = leave;
    this.#hold.onclick = () => this.#toggle();
  }

  #toggle() {
    if (this.#calm.matches) this.showsBefore = !this.showsBefore;
    else if (this.playing) this.playing = this.showsBefore = false;
    else this.playing = this.showsBefore = true;
  }
}

define("sl-flicker", SlFlicker);
