// @ts-check
/** A test of one hypothesis: what is expected, on which images; and what came out. */
import { WHY } from "./disk.js";
import { button, choice, download, field, fill, h } from "./dom.js";
import { MOST_KEPT, addTest, editOf, explain, judge } from "./edits.js";
import { LEVEL, byGroup, changesOf, fixed, meanInterval, outcomeOf, proposed, sentence, shortest, signed, turnedInterval } from "./hypothesis.js";
import { testPlot } from "./plot.js";
import { follow } from "./progress.js";
import { csv } from "./table.js";
import { isEdit, openEditText } from "./words.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Note} Note */
/** @typedef {import("./types.js").Test} Test */
/** @typedef {import("./types.js").Measure} Measure */
/** @typedef {import("./types.js").Measured} Measured */
/** @typedef {import("./types.js").Expected} Expected */

const EXPECTED = /** @type {[Expected, string][]} */ ([["up", "it rises"], ["down", "it falls"], ["none", "it does not change"]]);
const LARGEST = 1e9; // change that a session file takes
const SHARE_OF_SPREAD = 0.2; // of a regression's scores: the smallest change that matters, unless the user says otherwise

/** @param {App} app @param {string} id the note's */
export function testForm(app, id) {
  const expected = choice(EXPECTED, "up", () => {}, { "aria-label": "What the score is expected to do" });
  const least = h("input", { type: "number", min: 0, step: "any", "aria-label": "Smallest change that matters" });
  const splits = app.facts.splits.map((split) => /** @type {[string, string]} */ ([`data ${split}`, `images of ${split}`]));
  const on = choice([["draws", "fresh draws"], ["gallery", "the gallery"], ...splits], "draws", () => show(), { "aria-label": "Images to test on" });
  const held = app.facts.draws ?? { seeds: 2 ** 31, count: 500, controls: 100 }; // a page from disk holds some
  const [count, seed, controls] = [number("Number of images", Math.min(100, held.count), 5, held.count), number("Seed of the test", 1, 0, held.seeds - 1), number("Random edits", Math.min(19, held.controls), 0, held.controls)];
  const factors = h("input", { type: "checkbox", disabled: !app.facts.factors, title: app.facts.factors ? "A network reads them; it learns at its first use, in minutes" : "The data is not drawn from known factors" });
  const run = button("Run the test", () => void start());
  const [edit, score, work] = [h("p", { class: "note" }), h("span", {}), h("ul", { class: "jobs", "aria-live": "polite" })];
  const counted = field("images", count);
  let busy = false;
  least.addEventListener("change", () => { if (least.valueAsNumber < 0 || least.valueAsNumber > LARGEST) least.value = String(Math.min(LARGEST, Math.abs(least.valueAsNumber))); });
  let [chosen, from] = [false, 1];
  seed.addEventListener("input", () => { chosen = true; });

  const element = h("details", { class: "test-form" }, h("summary", {}, "Test it"), edit,
    h("div", { class: "test-fields" }, h("label", { class: "field" }, score, expected), field("by more than", least), field("on", on), counted,
      field("seed", seed), field("random edits", controls), field("true factors", factors)), run, work);

  const note = () => app.doc.notes.find((one) => one.id === id);
  /** @returns {import("./types.js").Item | undefined} */
  const item = () => {
    const image = note()?.image;
    return app.doc.images.find((one) => one.id === image) ?? app.item;
  };

  const show = () => {
    const image = item();
    const what = image && editOf(image);
    const ready = Boolean(what && isEdit(what));
    edit.textContent = !app.backend.measures ? `A test ${WHY}.` : image && what && ready ? `The edit of ${image.name}: ${openEditText(app, what)}` : `Edit ${image?.name ?? "an image"} first: the test does the same to many images.`;
    score.textContent = `the score of “${app.classifier.classes[app.view.target] ?? app.view.target}”:`;
    const full = (note()?.tests?.length ?? 0) >= MOST_KEPT;
    run.disabled = busy || !app.backend.measures || !ready || full;
    run.title = !app.backend.measures ? WHY : busy ? "A test is under way" : !ready ? "Edit the image first" : full ? `A hypothesis keeps ${MOST_KEPT} tests, all of them: note it anew to go on` : "";
    if (!chosen) seed.value = String(freshSeed(app, from, held.seeds));
    counted.hidden = on.value === "gallery";
    least.placeholder = String(defaultLeast(app));
  };

  const start = async () => {
    const [image, asked] = [item(), note()];
    if (!image || !asked) return;
    const [population, split] = /** @type {[Measure["on"], string | undefined]} */ (on.value.split(/ (.*)/));
    const images = population === "gallery" ? app.doc.images.map((one) => one.start) : undefined;
    /** @type {Measure} */
    const wish = {
      edit: editOf(image), on: population, count: images?.length ?? count.valueAsNumber, seed: seed.valueAsNumber, controls: controls.valueAsNumber,
      classifier: app.classifier.id, target: app.view.target, ...(split && { split }), factors: factors.checked,
    };
    const stated = { expected: /** @type {Expected} */ (expected.value), least: least.value === "" ? defaultLeast(app) : least.valueAsNumber };
    busy = true;
    show();
    const line = follow(app, work, "testing");
    const job = await app.tell(app.backend.measure({ ...wish, ...(images && { images }) }, line.notify));
    line.end();
    busy = false;
    show();
    if (!job?.result) return;
    const still = note();
    if (still?.text !== asked.text || still.image !== asked.image) { // ids are given anew
      app.say(`The test of “${asked.text}” is over, and the hypothesis is no longer there.`);
      return;
    }
    const measured = /** @type {Measured} */ (/** @type {unknown} */ (job.result));
    [chosen, from] = [false, wish.seed + 1];
    /** @type {Test} */
    const test = { ...stated, measure: wish, measured };
    app.edit((doc) => addTest(doc, id, test, proposed(test)));
  };
  return { element, show };
}

