// The document that Python writes into the page (sidelight_report/document/report.py) and that every component shows a part of.

export interface Picture { src: string; width: number; height: number; crisp: boolean }

/** Numbers over pixels: base64 of little-endian 16-bit integers; 32767 stands for `largest`, -32768 for a missing value. */
export interface Grid { width: number; height: number; largest: number; data: string }

export type Part = "predicted" | "probe" | "other";
export interface ClassEntry { name: string; part: Part }
export interface Measure { name: string; value: number | null; better: Better; unit: string }
export type Better = "higher" | "lower" | "neither";

/** Of a misclassified image, one entry answers for the predicted class, and its `counterpart` for the true one, or the reverse. */
interface Shared { explainer: string; measures: Measure[]; passes: number | null; about?: "predicted" | "expected"; counterpart?: Entry }

export interface HeatmapEntry extends Shared {
  kind: "heatmap"; side: string; answers: "predicted" | "probe" | "contrast" | "any"; signed: boolean;
  resolution: [number, number] | null; values: Grid; saturation: number;
}
export interface Constraint { name: string; violation: number | null; holds: boolean }
export interface PathFrame { at: number; picture: Picture }
/** `names` says what was changed to reach each step, where changes have names; then every step is a frame. */
export interface PathEntry { steps: number[]; names?: string[]; likelihoods: (number | null)[][]; frames?: PathFrame[] }
/** `generated` is what the generator alone draws before and after, where the picture keeps details of the input; `alone` is its scores. */
/** What an independent classifier says: probabilities before and after, and its likeliest class of the answer. */
export interface Judge { name: string; before: (number | null)[]; after: (number | null)[]; says: string; sure: number; part: Part }
export interface CounterfactualEntry extends Shared {
  kind: "counterfactual"; side: string; converged: boolean; before: (number | null)[]; after: (number | null)[];
  constraints: Constraint[]; tolerance: number; path: PathEntry | null; third: string | null;
  picture?: Picture; difference?: Grid; saturation?: number; generated?: [Picture, Picture];
  alone?: [(number | null)[], (number | null)[]]; judges?: Judge[];
}
export interface InterventionEntry extends Shared {
  kind: "intervention"; side: string; changed: boolean; bits: number; flipped: number[]; said: string; became: string;
  pictures: [Picture, Picture]; before: (number | null)[]; after: (number | null)[];
}
/** `lit` is the share of the pixels of which the image makes up more than 5 %. */
export interface GraphNode { patches: number[]; lit: number; confidence: number; root: boolean; depth: number; children: number[] }
export interface GraphEntry extends Shared {
  kind: "attention-graph"; side: string; grid: [number, number]; soft: boolean; probability: number | null;
  nodes: GraphNode[]; sufficient: number; left_out: number; baseline?: Picture;
}
export interface NamedConcept {
  name: string; activation: number | null; contribution: number | null; map: { values: Grid; saturation: number } | null;
}
export interface ConceptsEntry extends Shared {
  kind: "concepts"; side: string; class: string; because: number[]; despite: number[]; named: Record<number, NamedConcept>;
  rest: number | null; others: number; constant: number | null; total: number | null;
}
/** A picture with the scores of the classes of the question, the predicted one first, and the likeliest class. */
export interface Judged { picture: Picture; scores: (number | null)[]; says: string }
export interface ImageChange extends Judged { name: string; how: string; target: string; effect: number | null; flagged: string }
/** Where `alone` is there, changes are added to the input, which stands as `reconstruction`; `alone` is the generator's. */
export interface ImageAttributesEntry extends Shared {
  kind: "image-attributes"; side: string; alone: Picture | null; reconstruction: Judged; changes: ImageChange[];
}
/** Neutral blocks (sidelight_specs/blocks.py); a picture that is null is the explained image of the card. */
export interface PictureBlock { block: "picture"; picture: Picture | null; caption: string }
export interface OverlayBlock {
  block: "overlay"; picture: Picture | null; values: Grid; saturation: number; signed: boolean; caption: string;
}
export interface PairBlock { block: "pair"; before: Picture | null; after: Picture; captions: [string, string]; caption: string }
export interface StripBlock { block: "strip"; pictures: Picture[]; captions: string[]; caption: string }
export interface PlotBlock {
  block: "plot"; x: (number | string | null)[]; lines: { name: string; y: (number | null)[] }[]; x_label: string; y_label: string;
  style: "line" | "bar"; caption: string;
}
export interface TableBlock { block: "table"; headings: string[]; rows: string[][]; caption: string }
export interface TextBlock { block: "text"; text: string; caption: string }
export type Block = PictureBlock | OverlayBlock | PairBlock | StripBlock | PlotBlock | TableBlock | TextBlock;
/** A kind without a section of its own; `error` says why its blocks cannot be had. */
export interface Blocks { kind: "blocks"; what: string; error: string; blocks: Block[]; side: string }
export interface BlocksEntry extends Shared, Blocks {}
export type Entry =
  | HeatmapEntry | CounterfactualEntry | GraphEntry | ConceptsEntry | ImageAttributesEntry | InterventionEntry | BlocksEntry;

