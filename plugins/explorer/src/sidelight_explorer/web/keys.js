// @ts-check
/** Keys: undo, redo, save, reset, duplicate, pin, copy and paste, and the two views of the matrix. */
import { copy, copyEdit, pasteEdit, togglePin } from "./current.js";
import { reset } from "./edits.js";
import { save } from "./files.js";

/** @typedef {import("./app.js").App} App */

/** @param {App} app */
export function keys(app) {
  /** @type {Record<string, () => void>} */
  const plain = {
    r: () => app.edit((doc) => reset(doc, app.view.selected)),
    d: () => copy(app),
    p: () => togglePin(app),
    s: () => void save(app),
    c: () => copyEdit(app),
    v: () => pasteEdit(app),
    t: () => app.look({ cells: app.view.cells === "result" ? "style" : "result" }),
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLElement && event.target.matches("input[type=text], input[type=number], select, textarea");
    if (typing || event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() !== "z" && event.key.toLowerCase() !== "y") return;
      event.preventDefault();
      if (event.shiftKey || event.key.toLowerCase() === "y") app.redo();
      else app.undo();
    } else if (plain[event.key]) {
      plain[event.key]?.();
    }
  });
}
