// @ts-check
/** Top bar: views, classifier and class, undo and redo, files. */
import { button, choice, field, fill, h } from "./dom.js";
import { files } from "./files.js";

/** @typedef {import("./app.js").App} App */

/** @param {App} app @param {Element} views @param {() => void} keys opens the map of them */
export function topbar(app, views, keys) {
  const classifier = choice(app.facts.classifiers.map(({ id }) => [id, id]), app.classifier.id, (id) => {
    const chosen = app.facts.classifiers.find((one) => one.id === id);
    app.look({ classifier: id, target: chosen && chosen.task !== "regression" ? chosen.classes.length - 1 : 0 });
  });
  const target = h("select", {});
  target.addEventListener("change", () => app.look({ target: Number(target.value) }));
  const [undo, redo] = [button("Undo", () => app.undo(), { title: "Ctrl+Z" }), button("Redo", () => app.redo(), { title: "Ctrl+Shift+Z" })];
  const work = h("ul", { class: "jobs", "aria-label": "Files under way" });
  const message = h("p", { class: "message", role: "status", "aria-live": "polite" });
  const element = h("div", { class: "topbar" }, h("h1", {}, app.facts.name, h("small", {}, app.backend.live && !app.backend.local ? " explorer" : " explorer, from disk")), views,
    field("classifier", classifier), field("class", target), h("div", { class: "actions" }, undo, redo), files(app, work), button("?", keys, { class: "quiet", title: "Keys, and the tour", "aria-label": "Keys and tour" }), work, message);
  let shown = "";

  const show = () => {
    classifier.value = app.classifier.id;
    if (shown !== app.classifier.id) {
      shown = app.classifier.id;
      fill(target, ...app.classifier.classes.map((name, index) => h("option", { value: index }, name)));
    }
    target.value = String(app.view.target);
    target.disabled = app.classifier.classes.length < 2;
    undo.disabled = app.history.past.length === 0;
    redo.disabled = app.history.future.length === 0;
    message.textContent = app.message || app.pictures.message;
    message.classList.toggle("news", app.isNews && app.message !== "");
  };
  return { element, show };
}
