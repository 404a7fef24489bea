// The document that Python writes into the page of a user study (sidelight_report/user_study), and what is kept of the answers.
import type { Animation, Card, Picture } from "./document.js";

export interface StudiedAttribute { name: string; class: string; coordinate: number; flagged: string }
export interface Finder { name: string; paper: string; attributes: StudiedAttribute[] }
/** `left` and `right` are numbers of animations; `correct` is the place of the right answer in `right`. */
export interface Identify { finder: number; attribute: number; other: number; left: [number, number]; right: [number, number]; correct: number }
export interface Describe { finder: number; attribute: number; pictures: number[] }
/** An explained image with every explanation of it; `probability` is that of the class. */
export interface StudiedImage extends Card { class: string; probability: number | null }
/** Two occluded versions, of which the network says the class of the one at `correct`; `visible` are the patches that they show. */
export interface Predict {
  image: number; versions: [Picture, Picture]; visible: [number[], number[]]; probabilities: [number | null, number | null];
  answers: [string, string]; correct: number;
}
/** An explanation that participants may be assigned; the condition without one is not listed. */
export interface Condition { name: string; kind: string; paper: string }
export interface Study {
  title: string; study: string; task: string; left_out: string[]; notes: string[]; animations: Animation[]; finders: Finder[];
  identify: Identify[]; describe: Describe[]; conditions: Condition[]; images: StudiedImage[]; predict: Predict[];
}

export type Part = "predict" | "identify" | "describe";
/** An answer: which of the two (0 or 1), or words; and how long it took. */
export interface Choice { choice: number; seconds: number }
export interface Words { text: string; seconds: number }
/** How a participant came by the condition: named in the address, by a number in the address, or at random. */
export type Assigned = "address" | "number" | "random";
/** The answers of one person, by the number of the question; `condition` is the explanation that they see, empty for none. */
export interface Session {
  id: string; label: string; condition: string; assigned: Assigned;
  predict: Record<number, Choice>; identify: Record<number, Choice>; describe: Record<number, Words>;
}
export interface Kept { sessions: Session[]; current: string }