export interface Card {
  question: string; id: string; label: string | null; misclassified: boolean; picture: Picture; classes: ClassEntry[];
  scores: (number | null)[]; reconstruction: Blocks | null; explanations: Entry[];
}
/** `interval` is the 95 % confidence interval of the mean over images; `variants` are means by the condition that was varied. */
export interface Cell {
  mean: number | null; interval: [number, number] | null; variants: Record<string, number | null>; applies: number; of: number;
  settings: Record<string, string>;
}
export interface MetricRow {
  metric: string; name: string; unit: string; better: Better; help: string; reason: string; best: string[];
  depends: string; varied: string; cells: Record<string, Cell>;
}
export interface MetricTable { columns: string[]; rows: MetricRow[] }
export interface Line { name: string; x: (number | null)[]; y: (number | null)[]; count?: number }
export interface Chart { metric: string; name: string; help: string; unit: string; over: string; lines: Line[] }
export interface MeanPath { name: string; steps: number[]; likelihoods: (number | null)[][]; count: number }
/** An animated PNG or WebP; `file` is where it lies beside the page. */
export interface Animation { src: string; width: number; height: number; crisp: boolean; file?: string }
export interface AttributeExample { before: Picture; after: Picture; probabilities: (number | null)[] | null }
/** Images on which an attribute was changed: towards its class on images of others, or away from it on images of the class;
 * on all of them where they were not `chosen` so. */
export interface Demonstration { away: boolean; chosen: boolean; animation: Animation | null; examples: AttributeExample[] }
/** The shifts along one line stand in one row: `strengths`, weakest first, of which `at` is shown first and animated. */
export interface Attribute {
  strengths?: Attribute[]; at?: number;
  name: string; where: string; how: string; effect: number | null; flagged: string; images: number; moves: number | null;
  /** Images that the attribute took out of the search; null where the finder takes none out. */
  explains: number | null;
  directions: Demonstration[];
}
export interface AttributeClass { class: string; value: boolean; lowers: boolean; attributes: Attribute[]; count: number; unexplained: number | null; recall: Recall | null }
/** Estimated recall of a search that left coordinates out, with its 95 % interval; null ends where they are not finite. */
export interface Recall { recall: number | null; low: number | null; high: number | null; left: number; sampled: number; missed: number }
export interface AttributeSection { name: string; summary: string; paper: string; limits: string[]; drawn: string; classes: AttributeClass[] }
export interface Concept {
  name: string; pictures: Picture[]; strengths: (number | null)[]; weights: { class: string; weight: number | null }[];
}
export interface ExemplarSection { name: string; concepts: Concept[] }
export type ByProduct = { name: string } & (
  | { kind: "curves"; lines: Line[] }
  | { kind: "numbers"; numbers: Measure[]; lines: Line[] }
  | { kind: "blocks"; what: string; error: string; rows: { blocks: Block[]; picture: Picture | null }[] });
