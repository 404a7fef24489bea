// @ts-check
/** What every screen of a study gets, and how it goes on. */
import { h } from "./elements.js";
import { PARTS } from "./study-store.js";

/** @typedef {import("./study.js").Part} Part */
/** @typedef {import("./study-store.js").Store} Store */
/** @typedef {import("./study-motion.js").Motion} Motion */

/**
 * What a screen needs, and where it can go.
 * @typedef {object} Stage
 * @property {Store} store
 * @property {Motion} motion
 * @property {(part: Part, n: number) => void} ask
 * @property {() => void} home
 * @property {() => void} results
 */

/**
 * A screen, what its keys do, and what has the focus at first: the heading where nothing is named.
 * @typedef {{ element: HTMLElement, keys: Record<string, () => void>, focus?: HTMLElement | null }} Screen
 */

/** The part of a screen that is one question's. @typedef {{ title: string, body: HTMLElement, keys: Record<string, () => void> }} Question */

/** Seconds since a time, to a tenth. @param {number} begun */
export function seconds(begun) {
  return Math.round((performance.now() - begun) / 100) / 10;
}

/** To the next question without an answer; after the last of a part home, and after the last of all to the results. @param {Stage} stage @param {Part} part @param {number} n */
export function onwards(stage, part, n) {
  const { store } = stage;
  store.save();
  if (n + 1 < store.study[part].length) stage.ask(part, n + 1);
  else if (store.next(part) < store.study[part].length) stage.ask(part, store.next(part));
  else if (PARTS.every((one) => store.next(one) === store.study[one].length)) stage.results();
  else stage.home();
}

/**
 * Two buttons that answer a question, each with a picture.
 * @param {[Node, Node]} pictures
 * @param {[string, string]} labels what a screen reader says
 * @param {number | undefined} before the answer given earlier
 * @param {(choice: number) => void} choose
 */
export function choices(pictures, labels, before, choose) {
  return pictures.map((picture, i) => {
    const button = h("button", { type: "button", class: "choice", "aria-pressed": before === undefined ? null : String(before === i), "aria-label": labels[i] },
      picture, h("span", {}, "This one", h("kbd", {}, `${i + 1}`)));
    button.onclick = () => choose(i);
    return button;
  });
}

/** Keys that answer it. @param {(choice: number) => void} choose @returns {Record<string, () => void>} */
export function choiceKeys(choose) {
  const [first, second] = [() => choose(0), () => choose(1)];
  return { 1: first, 2: second, ArrowLeft: first, ArrowRight: second };
}
