// @ts-check
import { DataElement, define, h, svg } from "./elements.js";

/** @typedef {import("./document.js").Animation} Animation */

const LENGTH = 4; // bytes that say how long a chunk is: before its name in PNG, after it in WebP
const CHUNK = 20; // bytes of PNG's chunk acTL in all
const [EXTENDED, FRAME, ALPHA] = [10, 16, 0x10]; // bytes of WebP's chunk VP8X and of a frame's head; VP8X's flag of opacity

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
 * Of an animated WebP: the first of its frames by itself.
 * @param {string} src a data URI
 */
export function still(src) {
  const [head = "", data = ""] = src.split(",");
  const file = atob(data);
  if (file.startsWith("RIFF")) return `${head},${btoa(firstFrame(file))}`;
  const at = file.indexOf("acTL");
  return at < 0 ? src : `${head},${btoa(file.slice(0, at - LENGTH) + file.slice(at + CHUNK - LENGTH))}`;
}

/**
 * A WebP of the first `ANMF` chunk's image, which covers the whole picture; a file that is not animated as it is.
 * @param {string} file a byte for each character
 */
function firstFrame(file) {
  const at = file.indexOf("ANMF");
  if (at < 0) return file;
  const start = at + 4 + LENGTH;
  const content = file.slice(start + FRAME, start + number(file, at + 4));
  const size = file.slice(start + 6, start + 12); // of the frame: width and height less one, three bytes each
  const extended = content.startsWith("ALP") ? `VP8X${bytes(EXTENDED)}${String.fromCharCode(ALPHA)}\0\0\0${size}` : "";
  return `RIFF${bytes(4 + extended.length + content.length)}WEBP${extended}${content}`;
}

/** Four bytes, the lowest first. @param {string} file @param {number} at */
function number(file, at) {
  return [3, 2, 1, 0].reduce((value, offset) => 256 * value + file.charCodeAt(at + offset), 0);
}

/** @param {number} value */
function bytes(value) {
  return [0, 8, 16, 24].map((shift) => String.fromCharCode((value >>> shift) & 255)).join("");
}

define("sl-animation", SlAnimation);