export interface Explainer { id: string; kind: string; use: string; summary: string; paper: string; about: string; limits: string[] }
/** A sentence on what may not be claimed, and the ids of the methods that it holds for. */
export interface Limit { text: string; of: string[] }
export interface Accuracies { names: string[]; rows: { classifier: string; split: string; values: (number | null)[] }[] }
export interface Component {
  id: string; role: string; use: string; summary: string; paper: string; distribution: string; version: string; card: Record<string, string>; limits: string[];
}
/** A number of the whole split; `share` is shown as a percentage. */
export interface OverviewNumber { name: string; value: number | null; interval: (number | null)[]; note: string; share: boolean }
/** Value, lower and upper limit; null for none of none. */
export type Ratio = (number | null)[] | null;
export interface OverviewClass { name: string; count: number; recall: Ratio; said: number; precision: Ratio; line: string }
export interface ConfusionMatrix { names: string[]; counts: number[][] }
export interface ConfusedPair { true: string; said: string; count: number; of: number; line: string }
export interface CalibrationBin { count: number; confidence: number; range: [number, number]; accuracy: number; interval: [number, number] }
export interface CalibrationCurve { bins: CalibrationBin[]; error: number; expected: number; expected_high: number }
/** `card` is the row of the card that explains the image; `line` would explain it. */
export interface OverviewError {
  label: string; said: string; confidence: number | null; id: string; index: number; src: string; crisp: boolean; card: number | null; line: string;
}
export interface Finding { kind: "measured" | "heuristic"; text: string; line: string }
/** The model on images of the split; what does not apply to its task is empty or null. */
export interface Overview {
  name: string; split: string; task: "classes" | "values"; about: string; numbers: OverviewNumber[]; classes: OverviewClass[]; of_classes: number;
  matrix: ConfusionMatrix | null; pairs: ConfusedPair[]; calibration: CalibrationCurve | null;
  scatter: { true: (number | null)[]; predicted: (number | null)[] } | null; findings: Finding[];
  errors: { total: number; images: OverviewError[]; line: string } | null;
}
/** All images, column by column; `rows` of a group point into its `values`. Cards lie in files of `size` each. */
export interface ImageIndex {
  ids: string[]; thumbnails: string[]; groups: { name: string; values: string[]; rows: number[] }[]; misclassified: number[];
  turned: Record<string, (number | null)[]>; numbers: { name: string; of: string; values: (number | null)[] }[]; size: number;
}
/** A sentence of the answer; `links` are ids of its evidence on the page. */
export interface Claim { text: string; basis: "" | "measured" | "heuristic" | "not scored"; links: string[] }
/** Pictures of the answer, by where the document has them. */
export type Tile = { caption: string; note: string; link: string; claim: number } & (
  | { shows: "attribute"; at: { section: number; group: number; rank: number; direction: number; example: number } }
  | { shows: "change"; image: number; explainer: string; rank: number }
  | { shows: "map"; image: number; explainers: string[] }
  | { shows: "concept"; section: number; concept: number });
export interface Answer { asked: string; found: Claim[]; sure: Claim[]; strip: Tile[]; picked: string; limits: Limit[] }
/** `rho` is the mean over images of each pair, `different` that of two maps of different images. */
export interface Agreement { names: string[]; rho: (number | null)[][]; different: number | null; images: number }
export interface ClaimEffect { name: string; value: number | null; low: number | null; high: number | null; controls: (number | null)[] }
/** A claim of the recipe. `late` is the date of a run whose results could be seen before it was declared; `holm` says whether it
 * stands after correction for all decided claims, null where that is not known or it is the only one. */
export interface DeclaredClaim {
  id: string; text: string; verdict: "supported" | "contradicted" | "not established"; reason: string; rule: string; measured: string;
  unit: string; side: "above" | "below"; operator: string; threshold: number | null; n: number; sample: string; control: string; p: number | null;
  effects: ClaimEffect[]; pairs: { before: Picture; after: Picture; caption: string }[]; links: string[]; warnings: string[];
  late: string; holm: boolean | null;
}
export interface Report {
  index: ImageIndex | null; claims: DeclaredClaim[]; answer: Answer; agreement: Agreement | null; name: string;
  title: string; first: "attributes" | "images"; task: string; total: number; explainers: Explainer[]; images: Card[]; accuracies: Accuracies; table: MetricTable;
  charts: Chart[]; paths: MeanPath[]; attributes: AttributeSection[]; exemplars: ExemplarSection[]; emitted: ByProduct[];
  overview: Overview[]; components: Component[]; recipe: string; environment: Record<string, string>; warnings: string[];
}

/** A pixel that the reader points at, shared by all pictures of a card. */
export interface Cursor { x: number; y: number }

declare global {
  interface Window { sidelightCards?: (start: number, cards: Card[]) => void }
  interface HTMLElementTagNameMap {
    "sl-block": import("./blocks.js").SlBlock;
    "sl-picture": import("./picture.js").SlPicture;
    "sl-heatmap": import("./heatmap.js").SlHeatmap;
    "sl-difference": import("./heatmap.js").SlDifference;
    "sl-flicker": import("./flicker.js").SlFlicker;
    "sl-animation": import("./animation.js").SlAnimation;
    "sl-probabilities": import("./probabilities.js").SlProbabilities;
    "sl-path": import("./path.js").SlPath;
    "sl-metric-table": import("./metric-table.js").SlMetricTable;
    "sl-attention-graph": import("./attention-graph.js").SlAttentionGraph;
  }
}
