// @ts-check
/** The questions, one on a screen. */
import { h } from "./elements.js";
import { predict } from "./study-predict.js";
import { choiceKeys, choices, onwards, seconds } from "./study-stage.js";

/** @typedef {import("./study.js").Part} Part */
/** @typedef {import("./study-stage.js").Question} Question */
/** @typedef {import("./study-stage.js").Screen} Screen */
/** @typedef {import("./study-stage.js").Stage} Stage */

const ASKED = { predict, identify, describe };
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
  const question = ASKED[part](stage, n);
  const total = stage.store.study[part].length;
  const position = stage.store.numbered(part, `question ${n + 1} of ${total}`, ",");
  const element = h("main", { class: "ask" },
    h("header", {}, h("p", { class: "place" }, position), h("progress", { max: total, value: n, "aria-label": position }), leave),
    h("h1", { tabindex: -1 }, question.title), question.body, h("footer", {}, back, part !== "predict" && stop));
  return { element, keys: { ...question.keys, ...(part !== "predict" && { " ": () => stage.motion.toggle() }) }, focus: BY_MOUSE.matches ? element.querySelector("input") : null };
}

/** @param {Stage} stage @param {number} n @returns {Question} */
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
  const [first, second] = right.map((at) => motion.picture(store.study.animations[at], ""));
  const buttons = first && second ? choices([first, second], ["Animation 1 shows the same change", "Animation 2 shows the same change"], before, choose) : [];
  const body = h("div", { class: "four" },
    h("section", { "aria-label": "The change" }, h("h2", {}, "These two show one change"), h("div", { class: "two" }, ...given)),
    h("section", { "aria-label": "The choice" }, h("h2", {}, "Which of these shows it, too?"), h("div", { class: "two" }, ...buttons)));
  return { title: "Find the same change", body, keys: choiceKeys(choose) };
}

/** @param {Stage} stage @param {number} n @returns {Question} */
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
