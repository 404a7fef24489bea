// @ts-check
/** Hypotheses about the classifier: typed by the user, open until verified or falsified. */
import { button, choice, fill, h } from "./dom.js";
import { addNote, judge, removeNote } from "./edits.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Verdict} Verdict */

const VERDICTS = /** @type {[Verdict, string][]} */ ([["open", "open"], ["verified", "verified"], ["falsified", "falsified"]]);

/** @param {App} app */
export function notes(app) {
  const list = h("ul", { class: "notes" });
  const input = h("input", { type: "text", maxlength: 2000, placeholder: "The score follows …", "aria-label": "A hypothesis" });
  const form = h("form", {}, input, h("button", { type: "submit" }, "Note it"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.trim()) app.edit((doc) => addNote(doc, app.view.selected, input.value.trim()));
    input.value = "";
  });
  const element = h("section", { class: "panel notes-panel", "aria-label": "Hypotheses" }, h("header", {}, h("h2", {}, "Hypotheses")), form, list);
  let shown = "";
  const show = () => {
    const key = JSON.stringify([app.doc.notes, app.doc.images.map(({ id, name }) => [id, name])]);
    if (key === shown) return;
    shown = key;
    fill(list, ...app.doc.notes.map(({ id, image, text, verdict }) => h("li", { class: verdict }, h("p", {}, text), h("div", { class: "actions" },
      app.doc.images.some((item) => item.id === image) && button(app.doc.images.find((item) => item.id === image)?.name ?? "", () => app.look({ selected: image }), { class: "quiet", title: "Show the image" }),
      choice(VERDICTS, verdict, (next) => app.edit((doc) => judge(doc, id, /** @type {Verdict} */ (next))), { "aria-label": `Verdict on: ${text}` }),
      button("Remove", () => app.edit((doc) => removeNote(doc, id)), { class: "quiet" })))));
  };
  return { element, show };
}
