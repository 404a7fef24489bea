// @ts-check
/** The model before its images: findings, numbers, classes, confusion, calibration and worst errors of the split. */
import { h, svg } from "./elements.js";
import { format, percent, tick } from "./numbers.js";
import { section } from "./sections.js";

/** @typedef {import("./document.js").Overview} Overview */
/** @typedef {import("./document.js").Report} Report */
/** @typedef {import("./document.js").Ratio} Ratio */

const SIDE = 100; // of a square plot, in its own units
const TICKS = 3; // on either axis

/** One section for each classifier. @param {Report} report */
export function overview(report) {
  return report.overview.map((one, i) => section(i ? `overview-${i + 1}` : "overview", report.overview.length > 1 ? `The model ${one.name}` : "The model",
    h("p", { class: "note" }, `Measured on ${one.about}; intervals are 95 %.`),
    findings(one), numbers(one), parts(one), errors(one)));
}

/** Folded on a phone, where they are long. @param {Overview} one */
function parts(one) {
  return h("details", { class: "overview-detail", open: matchMedia("(min-width: 641px), print").matches }, h("summary", {}, one.task === "values" ? "Predicted and true values" : "Confusion, calibration and classes"),
    h("div", { class: "overview-parts" }, matrix(one), calibration(one), scatter(one), pairs(one), classes(one)));
}

/** @param {Overview} one */
function findings({ findings }) {
  if (!findings.length) return null;
  const title = { measured: "An interval or a test carries it", heuristic: "A rule of thumb: check it" };
  return h("ul", { class: "findings", "aria-label": "Findings" }, ...findings.map(({ kind, text, line }) =>
    h("li", {}, h("span", { class: `basis ${kind}`, title: title[kind] }, kind), h("div", {}, h("span", {}, text), line && recipe("Explain these", line)))));
}

/** A recipe line, unfolded where it is asked for. @param {string} label @param {string} line */
function recipe(label, line) {
  return h("details", { class: "recipe-line" }, h("summary", {}, label), h("code", {}, line));
}

/** @param {Overview} one */
function numbers({ numbers }) {
  return h("dl", { class: "overview-numbers" }, ...numbers.map(({ name, value, interval: [low, high], note, share }) => {
    const text = share ? share1 : format;
    return h("div", {}, h("dt", {}, name), h("dd", {}, h("b", {}, text(value)), h("span", {}, `${text(low)} to ${text(high)}`), h("small", {}, note)));
  }));
}

