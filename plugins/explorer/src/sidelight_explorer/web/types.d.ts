/** Types of everything that the page reads, holds and sends. */

/** Two styles of a layer and how many percent of the way from one to the other. */
export type Mix = [start: string, end: string, share: number];

/** One image: a mix for each layer, and attributes moved by so many percent. */
export interface Spec { layers: Mix[]; moves: Record<string, number> }

export interface Style { id: string; name: string; starred?: boolean; hidden?: boolean }
export interface Item { id: string; name: string; start: Spec; now: Spec }
/** The mix of a layer that was edited; null stands for the style that an image began with. */
export type EditedMix = [start: string | null, end: string | null, share: number];
export interface Edit { layers: (EditedMix | null)[]; moves: Record<string, number> }
export type Verdict = "open" | "verified" | "falsified";
export interface Note {
  id: string; image: string; text: string; verdict: Verdict;
  /** Tests of it, oldest first; the last one proposes a verdict. */
  tests?: Test[];
  /** Why the user's verdict is not the proposed one. */
  reason?: string;
  /** Response curves that belong to it. */
  curves?: Curve[];
}

/** The score along a slider or from one style to another. */
export interface Curve {
  /** What is varied, in words, and the name of the image. */
  along: string; image: string;
  classifier: string; target: number;
  /** Percent, ascending; the score of the image at each of them. */
  positions: number[]; scores: number[];
  /** Of random draws at the same positions: their number, the mean score, and the 10th and 90th percentile. */
  band?: { count: number; mean: number[]; low: number[]; high: number[] };
}

/** What a hypothesis expects of the score, stated before the test. */
export type Expected = "up" | "down" | "none";
export type Population = "gallery" | "data" | "draws";

/** An edit to be tried on many images, and random edits of equal size beside it. */
export interface Measure {
  edit: Edit;
  /** `gallery`: the images as they began; `data`: of a split, chosen by the seed; `draws`: `draw-SEED-0-100`, `draw-SEED-1-100`, ... */
  on: Population;
  count: number; seed: number;
  /**
   * Random directions of W. Direction c is the difference u of two random draws, `draw-SEED-(100000+2c)-100` minus
   * `draw-SEED-(100001+2c)-100`, the same for all images. Size `w`: in each layer u at the length by which the edit moves the
   * image's w there; left out where the edit moves no w. Size `image`: w + s u in all layers, with the s > 0 that changes the
   * image by as much as the edit does (root mean square over the pixels), within 10 %, and at most 3.
   */
  controls: number;
  classifier: string; target: number;
  /** The split, for `data`. */
  split?: string;
  /** The images, for `gallery`. */
  images?: Spec[];
  /** Whether true factors are read before and after the edit, where the data has them. */
  factors?: boolean;
}

/** One random edit of all images: mean change of the score, share of the images turned, mean root mean square change of the pixels. */
export interface Control { size: "w" | "image"; change: number; turned: number; moved: number }
/** Mean change of one true factor by the edit, in half-ranges, with its 95 % interval, and how well it is read (R2, 0 to 1). */
export interface FactorChange { name: string; change: number; low: number; high: number; read: number }

/** Scores as displayed, of N images before and after an edit. */
export interface Measured {
  /** Style of each image's first layer. */
  names: string[];
  before: number[]; after: number[];
  /** Whether the answer changed; empty for a regression. */
  turned: boolean[];
  /** The image's label, or else the classifier's answer before the edit; `null` where neither is known. */
  groups: (string | null)[]; grouped: "label" | "answer";
  /** Mean length of the edit in W (root of the sum over the layers), and mean root mean square change of the pixels. */
  moved: { w: number; image: number };
  controls: Control[];
  factors?: FactorChange[];
}

/** A test of a hypothesis: what was expected, what was asked and what came out. The verdict follows from it by the rule. */
export interface Test { expected: Expected; least: number; measure: Omit<Measure, "images">; measured: Measured }

/** Everything that the user makes; every change of it can be undone. */
export interface Document {
  format: 1; layers: number; groups: number; styles: Style[]; images: Item[]; notes: Note[];
  /** Those that came with a file, and saved directions; the server reads what else they hold. */
  sliders: Slider[];
  /** What the user made of sliders, by their ids. */
  labels?: Labels;
}

/** A slider's name in place of the finder's, and whether it is among the first or folded away. */
export interface Label { name?: string; starred?: boolean; hidden?: boolean }
export type Labels = Record<string, Label>;

/** The view: held in the address, not undone. */
/** The three views of the page. */
export type Tab = "explore" | "test" | "compare";

export interface View {
  selected: string; classifier: string; target: number; cells: "result" | "style"; sort: boolean;
  pins: string[]; explainer: string; opacity: number; tab: Tab;
}

export interface Classifier { id: string; task: "multiclass" | "binary" | "regression"; classes: string[];
  /** Of a regression: the value's unit, the middle of its bar, and values that one draw in twenty is below and above. */
  unit?: string; scale?: { neutral: number; low: number; high: number };
}
export interface Slider { id: string; finder: string; name: string; effect: number; flagged: string; oneSided: boolean; target: number; towards: string;
  /** The class whose logit the effect is of, where that is not the one it moves towards. */
  measured?: string;
  /** A shift of W in all layers or some, or a coordinate of the style space; what it moves along, shared by opposite sliders; its way. */
  along?: "w" | "style"; axis?: string; rises?: boolean;
}

