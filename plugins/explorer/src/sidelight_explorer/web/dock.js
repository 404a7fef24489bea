// @ts-check
/** The edited image and its score, small in a corner while the large one is out of sight: on phones, sliders lie far below it. */
import { h } from "./dom.js";
import { setImage } from "./marks.js";
import { fixed, scoreOf } from "./numbers.js";

/** @typedef {import("./app.js").App} App */

/** @param {App} app @param {Element} stage the large image */
export function dock(app, stage) {
  const [image, score] = [h("img", { alt: "", class: "crisp" }), h("span", { class: "score" })];
  const element = h("div", { class: "dock", "aria-hidden": "true", hidden: true }, image, score);
  new IntersectionObserver(([entry]) => { element.hidden = entry?.isIntersecting ?? true; }).observe(stage);
  const show = () => {
    const picture = app.item && app.pictures.of(app.item.now);
    if (picture === undefined) return;
    setImage(image, picture);
    score.textContent = fixed(scoreOf(picture, app.view));
  };
  return { element, show };
}
