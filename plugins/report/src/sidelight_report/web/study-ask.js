// @ts-check
/** The questions, one on a screen. */
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

const MOST_WORDS = 4;
const BY_MOUSE = matchMedia("(pointer: fine)"); // where the focus in a field does not unfold a keyboard over the pictures

/**
 * @param {Stage} stage
 * @param {Part} part
 * @param {number} n
 * @returns {Screen}
 */
export function question(stage, part, n) {
  const stop = stage.motion.reset();
  const back = h("button", { type: "button", class: "quiet", disabled: n === 0 }, "Back");
  back.onclick = () => stage.ask(part, n - 1);
  const leave = h("button", { type: "button", class: "quiet" }, "Leave");
  leave.onclick = stage.home;
  const question = part === "identify" ? identify(stage, n) : describe(stage, n);
  const total = stage.store.study[part].length;
  const position = `Part ${PARTS.indexOf(part) + 1}, question ${n + 1} of ${total}`;
  const element = h("main", { class: "ask" },
    h("header", {}, h("p", { class: "place" }, position), h("progress", { max: total, value: n, "aria-label": position }), leave),
    h("h1", { tabindex: -1 }, question.title), question.body, h("footer", {}, back, stop));
  return { element, keys: { ...question.keys, " ": () => stage.motion.toggle() }, focus: BY_MOUSE.matches ? element.querySelector("input") : null };
}

/** @param {Stage} stage @param {number} n */
function identify(stage, n) {
  const { store, motion } = stage;
  const { left = [], right = [] } = store.study.identify[n] ?? {};
  const begun = performance.now();
  const choose = (/** @type {number} */ choice) => {
    store.session.identify[n] = { choice, seconds: seconds(begun) };
    onwards(stage, "identify", n);
  };
  const given = left.map((at, i) => motion.picture(store.study.animations[at], `Given animation ${i + 1}`));
  const before = store.session.identify[n]?.choice;
  const choices = right.map((at, i) => {
    const button = h("button", { type: "button", class: "choice", "aria-pressed": before === undefined ? null : String(before === i) },
      motion.picture(store.study.animations[at], ""), h("span", {}, "This one", h("kbd", {}, `${i + 1}`)));
    button.setAttribute("aria-label", `Animation ${i + 1} shows the same change`);
    button.onclick = () => choose(i);
    return button;
  });
  const body = h("div", { class: "four" },
    h("section", { "aria-label": "The change" }, h("h2", {}, "These two show one change"), h("div", { class: "two" }, ...given)),
    h("section", { "aria-label": "The choice" }, h("h2", {}, "Which of these shows it, too?"), h("div", { class: "two" }, ...choices)));
  const [first, second] = [() => choose(0), () => choose(1)];
  return { title: "Find the same change", body, keys: { 1: first, 2: second, ArrowLeft: first, ArrowRight: second } };
}

/** @param {Stage} stage @param {number} n */
function describe(stage, n) {
  const { store, motion } = stage;
  const begun = performance.now();
  const field = h("input", { type: "text", id: "words", autocomplete: "off", autocapitalize: "none", maxlength: 80, "aria-describedby": "rule" });
  field.value = store.session.describe[n]?.text ?? "";
  const rule = h("p", { id: "rule", class: "note", "aria-live": "polite" }, "One to four words.");
  const keep = (/** @type {string} */ text) => {
    store.session.describe[n] = { text, seconds: seconds(begun) };
    onwards(stage, "describe", n);
  };
  const form = h("form", {}, h("label", { for: "words" }, "What changes most in these four pictures?"), h("div", { class: "line" }, field, h("button", { class: "primary" }, "Next")), rule);
  form.onsubmit = (event) => {
    event.preventDefault();
    const count = field.value.split(/\s+/).filter(Boolean).length;
    if (count >= 1 && count <= MOST_WORDS) return keep(field.value.trim());
    rule.classList.add("alert");
    rule.textContent = count ? `One to four words, please; these are ${count}.` : "One to four words, please, or say that nothing changes.";
    field.focus();
  };
  const none = h("button", { type: "button", class: "quiet" }, "I see no change");
  none.onclick = () => keep("");
  const pictures = store.study.describe[n]?.pictures ?? [];
  const body = h("div", {}, h("div", { class: "two all" }, ...pictures.map((at, i) => motion.picture(store.study.animations[at], `Animation ${i + 1}`))), form, none);
  return { title: "Say what changes", body, keys: {} };
}

/** @param {number} begun */
function seconds(begun) {
  return Math.round((performance.now() - begun) / 100) / 10;
}

/** To the next question without an answer; after the last of a part home, and after the last of both to the results. @param {Stage} stage @param {Part} part @param {number} n */
function onwards(stage, part, n) {
  const { store } = stage;
  store.save();
  if (n + 1 < store.study[part].length) stage.ask(part, n + 1);
  else if (store.next(part) < store.study[part].length) stage.ask(part, store.next(part));
  else if (PARTS.every((one) => store.next(one) === store.study[one].length)) stage.results();
  else stage.home();
}
