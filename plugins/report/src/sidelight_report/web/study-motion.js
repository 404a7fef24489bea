// @ts-check
/** All animations of a screen, which move and stop together. */
import { still } from "./animation.js";
import { h } from "./elements.js";

/** @typedef {import("./document.js").Animation} Animation */

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Motion {
  /** Whether the animations move; at first unless the reader prefers reduced motion. */
  playing = !calm.matches;
  /** @type {Map<HTMLImageElement, Animation>} */
  #shown = new Map();
  #button = h("button", { type: "button", class: "quiet", "aria-keyshortcuts": "Space" });

  constructor() {
    this.#button.onclick = () => this.toggle();
  }

  /** Forget the animations of the screen before. @returns {HTMLButtonElement} the button that stops those of this one */
  reset() {
    this.#shown.clear();
    this.#relabel();
    return this.#button;
  }

  /** @param {Animation | undefined} animation @param {string} alt */
  picture(animation, alt) {
    const image = h("img", { alt });
    if (!animation) return image;
    image.width = animation.width;
    image.height = animation.height;
    image.classList.toggle("crisp", animation.crisp);
    this.#shown.set(image, animation);
    this.#start(image, animation);
    return image;
  }

  toggle() {
    this.playing = !this.playing;
    for (const [image, animation] of this.#shown) this.#start(image, animation);
    this.#relabel();
  }

  /** @param {HTMLImageElement} image @param {Animation} animation */
  #start(image, animation) {
    image.src = this.playing ? animation.src : still(animation.src);
  }

  #relabel() {
    this.#button.replaceChildren(this.playing ? "Stop the pictures" : "Play the pictures", h("kbd", {}, "Space"));
  }
}
