// @ts-check
/** The selected image before and after, with their scores, small in a corner while the large ones are out of sight: on phones, sliders lie far below. */
import { h } from "./dom.js";
import { setImage } from "./marks.js";
import { fixed, scoreOf } from "./numbers.js";

/** @typedef {import("./app.js").App} App */

/** @param {App} app @param {Element} stage the large image */
export function dock(app, stage) {
  const [before, after] = [side("before"), side("after")];
  const element = h("div", { class: "dock", "aria-hidden": "true", hidden: true }, before.element, after.element);
  new IntersectionObserver(([entry]) => { element.hidden = entry?.isIntersecting ?? true; }).observe(stage);
  const show = () => {
    for (const [part, spec] of /** @type {const} */ ([[before, app.item?.start], [after, app.item?.now]])) {
      const picture = spec && app.pictures.of(spec);
      if (picture !== undefined) part.show(picture, fixed(scoreOf(picture, app.view)));
    }
  };
  return { element, show };
}

/** @param {string} name */
function side(name) {
  const [image, score] = [h("img", { alt: "", class: "crisp" }), h("span", { class: "score" })];
  /** @param {import("./types.js").Picture | null} picture @param {string} text */
  const show = (picture, text) => {
    setImage(image, picture);
    score.textContent = text;
  };
  return { element: h("figure", { class: name }, image, score), show };
}
