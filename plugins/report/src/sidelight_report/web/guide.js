// @ts-check
/** "How to read this": only what this page holds. */
import { h } from "./elements.js";
import { limitsOf } from "./limits.js";

/** @typedef {import("./document.js").Report} Report */

/** @type {Record<string, [string, string][]>} */
const TEXTS = {
  heatmap: [
    ["Heatmaps", "A value for every pixel, in the method's own unit. Teal speaks for the predicted class, amber against it or for the class asked about; maps that only rank pixels run from dark to bright. Each map has its own scale, written below it: colours saturate at a high percentile, so compare places, not colours, between maps."],
  ],
  counterfactual: [
    ["Counterfactuals", "The input, changed until the classifier would answer differently. Hold the picture, or press Flicker, to compare it with the input. In the difference, red is what must be added and blue what must be removed; all differences of one image share a scale. The bars are the classifier's probabilities: pale before, solid after."],
    ["Independent classifiers", "Where the recipe has a judge, its answer stands below: another classifier, trained apart, which took no part in the search. The picture explains the classifier that is explained. If the judge still says the first class, the change is one that this network needs, and not what makes the other class."],
    ["No answer", "A search that did not converge is named and never drawn: where it stopped explains nothing."],
  ],
  "attention-graph": [["Attention graphs", "Every picture is the one that the classifier scored, made smaller: the image where patches are visible, what hides them elsewhere. On the left, smallest sets of patches that are enough for the classifier, as different from each other as were found; to the right of each, what is left of the class when one patch goes, then another, the costliest first. Percentages are relative to the whole image. A line is the thicker the more its patch is worth: point at it, or move to it with Tab, to read how much. Pointing at a picture marks its patches wherever else they are shown; pressing it shows it at its own size. Lit is the share of pixels to which the image gives more than 5 %: soft patches are tents, and light more than their squares."]],
  intervention: [["Interventions", "A layer of the classifier, written as a boolean code. On the left a picture drawn from the image's own code by a network that learned from the data: it shows averages where the code does not tell, and may show what goes with the class in the data whether the classifier uses it or not. On the right the picture after some bits were flipped. The bars, and the class above each picture, are what the rest of the classifier makes of the decoded layer before (pale) and after (solid); the pictures themselves were not classified."]],
  concepts: [["Concepts", "A few learned features, the x-features of an explanation network among them, whose sum and a constant imitate the classifier's logit. Those that hold most of what speaks for the class are named, strongest first, and those that speak notably against it. Beside each: where it is in this image, and the images of the data in which it is strongest, which say what it stands for. A strength of 1 is its usual one where it fires."]],
  attributes: [["Attributes", "Coordinates of a generator whose change moves the classifier, strongest first for each class. The number is the mean change of the class's logit. Each pair shows an image before and, framed, after this one coordinate was changed; the corners say how likely the class is. The animated picture goes from before to after and back; press it to stop it. An attribute that is called not plausible moves the classifier, but not by a change that its images could show."]],
  "image-attributes": [["Attributes of one image", "The attributes that move the classifier most on this image, each changed alone in the generator's reconstruction of it, strongest first."]],
};

/** @param {Report} report */
export function guide(report) {
  const kinds = new Set(report.explainers.map(({ kind }) => kind));
  if (report.attributes.length) kinds.add("attributes");
  const texts = [...kinds].flatMap((kind) => TEXTS[kind] ?? []);
  const methods = report.explainers.filter(({ summary }) => summary).map(({ id, summary, paper, limits }) => [h("dt", {}, id), h("dd", {}, summary, paper && h("small", {}, ` ${paper}`), limitsOf(limits))]);
  return h("details", { class: "guide" }, h("summary", {}, "How to read this"),
    h("dl", {}, ...texts.flatMap(([term, text]) => [h("dt", {}, term), h("dd", {}, text)]),
      h("dt", {}, "Pointing"), h("dd", {}, "Point at a picture to read its value there and, at the same pixel, the values of all pictures beside it. With the keyboard: Tab to a picture, Enter, then the arrow keys; Escape ends it."),
      h("dt", {}, "Moving"), h("dd", {}, "The arrow keys left and right go from image to image.")),
    methods.length > 0 && h("h2", {}, "The methods"), methods.length > 0 && h("dl", {}, ...methods.flat()));
}