/** The first seed of which the session has no draw: an edit is not tested on what it was found on. @param {App} app @param {number} from @param {number} seeds */
function freshSeed(app, from, seeds) {
  const edits = app.doc.images.flatMap(({ start, now }) => [...start.layers, ...now.layers].flatMap(([start, end]) => [start, end]));
  const drawn = new Set([...app.doc.styles.map(({ id }) => id), ...edits].map((id) => Number(/^draw-(\d+)-/.exec(id)?.[1] ?? -1)));
  const near = Array.from({ length: Math.min(seeds, drawn.size + 1) }, (_, step) => (from + step) % seeds);
  return near.find((seed) => !drawn.has(seed)) ?? from % seeds;
}

/** The change that matters, unless the user says otherwise. @param {App} app */
function defaultLeast(app) {
  if (app.classifier.task !== "regression") return app.classifier.task === "binary" ? 0.1 : 0.05;
  const scores = app.doc.images.flatMap(({ start }) => app.pictures.of(start)?.values[app.classifier.id]?.[String(app.view.target)] ?? []);
  const mean = scores.reduce((sum, score) => sum + score, 0) / (scores.length || 1);
  const spread = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / Math.max(1, scores.length - 1));
  return Number((SHARE_OF_SPREAD * spread).toPrecision(2));
}

/** @param {string} label @param {number} value @param {number} min @param {number} max */
function number(label, value, min, max) {
  const input = h("input", { type: "number", min, max, value, required: true, "aria-label": label });
  input.addEventListener("change", () => { input.value = String(Math.min(max, Math.max(min, Math.round(input.valueAsNumber) || 0))); });
  return input;
}

