// @ts-check
/** The claims that the recipe declared before the run, each with its verdict, its effect against threshold and controls, and the evidence. */
import { h, svg } from "./elements.js";

/** @typedef {import("./document.js").Report} Report */
/** @typedef {import("./document.js").DeclaredClaim} DeclaredClaim */
/** @typedef {import("./document.js").Picture} Picture */

/** @type {Record<DeclaredClaim["verdict"], [string, string]>} class and icon: shape and word tell, colour repeats it */
const LOOKS = { supported: ["supported", "✓"], contradicted: ["contradicted", "✕"], "not established": ["open", "?"] };
const WIDTH = 320, LABEL = 74, ROW = 20, AXIS = 16, EDGE = 10; // pixels of the plot

/** @param {Report} report */
export function declaredClaims({ claims }) {
  if (!claims.length) return null;
  const late = claims.filter((claim) => claim.late).length;
  const counts = Object.keys(LOOKS).flatMap((verdict) => {
    const number = claims.filter((claim) => claim.verdict === verdict).length;
    return number ? [`${number} ${verdict}`] : [];
  });
  return h("section", { class: "declared", id: "declared", "aria-label": "Claims of the recipe" },
    h("h2", {}, late ? "Claims of the recipe" : "Claims, declared before the run", h("small", {}, counts.join(", "))),
    h("ul", {}, ...claims.map(row)));
}

/** @param {DeclaredClaim} claim */
function row(claim) {
  const [look, icon] = LOOKS[claim.verdict];
  const id = `claim-${claim.id}`;
  return h("li", { id, class: look },
    h("div", { class: "verdict" }, h("span", { "aria-hidden": "true", class: "icon" }, icon), h("b", {}, claim.verdict)),
    h("div", { class: "said" }, h("p", { class: "text" }, claim.text), h("p", { class: "because" }, `${claim.reason}.`), ...notes(claim)),
    claim.effects.length > 0 && h("figure", {}, plot(claim), h("figcaption", {}, `${claim.measured}, ${claim.n} ${claim.sample}`)),
    h("details", {}, h("summary", {}, "Rule and evidence"), ...evidence(claim),
      h("p", {}, ...claim.links.map((link) => h("a", { href: `#${link}`, class: "evidence", "data-claim": id })))));
}

/** @param {DeclaredClaim} claim */
function notes({ late, holm, warnings }) {
  return [
    late && h("p", { class: "late" }, `Declared after results were seen (run of ${late}).`),
    holm === false && h("p", { class: "late" }, "Alone at the 5 % level; it does not stand after Holm's correction for all claims decided here."),
    ...warnings.map((text) => h("p", { class: "late" }, `${text}.`)),
  ].filter((one) => one !== "" && one !== false);
}

/** @param {DeclaredClaim} claim */
function evidence({ rule, effects, unit, control, pairs, p, holm }) {
  const rows = effects.map(({ name, value, low, high, controls }) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, text(value)), h("td", {}, `${text(low)} to ${text(high)}`), h("td", {}, controls.length ? `${text(controls[0] ?? null)} to ${text(controls.at(-1) ?? null)}` : "none")));
  const stands = holm === true ? " It stands after Holm's correction for all claims decided here." : "";
  return [
    h("p", {}, rule),
    rows.length > 0 && h("table", {}, h("thead", {}, h("tr", {}, ...["", unit || "value", "95 % interval", "random controls"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...rows)),
    control && h("p", { class: "note" }, `Random controls, ${control}.`),
    p !== null && h("p", { class: "note" }, `p ${p < 0.001 ? "< 0.001" : text(p)}, of this claim alone.${stands}`),
    pairs.length > 0 && h("div", { class: "pairs" }, ...pairs.map(({ before, after, caption }) => h("figure", {}, h("div", { class: "shots" }, still(before, "before"), still(after, "after")), h("figcaption", {}, caption)))),
  ].filter((one) => one !== "" && one !== false);
}

/** @param {Picture} picture @param {string} alt */
function still({ src, width, height, crisp }, alt) {
  const frame = h("div", { class: `frame${crisp ? " crisp" : ""}` }, h("img", { src, width, height, alt }));
  frame.style.aspectRatio = `${width} / ${height}`;
  return frame;
}

/** Effects with their intervals over one axis; the side that is claimed is shaded, random controls are marks. @param {DeclaredClaim} claim */
function plot({ effects, threshold, side, operator, unit, verdict }) {
  const all = effects.flatMap(({ low, high, controls }) => [low, high, ...controls]).concat(threshold ?? []).filter((one) => one !== null);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const room = (most - least || 1) * 0.06;
  const height = effects.length * ROW + AXIS + 4;
  /** @param {number | null} value */
  const at = (value) => LABEL + EDGE + (((value ?? 0) - least + room) / (most - least + 2 * room)) * (WIDTH - LABEL - 2 * EDGE);
  const bottom = effects.length * ROW + 2;
  const marks = effects.flatMap(({ name, value, low, high, controls }, i) => {
    const y = i * ROW + ROW / 2 + 2;
    return [
      svg("text", { x: LABEL - 4, y: y + 4, class: "label" }, short(name)),
      ...controls.map((one) => svg("line", { x1: at(one), x2: at(one), y1: y - 5, y2: y + 5, class: "control" })),
      svg("line", { x1: at(low), x2: at(high), y1: y, y2: y, class: "interval" }),
      ...[low, high].map((end) => svg("line", { x1: at(end), x2: at(end), y1: y - 4, y2: y + 4, class: "interval" })),
      svg("circle", { cx: at(value), cy: y, r: 4, class: "value" }),
    ];
  });
  const sign = operator.replace(">=", "≥").replace("<=", "≤"), edge = at(threshold), [from, to] = side === "above" ? [edge, WIDTH - EDGE + 4] : [LABEL, edge];
  const claimed = threshold === null ? [] : [
    svg("rect", { x: Math.min(from, to), y: 0, width: Math.abs(to - from), height: bottom, class: "claimed" }),
    svg("line", { x1: edge, x2: edge, y1: 0, y2: bottom, class: "threshold" }),
    svg("text", { x: edge, y: bottom + 12, class: "tick" }, `${sign} ${text(threshold)}`),
  ];
  const ends = [least, most].filter((end) => threshold === null || Math.abs(at(end) - edge) > 46).map((end) => svg("text", { x: at(end), y: bottom + 12, class: "tick" }, text(end)));
  const label = effects.map(({ name, value, low, high }) => `${name}: ${text(value)}, 95 % interval ${text(low)} to ${text(high)}`).join("; ");
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": `${verdict}. ${label}${threshold === null ? "" : `; claimed ${sign} ${text(threshold)} ${unit}`}` }, ...claimed, ...marks, ...ends);
}

/** @param {string} name */
function short(name) {
  return name.length > 12 ? `${name.slice(0, 11)}…` : name;
}

/** @param {number | null} value */
function text(value) {
  return value === null ? "" : String(Number(value.toPrecision(3))).replace("-", "\u2212");
}
