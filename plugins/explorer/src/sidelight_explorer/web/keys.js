// @ts-check
/** Keys, and the map of them that `?` opens. */
import { copy, copyEdit, pasteEdit, togglePin } from "./current.js";
import { button, h } from "./dom.js";
import { reset } from "./edits.js";
import { save } from "./files.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {[key: string, what: string, action: () => void]} Key */

const ELSEWHERE = /** @type {[string, string][]} */ ([
  ["Ctrl+Z", "undo"], ["Ctrl+Shift+Z", "redo"], ["Arrows", "from image to image, from cell to cell, from view to view"],
  ["Enter", "press what has the focus"], ["Shift+click", "on a cell: start of the slider below it"], ["Esc", "close a window; end the tour"],
]);

/** @param {App} app @param {() => void} tour */
export function keys(app, tour) {
  /** @type {Key[]} */
  const plain = [
    ["1", "view: explore", () => app.look({ tab: "explore" })],
    ["2", "view: test", () => app.look({ tab: "test" })],
    ["3", "view: compare", () => app.look({ tab: "compare" })],
    ["r", "reset the image", () => app.edit((doc) => reset(doc, app.view.selected))],
    ["d", "duplicate it", () => copy(app)],
    ["p", "pin it to compare, or unpin it", () => togglePin(app)],
    ["c", "copy its edit", () => copyEdit(app)],
    ["v", "paste the edit into it", () => pasteEdit(app)],
    ["t", "cells: result view or style view", () => app.look({ cells: app.view.cells === "result" ? "style" : "result" })],
    ["s", "save the session", () => void save(app)],
    ["?", "this map", () => map.showModal()],
  ];
  const rows = [...plain.map(([key, what]) => [key.toUpperCase(), what]), ...ELSEWHERE];
  const map = h("dialog", { class: "keymap", "aria-label": "Keys" }, h("h2", {}, "Keys"),
    h("dl", {}, ...rows.map(([key = "", what = ""]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))),
    h("form", { method: "dialog" }, h("button", {}, "Close"), button("Take the tour", () => { map.close(); tour(); })));
  document.body.append(map);
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLElement && event.target.matches("input[type=text], input[type=number], select, textarea");
    if (typing || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() !== "z" && event.key.toLowerCase() !== "y") return;
      event.preventDefault();
      if (event.shiftKey || event.key.toLowerCase() === "y") app.redo();
      else app.undo();
    } else {
      plain.find(([key]) => key === event.key)?.[2]();
    }
  });
  return () => map.showModal();
}
