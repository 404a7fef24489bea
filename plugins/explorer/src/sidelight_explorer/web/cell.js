// @ts-check
/** One cell of the style matrix. */
import { ABSENT, WHY } from "./disk.js";
import { h } from "./dom.js";
import { pick, pickStart } from "./edits.js";
import { layersText } from "./words.js";
import { fixed, scoreOf, signed, tone } from "./numbers.js";
import { mixOf, plain, withStyle } from "./spec.js";
import { setImage, toneBar } from "./marks.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Style} Style */
/** @typedef {[number, number]} Group */

/**
 * @param {App} app
 * @param {Style} style
 * @param {Group} group
 * @param {number} row
 * @param {number} column
 */
export function makeCell(app, style, group, row, column) {
  const image = h("img", { alt: "", class: "crisp" });
  const mark = toneBar();
  const score = h("span", { class: "score" });
  const change = h("span", { class: "change" });
  const element = h("button", {
    type: "button", class: "cell", "data-place": `${row} ${column}`,
    onclick: (/** @type {MouseEvent} */ event) => choose(event.shiftKey),
    onkeydown: (/** @type {KeyboardEvent} */ event) => walk(event, row, column),
  }, image, mark.element, score, change);

  const usable = () => Boolean(app.item && app.backend.holds(withStyle(app.item.now, group, style.id)));

  /** @param {boolean} start */
  const choose = (start) => {
    const id = app.item?.id;
    if (!id) return;
    if (!usable() || (start && !app.backend.live)) app.say(`This edit ${WHY}.`);
    else app.edit((doc) => (start ? pickStart(doc, id, group, style.id) : pick(doc, id, group, style.id)));
  };

  const show = () => {
    const item = app.item;
    if (!item) return;
    const picture = app.pictures.of(app.view.cells === "style" ? plain(style.id, app.facts.layers) : withStyle(item.now, group, style.id));
    const [value, here] = [scoreOf(picture, app.view), scoreOf(app.picture, app.view)];
    const difference = value !== undefined && here !== undefined ? value - here : undefined;
    const [start, end] = mixOf(item.now, group);
    const able = usable();
    setImage(image, picture);
    mark.show(tone(value, app.classifier));
    score.textContent = picture === null ? ABSENT : fixed(value);
    change.textContent = picture === null ? "" : signed(difference);
    change.className = `change ${(difference ?? 0) < 0 ? "less" : "more"}`;
    element.className = `cell${end === style.id ? " to" : ""}${start === style.id ? " from" : ""}`;
    element.setAttribute("aria-pressed", String(end === style.id));
    element.setAttribute("aria-disabled", String(!able));
    element.title = able ? "" : WHY;
    element.setAttribute("aria-label", `${style.name} in ${layersText(group)}: score ${fixed(value)}, change ${signed(difference)}${able ? "" : `; ${WHY}`}`);
  };
  return { element, show };
}

/** Arrow keys go from cell to cell. @param {KeyboardEvent} event @param {number} row @param {number} column */
function walk(event, row, column) {
  const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [];
  if (down === undefined || right === undefined) return;
  const next = document.querySelector(`.matrix [data-place="${row + down} ${column + right}"]`);
  if (!(next instanceof HTMLElement)) return;
  event.preventDefault();
  next.focus();
}
