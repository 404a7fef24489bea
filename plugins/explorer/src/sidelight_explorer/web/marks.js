// @ts-check
/** Small marks that several parts of the page share. */
import { h } from "./dom.js";

/** @typedef {import("./types.js").Picture} Picture */

/** A bar from the middle: to the right for the class, to the left against it. */
export function toneBar() {
  const part = h("span", {});
  /** @param {number} value in [-1, 1] */
  const show = (value) => {
    part.className = value < 0 ? "less" : "more";
    part.style.width = `${50 * Math.abs(value)}%`;
  };
  return { element: h("span", { class: "tone", "aria-hidden": "true" }, part), show };
}

/** A clear pixel: an image element without a source shows the browser's icon for a broken one. */
const CLEAR = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";

/**
 * A picture in an image element, hatched where there is none; nothing is loaded again that is there already.
 * @param {HTMLImageElement} image
 * @param {Picture | null | undefined} picture
 */
export function setImage(image, picture) {
  const source = picture ? picture.src : CLEAR;
  image.classList.toggle("blank", picture === undefined);
  image.classList.toggle("absent", picture === null);
  if (image.src !== source) image.src = source;
}