/** What the tests of a hypothesis found, the newest first, and why the user says otherwise. @param {App} app @param {string} id the note's */
export function testResults(app, id) {
  const [said, results] = [h("span", {}), h("div", {})];
  const reason = h("input", { type: "text", maxlength: 2000, placeholder: "Why not?", "aria-label": "Why the verdict is not the proposed one" });
  reason.addEventListener("change", () => app.edit((doc) => explain(doc, id, reason.value)));
  const take = button("Take the proposal", () => {
    const last = app.doc.notes.find((one) => one.id === id)?.tests?.at(-1);
    if (last) app.edit((doc) => judge(doc, id, proposed(last)));
  }, { class: "quiet" });
  const overruled = h("p", { class: "overruled" }, said, take, reason);
  /** What is open stays open while other things of the note change. @type {Map<Test, HTMLElement>} */
  let shown = new Map();
  let named = "";

  const show = () => {
    const note = app.doc.notes.find((one) => one.id === id);
    const tests = note?.tests ?? [];
    const last = tests.at(-1);
    overruled.hidden = !note || !last || note.verdict === proposed(last);
    if (!overruled.hidden && note && last) {
      said.textContent = `The test proposes “${proposed(last)}”, you say “${note.verdict}”.`;
      if (document.activeElement !== reason) reason.value = note.reason ?? "";
    }
    const names = JSON.stringify([app.doc.labels, app.doc.styles.map((style) => [style.id, style.name])]);
    if (names !== named) shown = new Map();
    named = names;
    const next = new Map(note ? tests.map((test, index) => [test, shown.get(test) ?? result(app, note, test, index + 1)]) : []);
    const isSame = next.size === shown.size && tests.every((test) => shown.has(test));
    shown = next;
    if (!isSame) fill(results, ...[...next.values()].reverse());
  };
  return { element: h("div", {}, overruled, results), show };
}

/** @param {App} app @param {Note} note @param {Test} test @param {number} place */
function result(app, note, test, place) {
  const outcome = outcomeOf(test.measured, test.expected, test.least);
  const tone = outcome.verdict === "supported" ? "supported" : outcome.verdict === "contradicted" ? "contradicted" : "unsettled";
  const { measured, measure } = test;
  const { hits, low, high } = turnedInterval(measured.turned);
  const turned = measured.turned.length ? `; ${hits} of ${measured.turned.length} turned (95 % interval ${percent(low)} to ${percent(high)})` : "";
  const words = EXPECTED.find(([value]) => value === test.expected)?.[1] ?? test.expected;
  const classifier = app.facts.classifiers.find(({ id }) => id === measure.classifier);
  const name = classifier?.classes[measure.target] ?? String(measure.target);
  const others = [...new Set(measured.controls.map(({ size }) => size))].map((size) => {
    const same = measured.controls.filter((control) => control.size === size);
    return `${same.length} random edits as large ${size === "w" ? "in W" : "in the image"} change it by ${fixed(average(same.map(({ moved }) => moved)))}`;
  });
  return h("section", { class: `tested ${tone}`, "aria-label": `Test ${place}` }, h("p", { class: "proposal" }, h("strong", {}, sentence(outcome).split(":")[0] ?? ""), `: ${sentence(outcome).split(": ").slice(1).join(": ")}`),
    testPlot(test), h("details", {}, h("summary", {}, `Test ${place}: expected “${words}”, on ${population(test)}`),
      h("p", { class: "note" }, `The score of “${name}”${app.facts.classifiers.length > 1 ? ` by ${measure.classifier}` : ""}. The edit: ${openEditText(app, measure.edit)}${turned}.`),
      h("p", { class: "note" }, `Size: the edit changes the image by ${fixed(measured.moved.image)} (root mean square of the pixels, 0 to 1); ${others.join("; ")}.`),
      groups(test), factors(measured), ruleText(test), button("Table", () => download(new Blob([testTable(test)], { type: "text/csv" }), `${app.facts.name}-${note.id}-test-${place}.csv`), { title: "Every image's scores, as a table" })));
}

/** @param {Test} test */
function population({ measure, measured }) {
  const count = measured.before.length;
  return measure.on === "gallery" ? `${count} images of the gallery` : measure.on === "draws" ? `${count} draws, seed ${measure.seed}` : `${count} images of ${measure.split}, seed ${measure.seed}`;
}

