// @ts-check
/** Attributes as sliders: those that finders have found, and directions that the user saved. */
import { WHY } from "./disk.js";
import { button, fill, h } from "./dom.js";
import { addSlider } from "./edits.js";
import { SAVED, idsOf, labelOf, linesOf, nameOf, slidersOf } from "./names.js";
import { makeSlider } from "./slider.js";
import { layersText } from "./words.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./names.js").Line} Line */
/** @typedef {import("./slider.js").SliderPart} SliderPart */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Spec} Spec */
/** @typedef {import("./types.js").Direction} Direction */

const NO_CLASS = "Towards no class in particular";

/** @param {App} app */
export function attributes(app) {
  const list = h("div", { class: "sliders" });
  const [about, kept] = [h("p", { class: "note" }), h("p", { class: "note" })];
  const save = button("Turn edit into a direction", () => void make({ name: `edit of ${app.item?.name}`, start: app.item?.start, now: app.item?.now }));
  const element = h("section", { class: "panel attributes-panel", "aria-label": "Attributes" }, h("header", {}, h("h2", {}, "Attributes"), save), about, list, kept);
  const hidden = h("details", { class: "hidden-sliders" });
  /** @type {Map<string, SliderPart>} */
  const parts = new Map();
  let built = "none";
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) parts.get(target.getAttribute("data-slider") ?? "")?.seen(isIntersecting);
    app.announce();
  }, { rootMargin: "100px" });

  /** Menus close when something else is pressed, and by Escape. @param {Element | null} within */
  const closeMenus = (within) => {
    for (const menu of list.querySelectorAll("details.more[open]")) if (!within || !menu.contains(within)) menu.removeAttribute("open");
  };
  document.addEventListener("pointerdown", ({ target }) => closeMenus(target instanceof Element ? target : null));
  list.addEventListener("keydown", ({ key, target }) => {
    const menu = key === "Escape" && target instanceof Element && target.closest("details.more[open]");
    if (!menu) return;
    menu.querySelector("summary")?.focus();
    closeMenus(null);
  });

  /** @param {{ name: string, layers?: [number, number], slider?: string, start?: Spec | undefined, now?: Spec | undefined }} wish */
  const make = async (wish) => {
    const slider = await app.tell(app.backend.direction(/** @type {Direction} */ ({ ...wish, name: wish.name.slice(0, 200) })));
    if (!slider) return;
    const there = app.doc.sliders.find(({ id }) => id === slider.id);
    if (there) {
      app.say(`That is a slider already: ${nameOf(app, { up: there, down: undefined })}.`);
      return;
    }
    app.label([slider.id], { name: slider.name }, (doc) => addSlider(doc, slider));
    show();
    parts.get(slider.id)?.rename();
    parts.get(slider.id)?.element.scrollIntoView({ block: "nearest" });
  };

  const show = () => {
    const lines = linesOf(slidersOf(app));
    const structure = JSON.stringify(lines.map((line) => [idsOf(line), labelOf(app, line).starred, labelOf(app, line).hidden]));
    if (structure !== built) {
      built = structure;
      arrange(lines);
    }
    about.textContent = lines.length ? "100 is the whole shift; beside the name, what it did to the class's logit where it was measured. Pictures and scores at both ends are of the selected image as it began."
      + (app.backend.live ? "" : ` Grey ones: moving them ${WHY}.`) : "The recipe has no attribute finder for this generator.";
    kept.textContent = !app.backend.live || lines.length === 0 ? "" : app.facts.keepsNames ? "Names, stars and saved directions are kept with the run." : "Names, stars and saved directions are kept in the session only.";
    const [able, why] = canSave(app);
    save.disabled = !able;
    save.title = why;
    for (const part of parts.values()) part.show();
  };

  /** Put every slider in its place; one that is there already stays as it is. @param {Line[]} lines */
  const arrange = (lines) => {
    const focused = document.activeElement;
    watcher.disconnect();
    const known = new Set(lines.map(keyOf));
    for (const id of [...parts.keys()]) if (!known.has(id)) parts.delete(id);
    /** @param {Line} line */
    const place = (line) => {
      const part = parts.get(keyOf(line)) ?? makeSlider(app, line, (layers) => void make({ name: `${nameOf(app, line)}, ${layersText(layers)}`, slider: line.up.id, layers }));
      parts.set(keyOf(line), part);
      watcher.observe(part.element);
      return part.element;
    };
    const folded = lines.filter((line) => labelOf(app, line).hidden);
    fill(hidden, h("summary", {}, `Hidden (${folded.length})`), h("div", { class: "slider-grid" }, ...folded.map(place)));
    const shown = grouped(app, lines.filter((line) => !labelOf(app, line).hidden)).flatMap(([title, some]) => [
      (title !== NO_CLASS || lines.some(({ up }) => up.towards !== "")) && h("h3", {}, title), h("div", { class: "slider-grid" }, ...some.map(place))]);
    fill(list, ...shown, folded.length > 0 && hidden);
    if (!(focused instanceof HTMLElement && list.contains(focused))) return;
    focused.focus({ preventScroll: true }); // moving an element loses its focus
    if (document.activeElement !== focused) hidden.querySelector("summary")?.focus({ preventScroll: true });
  };

  /** Pictures of the sliders' ends that are on the screen. @returns {Spec[]} */
  const specs = () => [...parts.values()].flatMap((part) => part.specs());
  return { element, show, specs };
}

/** One slider may become two, or two one, with the sliders of an opened session. @param {Line} line */
function keyOf(line) {
  return idsOf(line).join(" ");
}

/** Starred ones first, then the user's, those with two sides, and the others by the class they raise. @param {App} app @param {Line[]} lines @returns {[string, Line[]][]} */
function grouped(app, lines) {
  /** @param {Line} line */
  const titleOf = (line) => labelOf(app, line).starred ? "Starred" : line.up.finder === SAVED ? "Saved directions" : line.down ? "Both ways"
    : line.up.towards !== "" ? `Towards \u201c${line.up.towards}\u201d` : NO_CLASS;
  const titles = new Set(["Starred", "Saved directions", "Both ways", ...lines.map(titleOf)]);
  return [...titles].map((title) => /** @type {[string, Line[]]} */ ([title, lines.filter((line) => titleOf(line) === title)])).filter(([, some]) => some.length > 0);
}

/** Whether the selected image's edit is a shift of W, and why not or what is left out. @param {App} app @returns {[boolean, string]} */
function canSave(app) {
  const item = app.item;
  if (!app.backend.live) return [false, `A new slider ${WHY}`];
  if (!item) return [false, "Select an image"];
  const moved = slidersOf(app).filter(({ id }) => (item.now.moves[id] ?? 0) !== (item.start.moves[id] ?? 0));
  const coordinates = moved.filter(({ along }) => along === "style").length;
  const isMixed = JSON.stringify(item.now.layers) !== JSON.stringify(item.start.layers);
  if (!isMixed && moved.length === coordinates) return [false, coordinates ? "Coordinates of the style space are no direction in W: mix a style, or move a direction" : "Edit the image first"];
  return [true, coordinates ? `What the edit moves in W, as a slider for any image; without the ${coordinates} coordinates of the style space` : "What the edit moves in W, as a slider for any image"];
}
