// @ts-check
import { DataElement, define, h } from "./elements.js";
import { context2d, pixels } from "./grid.js";

/** @typedef {import("./document.js").Picture} Picture */
/** @typedef {import("./document.js").Cursor} Cursor */

/**
 * A picture that the reader can point at. It tells where through the event `sl-cursor` and shows the same pixel when
 * told through `cursor`, so that the pictures of one image point together. Enter starts pointing with the arrow keys,
 * Escape ends it.
 * @template {{ picture: Picture, label: string }} T
 * @extends {DataElement<T>}
 */
export class PointedPicture extends DataElement {
  frame = h("div", { class: "frame", tabindex: 0, role: "img" });
  canvas = h("canvas");
  marker = h("div", { class: "marker", hidden: true });
  badge = h("output", { class: "badge", hidden: true });
  /** @type {Cursor | null} */
  #cursor = null;
  #inspecting = false;

  /** @param {T} data */
  draw(data) {
    const { width, height, crisp } = data.picture;
    this.canvas.width = width;
    this.canvas.height = height;
    this.frame.classList.toggle("crisp", crisp);
    this.frame.style.aspectRatio = `${width} / ${height}`;
    this.frame.setAttribute("aria-label", `${data.label}. Press Enter to read values with the arrow keys.`);
    this.frame.replaceChildren(this.canvas, this.marker, this.badge);
    this.append(this.frame);
    this.#listen();
  }

  get cursor() {
    return this.#cursor;
  }

  set cursor(cursor) {
    this.#cursor = cursor;
    this.marker.hidden = this.badge.hidden = cursor === null;
    if (!cursor) return;
    const { width, height } = this.data.picture;
    this.marker.style.left = `${(100 * cursor.x) / width}%`;
    this.marker.style.top = `${(100 * cursor.y) / height}%`;
    this.marker.style.width = `${100 / width}%`;
    this.marker.style.height = `${100 / height}%`;
    this.badge.textContent = this.read(cursor);
  }

  /**
   * The value at a pixel, as text.
   * @param {Cursor} _cursor
   */
  read(_cursor) {
    return "";
  }

  #listen() {
    this.frame.onpointermove = (event) => this.#tell(this.#pixelAt(event));
    this.frame.onpointerdown = (event) => this.#tell(this.#pixelAt(event));
    this.frame.onpointerleave = () => this.#inspecting || this.#tell(null);
    this.frame.onblur = () => this.#stop();
    this.frame.onkeydown = (event) => this.#key(event);
  }

  /** @param {PointerEvent} event @returns {Cursor} */
  #pixelAt(event) {
    const box = this.frame.getBoundingClientRect();
    const { width, height } = this.data.picture;
    return this.#inside({
      x: Math.floor(((event.clientX - box.left) / box.width) * width),
      y: Math.floor(((event.clientY - box.top) / box.height) * height),
    });
  }

  /** @param {Cursor} cursor @returns {Cursor} */
  #inside({ x, y }) {
    const { width, height } = this.data.picture;
    return { x: Math.max(0, Math.min(width - 1, x)), y: Math.max(0, Math.min(height - 1, y)) };
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { width, height } = this.data.picture;
    if (event.key === "Enter" && !this.#inspecting) {
      this.#inspecting = true;
      this.badge.setAttribute("aria-live", "polite");
      this.#tell(this.#cursor ?? { x: width >> 1, y: height >> 1 });
    } else if (event.key === "Escape" || event.key === "Enter") {
      this.#stop();
    } else if (this.#inspecting && this.#cursor && event.key.startsWith("Arrow")) {
      const step = Math.max(1, Math.round(width / 64)) * (event.shiftKey ? 8 : 1);
      const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] ?? [0, 0];
      this.#tell(this.#inside({ x: this.#cursor.x + (dx ?? 0), y: this.#cursor.y + (dy ?? 0) }));
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #stop() {
    this.#inspecting = false;
    this.badge.removeAttribute("aria-live");
    this.#tell(null);
  }

  /** @param {Cursor | null} cursor */
  #tell(cursor) {
    this.cursor = cursor;
    this.dispatchEvent(new CustomEvent("sl-cursor", { detail: cursor, bubbles: true }));
  }
}

/**
 * An image as it is; values are its channels in [0, 1].
 * @extends {PointedPicture<{ picture: Picture, label: string }>}
 */
export class SlPicture extends PointedPicture {
  /** @type {ImageData | null} */
  #pixels = null;

  /** @param {{ picture: Picture, label: string }} data */
  draw(data) {
    super.draw(data);
    void this.#load(data.picture);
  }

  /** @param {Picture} picture */
  async #load(picture) {
    this.#pixels = await pixels(picture);
    context2d(this.canvas).putImageData(this.#pixels, 0, 0);
  }

  /** @param {Cursor} cursor */
  read({ x, y }) {
    if (!this.#pixels) return "";
    const at = 4 * (y * this.#pixels.width + x);
    const channels = [...this.#pixels.data.slice(at, at + 3)].map((value) => (value / 255).toFixed(2));
    return new Set(channels).size === 1 ? `${channels[0]}` : channels.join(" ");
  }
}

define("sl-picture", SlPicture);