/** A share with one decimal. @param {number | null | undefined} value */
function share1(value) {
  return value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)}\u00a0%`;
}

/** Counts with the true class on the left; the darker a field, the larger its share of the row. @param {Overview} one */
function matrix({ matrix }) {
  if (!matrix) return null;
  const { names, counts } = matrix;
  const totals = counts.map((row) => row.reduce((sum, value) => sum + value, 0));
  const head = h("tr", {}, h("td", {}), ...names.map((name) => h("th", { scope: "col" }, h("span", {}, name))));
  const rows = counts.map((row, i) => h("tr", {}, h("th", { scope: "row", title: names[i] }, names[i] ?? ""), ...row.map((value, j) => {
    const share = totals[i] ? value / (totals[i] ?? 1) : 0;
    const field = h("td", { class: value ? (i === j ? "right" : "wrong") : "none", title: `${names[i]} taken for ${names[j]}: ${value} of ${totals[i]} (${percent(share)})` }, value ? String(value) : "·");
    if (value) field.style.setProperty("--share", `${Math.round(12 + 68 * share)}%`);
    return field;
  })));
  return h("figure", { class: "overview-part matrix" }, h("figcaption", {}, h("b", {}, "Confusion"), h("small", {}, " images; rows are true classes, columns predictions")),
    h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Confusion matrix" }, h("table", { class: names.some((name) => name.length > 3) ? "upright" : "" }, h("thead", {}, head), h("tbody", {}, ...rows))));
}

/** Reliability diagram: bins of equally many images. @param {Overview} one */
function calibration({ calibration, task }) {
  if (!calibration) return task === "classes" ? h("p", { class: "note overview-part" }, "Too few images to say anything about calibration.") : null;
  const { bins, error, expected, expected_high: most } = calibration;
  const low = Math.floor(10 * Math.min(...bins.map(({ confidence, interval }) => Math.min(confidence, interval[0])))) / 10;
  const marks = bins.flatMap(({ confidence, accuracy, interval, count }) => {
    const x = place(confidence, low, 1);
    const apart = confidence < interval[0] || confidence > interval[1];
    return [svg("line", { class: apart ? "whisker apart" : "whisker", x1: x, x2: x, y1: SIDE - place(interval[0], low, 1), y2: SIDE - place(interval[1], low, 1) }),
      svg("circle", { class: apart ? "mark apart" : "mark", cx: x, cy: SIDE - place(accuracy, low, 1), r: 1.6 }, svg("title", {}, `${count} images: confidence ${share1(confidence)}, right ${share1(accuracy)} (${share1(interval[0])} to ${share1(interval[1])})`))];
  });
  const text = `Expected calibration error ${format(error)}; a calibrated model shows ${format(expected)} on as many images, at most ${format(most)} in 95 of 100 cases.`;
  return h("figure", { class: "overview-part" }, h("figcaption", {}, h("b", {}, "Calibration"), h("small", {}, ` ${bins.length} bins of ${bins[0]?.count} images`)),
    square(marks, [low, 1], [low, 1], "confidence", "right", percent, `Reliability diagram. ${text}`), h("p", { class: "note" }, `${text} Bins whose interval misses the diagonal are marked: of a calibrated model about one in 20.`));
}

/** @param {Overview} one */
function scatter({ scatter }) {
  if (!scatter) return null;
  const known = [...scatter.true, ...scatter.predicted].filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const marks = scatter.true.flatMap((value, i) => {
    const predicted = scatter.predicted[i];
    return value === null || predicted === null || predicted === undefined ? []
      : [svg("circle", { class: "mark faint", cx: place(value, low, high), cy: SIDE - place(predicted, low, high), r: 1.1 })];
  });
  return h("figure", { class: "overview-part" }, h("figcaption", {}, h("b", {}, "Predicted and true values"), h("small", {}, ` ${marks.length} images`)),
    square(marks, [low, high], [low, high], "true", "predicted", tick, "Predicted against true values"));
}

/** @param {number} value @param {number} low @param {number} high */
function place(value, low, high) {
  return (SIDE * (value - low)) / (high - low || 1);
}

/**
 * A square plot with its diagonal.
 * @param {SVGElement[]} marks @param {[number, number]} across @param {[number, number]} up
 * @param {string} xTitle @param {string} yTitle @param {(value: number) => string} text @param {string} label
 */
function square(marks, across, up, xTitle, yTitle, text, label) {
  const at = (/** @type {[number, number]} */ [low, high]) => Array.from({ length: TICKS }, (_, i) => text(low + (i / (TICKS - 1)) * (high - low)));
  const area = svg("svg", { viewBox: `-3 -3 ${SIDE + 6} ${SIDE + 6}`, role: "img", "aria-label": label }, svg("rect", { class: "frame", x: 0, y: 0, width: SIDE, height: SIDE }),
    svg("line", { class: "diagonal", x1: 0, y1: SIDE, x2: SIDE, y2: 0 }), ...marks);
  return h("div", { class: "square" }, h("span", { class: "y-title", "aria-hidden": "true" }, yTitle), h("div", { class: "y-axis", "aria-hidden": "true" }, ...at(up).reverse().map((value) => h("span", {}, value))), area,
    h("div", { class: "x-axis", "aria-hidden": "true" }, ...at(across).map((value) => h("span", {}, value))), h("span", { class: "x-title", "aria-hidden": "true" }, xTitle));
}

/** @param {Overview} one */
function classes({ classes, of_classes: total }) {
  if (!classes.length) return null;
  const head = ["Class", "Images", "Recall", "Predicted", "Precision"].map((text, i) => h("th", { scope: "col", class: i % 2 ? "number" : "" }, text));
  const rows = classes.map(({ name, count, recall, said, precision }) => h("tr", {}, h("th", { scope: "row", title: name }, name), h("td", { class: "number" }, String(count)), h("td", {}, ratio(recall)),
    h("td", { class: "number" }, String(said)), h("td", {}, ratio(precision))));
  const lines = classes.filter(({ line }) => line);
  return h("figure", { class: "overview-part classes" }, h("figcaption", {}, h("b", {}, "Classes"), h("small", {}, total > classes.length ? ` the ${classes.length} found worst of ${total}` : " with Wilson intervals")),
    h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Classes" }, h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows))),
    lines.length > 0 && h("details", { class: "recipe-line" }, h("summary", {}, "Explain the errors of a class"), ...lines.map(({ line }) => h("code", {}, line))));
}

/** A value with its interval, drawn and in words. @param {Ratio} ratio */
function ratio(ratio) {
  if (!ratio) return h("span", { class: "note" }, "–");
  const [value, low, high] = ratio.map((one) => one ?? 0);
  const span = h("i", {}), dot = h("b", {});
  span.style.left = `${100 * (low ?? 0)}%`;
  span.style.right = `${100 - 100 * (high ?? 0)}%`;
  dot.style.left = `${100 * (value ?? 0)}%`;
  return h("span", { class: "ratio", title: `${share1(value)}, ${share1(low)} to ${share1(high)}` }, h("span", {}, percent(value)), h("span", { class: "interval", "aria-hidden": "true" }, span, dot),
    h("small", {}, `${percent(low).replace(" %", "")}–${percent(high).replace(" %", "")}`));
}

/** @param {Overview} one */
function pairs({ pairs }) {
  if (!pairs.length) return null;
  const rows = pairs.map(({ true: label, said, count, of }) => h("tr", {}, h("th", { scope: "row", title: label }, label), h("td", { title: said }, said), h("td", { class: "number" }, `${count} of ${of}`)));
  return h("figure", { class: "overview-part classes" }, h("figcaption", {}, h("b", {}, "Most frequent errors")),
    h("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Most frequent errors" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "True class"), h("th", { scope: "col" }, "Taken for"), h("th", { scope: "col", class: "number" }, "Images"))), h("tbody", {}, ...rows))),
    h("details", { class: "recipe-line" }, h("summary", {}, "Explain the errors of a pair"), ...pairs.map(({ line }) => h("code", {}, line))));
}

/** @param {Overview} one */
function errors({ errors, task }) {
  if (!errors) return null;
  const title = task === "values" ? "Largest residuals" : "Most confident errors";
  const items = errors.images.map(({ label, said, confidence, id, index, src, crisp, card, line }) => {
    const how = confidence === null ? `true ${label}, predicted ${said}` : `${label}, taken for ${said}`;
    const name = id || `image ${index}`;
    return h("li", {}, h("img", { src, alt: `${name}: ${how}`, class: crisp ? "crisp" : ""}),
      h("div", {}, h("b", {}, how), confidence !== null && h("span", {}, ` ${confident(confidence)}`), h("small", { title: name }, name),
        card === null ? recipe("Explain it", line) : h("a", { href: `#image-${card + 1}` }, "Its explanation")));
  });
  const shown = errors.total > items.length ? `, ${items.length} of ${errors.total}` : "";
  return h("div", { class: "overview-errors" }, h("h3", {}, `${title}${task === "values" ? "" : shown}`), h("ul", {}, ...items),
    errors.line && recipe(errors.images.every(({ card }) => card === null) ? "Explain all of these" : "Explain all that are not explained", errors.line));
}

/** A confidence that tells apart what is nearly certain. @param {number} value */
function confident(value) {
  return value > 0.9999 ? ">99.99\u00a0%" : `${(100 * value).toFixed(value > 0.99 ? 2 : 1)}\u00a0%`;
}
