// @ts-check
import { DataElement, define, h, svg } from "./elements.js";

/** @typedef {import("./document.js").Animation} Animation */

const LENGTH = 4; // bytes before a chunk's name that say how long it is
const CHUNK = 20; // bytes of the chunk acTL in all

/**
 * An animated picture that can be stopped. It moves by itself, except where the reader prefers reduced motion: then it is
 * still until it is pressed.
 * @extends {DataElement<{ animation: Animation, label: string }>}
 */
export class SlAnimation extends DataElement {
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #playing = false;
  #button = h("button", { type: "button", class: "frame moving" });
  #image = h("img", { alt: "" });
  #icon = svg("path", {});

  /** @param {{ animation: Animation, label: string }} data */
  draw({ animation }) {
    const { width, height, crisp } = animation;
    this.#button.classList.toggle("crisp", crisp);
    this.#button.style.aspectRatio = `${width} / ${height}`;
    this.#image.width = width;
    this.#image.height = height;
    this.#button.replaceChildren(this.#image, svg("svg", { viewBox: "0 0 10 10", class: "icon", "aria-hidden": "true" }, this.#icon));
    this.#button.onclick = () => { this.playing = !this.playing; };
    this.#calm.onchange = () => { this.playing = !this.#calm.matches; };
    this.append(this.#button);
    this.playing = !this.#calm.matches;
  }

  /** Whether the picture moves. */
  get playing() {
    return this.#playing;
  }

  set playing(value) {
    const { animation, label } = this.data;
    this.#playing = value;
    this.#image.src = value ? animation.src : still(animation.src);
    this.#icon.setAttribute("d", value ? "M2 1h2v8h-2zM6 1h2v8h-2z" : "M2.5 1l6 4-6 4z");
    this.classList.toggle("still", !value);
    this.#button.setAttribute("aria-pressed", String(value));
    this.#button.setAttribute("aria-label", `Play the animation: ${label}`);
  }
}

/**
 * The first frame of an animated PNG: the same file without its chunk `acTL`, by which browsers know that it is animated.
 * @param {string} src a data URI
 */
export function still(src) {
  const [head = "", data = ""] = src.split(",");
  const file = atob(data);
  const at = file.indexOf("acTL");
  return at < 0 ? src : `${head},${btoa(file.slice(0, at - LENGTH) + file.slice(at + CHUNK - LENGTH))}`;
}

define("sl-animation", SlAnimation);
