// @ts-check
/** The page: live from its server, or from disk with what it holds. */
import { fromFragment, tabOf, toFragment } from "./address.js";
import { App } from "./app.js";
import { attributes } from "./attributes.js";
import { compare } from "./compare.js";
import { current } from "./current.js";
import { curve } from "./curve.js";
import { onDisk } from "./disk.js";
import { dock } from "./dock.js";
import { h } from "./dom.js";
import { gallery } from "./gallery.js";
import { inPage } from "./local.js";
import { keys } from "./keys.js";
import { cellSpecs, matrix, rowSpecs } from "./matrix.js";
import { notes } from "./notes.js";
import { THUMBNAIL } from "./pictures.js";
import { connect } from "./server.js";
import { sources } from "./sources.js";
import { tabs } from "./tabs.js";
import { topbar } from "./topbar.js";
import { tour } from "./tour.js";

/** @typedef {import("./types.js").Content} Content */

const SETTLED = 400;
const LONGEST_ADDRESS = 1_900_000; // characters; Chromium takes two million
const COARSE = 128; // pixels of a side up to which the stage shows pixels as squares: larger images are smoothed

async function start() {
  const content = /** @type {Content} */ (JSON.parse(document.getElementById("content")?.textContent ?? "{}"));
  const { facts, document: first, backend } = content.token ? await connect(content.token, waitHere) : fromDisk(content);
  const [saved, tab] = [await fromFragment(location.hash), tabOf(location.hash)];
  let view = {};
  let doc = first;
  let message = "";
  if (saved) {
    try {
      doc = await backend.open(JSON.stringify(saved.doc));
      view = saved.view ?? {};
    } catch (error) {
      message = `The session in the address cannot be opened: ${error instanceof Error ? error.message : error}`;
    }
  }
  const app = new App(facts, backend, doc, { ...view, ...(tab && { tab: /** @type {import("./types.js").Tab} */ (tab) }) });
  app.message = message;
  build(app);
}

/** Say why the page is not there yet. @param {string} message */
function waitHere(message) {
  document.querySelector(".wait")?.remove();
  if (message) document.body.append(h("p", { class: "message wait", role: "status" }, message));
}

/** @param {Content} content */
function fromDisk({ facts, document: doc, pictures, heatmaps, models, worker }) {
  if (!facts || !doc) throw new Error("the page holds no session");
  if (models && worker) return { facts, document: doc, backend: inPage(worker, models, heatmaps ?? []) };
  return { facts, document: doc, backend: onDisk(pictures ?? {}, heatmaps ?? []) };
}

/** @param {App} app */
function build(app) {
  const large = current(app);
  const stage = large.element.querySelector(".stage.after") ?? large.element;
  const measure = () => app.pictures.shownAt(stage.clientWidth);
  const bench = h("div", { class: "bench" });
  const views = tabs(app, bench);
  const parts = { views, top: topbar(app, views.element, () => openKeys()), gallery: gallery(app), current: large, dock: dock(app, stage), matrix: matrix(app), attributes: attributes(app), compare: compare(app), curve: curve(app), sources: sources(app), notes: notes(app) };
  document.body.append(h("a", { class: "skip", href: "#main" }, "Skip to the images"), h("header", { class: "masthead" }, parts.top.element),
    h("main", { id: "main", tabindex: -1 }, parts.gallery.element, bench), parts.dock.element);
  bench.append(parts.current.element, parts.matrix.element, h("div", { class: "side" }, parts.attributes.element, parts.notes.element),
    h("div", { class: "shelf" }, parts.sources.element, parts.curve.element, parts.compare.element));
  const side = Math.max(...app.facts.image.slice(1));
  document.documentElement.classList.toggle("reduced", side > THUMBNAIL);
  document.documentElement.classList.toggle("reduced-stage", side > COARSE);
  const openKeys = keys(app, tour(app));
  let timer = 0;
  const show = () => {
    for (const part of Object.values(parts)) part.show();
    if (!document.documentElement.dataset.ready) measure(); // before the first picture is asked for
    fetchWhatIsShown(app, parts.attributes.specs);
    clearTimeout(timer);
    delete document.documentElement.dataset.remembered;
    timer = setTimeout(() => void remember(app), SETTLED);
  };
  app.listen(show);
  show();
  new ResizeObserver(measure).observe(stage);
  document.documentElement.dataset.ready = "true";
}

let waiting = false;

/**
 * The edited image at once, one request at a time, and what it was; when they are there, all others on the page.
 * @param {App} app
 * @param {() => import("./types.js").Spec[]} ends of the sliders on the screen
 */
function fetchWhatIsShown(app, ends) {
  const item = app.item;
  const rest = () => [...app.doc.images.flatMap(({ now, start }) => [now, start]), ...(app.view.tab === "explore" ? [...cellSpecs(app), ...rowSpecs(app)] : []), ...ends()];
  const next = item && [item.now, item.start].find((spec) => !app.pictures.hasLarge(spec));
  if (!next) {
    app.pictures.want(rest(), app.ask);
    return;
  }
  if (waiting) return;
  waiting = true;
  void app.pictures.now(next, app.ask).finally(() => {
    waiting = false;
    app.announce();
  });
}

/** @param {App} app */
async function remember(app) {
  const fragment = await toFragment(app.doc, app.view);
  if (fragment.length > LONGEST_ADDRESS) {
    history.replaceState(null, "", `#view=${app.view.tab}`); // no older session in its place
    app.hold("The session has become too long for the page's address: save it as a file.");
    return;
  }
  history.replaceState(null, "", `#${fragment}`);
  document.documentElement.dataset.remembered = "true"; // the address holds what is shown
}

start().catch((error) => {
  document.body.append(h("p", { class: "message", role: "alert" }, `The explorer cannot start: ${error instanceof Error ? error.message : error}`));
});