export interface Facts {
  name: string; layers: number; image: [number, number, number]; live: boolean; runImages: number; inverts: boolean; spaces?: string[];
  classifiers: Classifier[]; attributes: Slider[]; explainers: { id: string; summary: string }[]; splits: string[];
  /** Classes of a class-conditional generator. */
  conditions?: string[];
  /** Whether the run keeps names of sliders for the next visit. */
  keepsNames?: boolean;
  /** Whether the data's true factors can be read off images. */
  factors?: boolean;
  /** Of a page that runs the models: what it cannot do, with the reason, and the random draws that it holds: seeds from 0, draws and random directions of each. */
  why?: Record<string, string>; draws?: { seeds: number; count: number; controls: number };
}

/** An image, as a data URI, and what every classifier says of it: class index to the value shown. */
export interface Picture { src: string; values: Record<string, Record<string, number>>; distance: number }

export interface Job {
  id: string; label: string; state: "waiting" | "running" | "done" | "failed" | "cancelled";
  doing: string; done: number; total: number | null; result: Record<string, unknown> | null; message: string;
}

export interface Content {
  token?: string; name?: string; facts?: Facts; document?: Document; pictures?: Record<string, Picture>; heatmaps?: Heatmap[];
  /** Of a page from disk that runs the models: they, and the script of the worker that computes. */
  models?: Models; worker?: string;
}

/** Generator, classifiers and encoder of a page from disk, as `offline.py` writes them. */
export interface Models {
  constants: import("./local-runtime.js").Constants; graphs: Record<string, import("./local-runtime.js").Graph>;
  /** Layers and length of latents; channels, height and width; coordinates of the style space. */
  latent: [number, number]; image: [number, number, number]; styles: number;
  classifiers: Classifier[];
  /** Images at a time by which `measure` goes. */
  batch: number;
  region: { mean: { c: number }; whitening: { c: number }; edge: number };
  run: { count: number; latents: { c: number } };
  /** Of each seed draws 0, 1, ..., and from number `from` two for each random direction; one row of latents for all layers, or all. */
  draws: { seeds: number; count: number; controls: number; from: number; rows: number; latents: { c: number } };
  sliders: import("./local-session.js").StoredSlider[]; own: Record<string, string>;
}

export interface Heatmap {
  spec: string; explainer: string; classifier: string; target: number;
  values: string; height: number; width: number; signed: boolean;
}

export interface Reach {
  classifier: string; target: number; high: boolean; seed: number; count: number; pool: number; percent: number;
  /** A class of `Facts.conditions`; null for any. */
  condition?: number | null;
}

/** A slider in W to be made, of these layers or all: the way from one image to another, or along a slider that is there. */
export type Direction = { name: string; layers?: [from: number, to: number] } & ({ start: Spec; now: Spec } | { slider: string });

/** Where pictures come from: a server with the models, or what an exported page holds. */
export interface Backend {
  live: boolean;
  /** Whether it has the models that `measure` and `curve` need. */
  measures?: boolean;
  /** Whether the models run in this page, which then has no server. */
  local?: boolean;
  /** Whether it has a picture of this spec, or can make one. */
  holds(spec: Spec): boolean;
  /** Pictures of specs, at most `side` wide, lossless where they are `exact`; `null` where this page does not hold one. */
  draw(specs: Spec[], options: { edit: boolean; ask: Record<string, number>; side: number; exact?: boolean; signal?: AbortSignal }): Promise<(Picture | null)[]>;
  reach(wish: Reach): Promise<string[]>;
  /** Inverts an image, into the space that is named or the server's own. */
  upload(file: Blob, space: string, told: (job: Job) => void): Promise<Job>;
  data(split: string, index: number, space: string, told: (job: Job) => void): Promise<Job>;
  /** A heatmap of an image; from disk that of another class, or of the image as it began, where there is no other; or none. */
  heatmap(item: Item, explainer: string, classifier: string, target: number, told: (job: Job) => void): Promise<Heatmap | undefined>;
  /** A slider that the session then holds; an error says why there is none. */
  direction(wish: Direction): Promise<Slider>;
  /** Keep labels for the next visit, and forget those that are null. */
  keepNames(labels: Record<string, Label | null>): Promise<void>;
  /** Scores before and after an edit, and of random edits of equal size; the job's result is `Measured`. Statistics are the page's. */
  measure(wish: Measure, told: (job: Job) => void): Promise<Job>;
  /** Scores of rows of specs, such as each image at each position of a slider; in the same shape. */
  curve(specs: Spec[][], classifier: string, target: number): Promise<number[][]>;
  cancel(job: string): Promise<void>;
  save(document: Document): Promise<string>;
  open(text: string): Promise<Document>;
  export(document: Document, precomputed: number, view: { classifier: string; target: number }, told: (job: Job) => void): Promise<Job>;
  exported(name: string): Promise<Blob>;
}
