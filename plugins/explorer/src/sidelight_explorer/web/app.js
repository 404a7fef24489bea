// @ts-check
/** The state of the page, and everyone who wants to know when it changes. */
import { label } from "./edits.js";
import { begin, commit, redo, undo } from "./history.js";
import { SAVED } from "./names.js";
import { Pictures } from "./pictures.js";
import { keyOf } from "./spec.js";
import { TABS } from "./tabs.js";

/** @typedef {import("./types.js").Document} Document */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Facts} Facts */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Classifier} Classifier */

export class App {
  /** @type {Set<() => void>} */
  #listeners = new Set();
  #announced = false;
  /** Sliders that this page has named, starred or hidden; what a session brought along is not the run's to keep. @type {Set<string>} */
  #labelled = new Set();
  /** What the page began with. @type {import("./types.js").Labels} */
  #first;

  /**
   * @param {Facts} facts
   * @param {import("./types.js").Backend} backend
   * @param {Document} document
   * @param {Partial<View>} view
   */
  constructor(facts, backend, document, view) {
    this.facts = facts;
    this.backend = backend;
    this.history = begin(document);
    this.#first = document.labels ?? {};
    /** @type {View} */
    this.view = viewFrom(firstView(facts, document), view);
    this.message = "";
    /** The message is no trouble: it goes with the next edit. */
    this.isNews = false;
    /** An edit that was copied. @type {import("./types.js").Edit | undefined} */
    this.copied = undefined;
    this.pictures = new Pictures(backend, facts.image, () => this.announce());
  }

  get doc() {
    return this.history.now;
  }

  /** The image that is edited. @returns {Item | undefined} */
  get item() {
    return this.doc.images.find(({ id }) => id === this.view.selected) ?? this.doc.images[0];
  }

  /** @returns {Classifier} */
  get classifier() {
    const current = this.facts.classifiers.find(({ id }) => id === this.view.classifier) ?? this.facts.classifiers[0];
    if (!current) throw new Error("the page has no classifier");
    return current;
  }

  /** The class asked about, for pictures of classifiers with very many. */
  get ask() {
    return { [this.classifier.id]: this.view.target };
  }

  /**
   * An edit: it can be undone.
   * @param {(doc: Document) => Document} change
   * @param {string} [kind] edits of one kind in a row are undone together
   */
  edit(change, kind = "") {
    if (this.isNews) this.#tell("", false);
    this.history = commit(this.history, change(this.doc), kind);
    this.#select();
    this.announce();
  }

  /** Another session altogether; the one before can be had again by undo. @param {Document} document */
  replace(document) {
    this.edit(() => document);
  }

  /**
   * Name, star or hide sliders, which the run keeps for the next visit.
   * @param {string[]} ids
   * @param {import("./types.js").Label | null} change null forgets what was
   * @param {(doc: Document) => Document} [edit] what is done to the session besides
   */
  label(ids, change, edit = (doc) => doc) {
    const before = this.doc;
    for (const id of ids) this.#labelled.add(id);
    this.edit((doc) => label(edit(doc), ids, change));
    this.#keepNames(before);
  }

  /** @param {Document} before */
  #keepNames({ labels: before }) {
    const now = this.doc.labels ?? {};
    const changed = [...this.#labelled].filter((id) => JSON.stringify(before?.[id]) !== JSON.stringify(now[id]));
    if (changed.length === 0 || !this.facts.keepsNames) return;
    // the run says nothing of what is as the finder has it, unless a session that pages begin with says something
    const gone = (/** @type {string} */ id) => (this.#first[id] && !id.startsWith(`${SAVED}.`) ? {} : null);
    void this.tell(this.backend.keepNames(Object.fromEntries(changed.map((id) => [id, now[id] ?? gone(id)]))));
  }

  undo() {
    const before = this.doc;
    this.history = undo(this.history);
    this.#keepNames(before);
    this.#select();
    this.announce();
  }

  redo() {
    const before = this.doc;
    this.history = redo(this.history);
    this.#keepNames(before);
    this.#select();
    this.announce();
  }

  /** What is looked at. @param {Partial<View>} change */
  look(change) {
    this.view = { ...this.view, ...change };
    this.announce();
  }

  /** What is wrong, or cannot be. @param {string} message */
  say(message) {
    this.#tell(message, false);
  }

  /** What was done. @param {string} message */
  report(message) {
    this.#tell(message, true);
  }

  /** @param {string} message @param {boolean} isNews */
  #tell(message, isNews) {
    [this.message, this.isNews] = [message, isNews];
    this.announce();
  }

  #held = "";

  /** A sentence that is said once, not again at every change. @param {string} message */
  hold(message) {
    if (this.#held === message) return;
    this.#held = message;
    this.say(message);
  }

  /** Run work whose failure the user should read. @template T @param {Promise<T>} work @returns {Promise<T | undefined>} */
  async tell(work) {
    try {
      return await work;
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  /** @param {() => void} listener */
  listen(listener) {
    this.#listeners.add(listener);
  }

  /** Tell everyone, once for all changes of this turn. */
  announce() {
    if (this.#announced) return;
    this.#announced = true;
    queueMicrotask(() => {
      this.#announced = false;
      for (const listener of this.#listeners) listener();
    });
  }

  /** The picture of the image that is edited, where it is there. */
  get picture() {
    return this.item && this.pictures.get(keyOf(this.item.now));
  }

  #select() {
    if (!this.doc.images.some(({ id }) => id === this.view.selected)) {
      this.view = { ...this.view, selected: this.doc.images[0]?.id ?? "" };
    }
    const known = new Set(this.doc.images.map(({ id }) => id));
    this.view = { ...this.view, pins: this.view.pins.filter((id) => known.has(id)) };
  }
}

/** @param {Facts} facts @param {Document} document @returns {View} */
function firstView(facts, document) {
  const classifier = facts.classifiers[0];
  return {
    selected: document.images[0]?.id ?? "",
    classifier: classifier?.id ?? "",
    target: classifier && classifier.task !== "regression" ? classifier.classes.length - 1 : 0,
    cells: "result", sort: true, pins: [], explainer: "", opacity: 70, tab: "explore",
  };
}

/** The view of an address, which may be anybody's: what is not of the kind expected is left out. @param {View} first @param {Partial<View>} view @returns {View} */
function viewFrom(first, view) {
  const fitting = Object.entries(view).filter(([key, value]) => typeof value === typeof first[/** @type {keyof View} */ (key)]);
  /** @type {View} */
  const next = { ...first, ...Object.fromEntries(fitting) };
  const pins = Array.isArray(next.pins) ? next.pins.filter((pin) => typeof pin === "string").slice(-2) : [];
  return { ...next, pins, tab: TABS.includes(next.tab) ? next.tab : first.tab, cells: next.cells === "style" ? "style" : "result" };
}
