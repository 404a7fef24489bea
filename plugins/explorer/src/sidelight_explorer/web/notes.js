// @ts-check
/** Hypotheses about the classifier: typed by the user, tested on many images, open until verified or falsified. */
import { button, choice, download, fill, h } from "./dom.js";
import { addNote, judge, removeNote } from "./edits.js";
import { notesTable, testForm, testResults } from "./hypothesis-test.js";
import { curvePlot } from "./plot.js";

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
  const table = button("Table", () => download(new Blob([notesTable(app)], { type: "text/csv" }), `${app.facts.name}-hypotheses.csv`), { class: "quiet", title: "Hypotheses and tests as comma-separated values" });
  const element = h("section", { class: "panel notes-panel", "aria-label": "Hypotheses" }, h("header", {}, h("h2", {}, "Hypotheses"), table), form, list);
  /** Notes stay as they are while others change, so that nothing typed is lost. @type {Map<string, { element: HTMLElement, show: () => void }>} */
  const parts = new Map();
  let shown = "";
  const show = () => {
    const ids = app.doc.notes.map(({ id }) => id);
    for (const id of parts.keys()) if (!ids.includes(id)) parts.delete(id);
    for (const id of ids) if (!parts.has(id)) parts.set(id, makeNote(app, id));
    if (ids.join(" ") !== shown) fill(list, ...ids.map((id) => parts.get(id)?.element));
    shown = ids.join(" ");
    table.hidden = !ids.length;
    for (const part of parts.values()) part.show();
  };
  return { element, show };
}

/** @param {App} app @param {string} id */
function makeNote(app, id) {
  const [text, curves] = [h("p", {}), h("div", {})];
  const image = button("", () => app.look({ selected: app.doc.notes.find((note) => note.id === id)?.image ?? "" }), { class: "quiet", title: "Show the image" });
  const verdict = choice(VERDICTS, "open", (next) => app.edit((doc) => judge(doc, id, /** @type {Verdict} */ (next))));
  const [test, results] = [testForm(app, id), testResults(app, id)];
  const element = h("li", {}, text, h("div", { class: "actions" }, image, verdict, button("Remove", () => app.edit((doc) => removeNote(doc, id)), { class: "quiet" })), test.element, results.element, curves);
  let shown = "";
  const show = () => {
    const note = app.doc.notes.find((one) => one.id === id);
    if (!note) return;
    const named = app.doc.images.find((item) => item.id === note.image)?.name;
    image.hidden = named === undefined;
    [image.textContent, text.textContent, verdict.value] = [named ?? "", note.text, note.verdict];
    verdict.setAttribute("aria-label", `Verdict on: ${note.text}`);
    element.className = note.verdict;
    test.show();
    results.show();
    const key = JSON.stringify(note.curves);
    if (key === shown) return;
    shown = key;
    fill(curves, ...(note.curves ?? []).map((curve) => h("figure", {}, curvePlot(curve, null), h("figcaption", {}, `Score of ${curve.image}${curve.band ? `, and of ${curve.band.count} draws` : ""}`))));
  };
  return { element, show };
}