/** @param {Test} test */
function groups({ measured }) {
  const rows = byGroup(measured);
  if (rows.length < 2) return null;
  return table([measured.grouped === "label" ? "label" : "answer before", "n", "change (95 % interval)", "turned"], rows.map((row) => [row.name ?? "", String(row.count), `${signed(row.mean)} (${signed(row.low)} to ${signed(row.high)})`, measured.turned.length ? String(row.turned) : "–"]));
}

/** What else the edit changes: true factors, as a network reads them. @param {Measured} measured */
function factors({ factors: changes }) {
  if (!changes?.length) return null;
  const shown = changes.slice(0, 6);
  return h("div", {}, table(["true factor", "half-ranges (95 % interval)", "read (R²)"], shown.map((one) => [one.name, `${signed(one.change)} (${signed(one.low)} to ${signed(one.high)})`, fixed(one.read)])),
    changes.length > shown.length && h("p", { class: "note" }, `${changes.length - shown.length} more by ${fixed(Math.abs(changes[shown.length]?.change ?? 0))} or less.`));
}

/** @param {Test} test */
function ruleText({ expected, least }) {
  const lines = expected === "none"
    ? [`Supported where the whole interval lies within ±${shortest(least)}.`, `Contradicted where it lies outside, and at most ${percent(LEVEL)} of the edits, this one included, change the score as much.`]
    : [`Supported where the whole interval lies ${expected === "up" ? "above" : "below"} ${expected === "up" ? shortest(least) : shortest(-least)}, and at most ${percent(LEVEL)} of the edits, this one and the random ones of each equal size, change the score as much.`,
      `Contradicted where the whole interval lies ${expected === "up" ? "below" : "above"} ${expected === "up" ? shortest(least) : shortest(-least)}.`];
  return h("div", { class: "note rule" }, h("strong", {}, "The rule. "), [...lines, "Not established otherwise."].join(" "));
}

/** @param {string[]} head @param {string[][]} rows */
function table(head, rows) {
  return h("table", { class: "scores" }, h("thead", {}, h("tr", {}, ...head.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first ?? ""), ...rest.map((text) => h("td", {}, text))))));
}

/** Every image of a test. @param {Test} test */
function testTable({ measured }) {
  const changes = changesOf(measured);
  return csv([["image", "before", "after", "change", "turned", measured.grouped], ...measured.names.map((name, row) => [name, measured.before[row] ?? "", measured.after[row] ?? "", Number((changes[row] ?? NaN).toFixed(5)), String(measured.turned[row] ?? ""), measured.groups[row] ?? ""])]);
}

/** All hypotheses with all their tests. @param {App} app */
export function notesTable(app) {
  const head = ["hypothesis", "verdict", "reason", "test", "expected", "smallest change", "on", "classifier", "class", "edit", "images", "mean change", "low", "high", "turned", "turned low", "turned high", "random edits", "largest in W", "as large in W", "largest in the image", "as large in the image", "by the rule"];
  const rows = app.doc.notes.flatMap((note) => (note.tests?.length ? note.tests : [undefined]).map((test, place) => {
    const start = [note.text, note.verdict, note.reason ?? ""];
    if (!test) return [...start, ...Array.from({ length: head.length - start.length }, () => "")];
    const outcome = outcomeOf(test.measured, test.expected, test.least);
    const { hits, low, high } = turnedInterval(test.measured.turned);
    const [w, image] = /** @type {const} */ (["w", "image"]).map((size) => outcome.compared.find((one) => one.size === size));
    return [...start, place + 1, test.expected, test.least, population(test), test.measure.classifier, test.measure.target, openEditText(app, test.measure.edit), outcome.count, outcome.mean, outcome.low, outcome.high,
      test.measured.turned.length ? hits : "", test.measured.turned.length ? low : "", test.measured.turned.length ? high : "", test.measure.controls, w?.largest ?? "", w?.asLarge ?? "", image?.largest ?? "", image?.asLarge ?? "", outcome.verdict];
  }));
  return csv([head, ...rows]);
}

/** @param {number} share */
function percent(share) {
  return `${Math.round(100 * share)} %`;
}

/** @param {number[]} values */
function average(values) {
  return meanInterval(values).mean;
}
