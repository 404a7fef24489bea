// The document that Python writes into the page of a user study (sidelight_report/study.py), and what is kept of the answers.
import type { Animation } from "./document.js";

export interface StudiedAttribute { name: string; class: string; coordinate: number; flagged: string }
export interface Finder { name: string; paper: string; attributes: StudiedAttribute[] }
/** Part 1: `left` and `right` are numbers of animations; `correct` is the place of the right answer in `right`. */
export interface Identify { finder: number; attribute: number; other: number; left: [number, number]; right: [number, number]; correct: number }
/** Part 2. */
export interface Describe { finder: number; attribute: number; pictures: number[] }
export interface Study {
  title: string; study: string; left_out: string[]; animations: Animation[]; finders: Finder[]; identify: Identify[]; describe: Describe[];
}

export type Part = "identify" | "describe";
/** An answer: which of the two (0 or 1), or words; and how long it took. */
export interface Choice { choice: number; seconds: number }
export interface Words { text: string; seconds: number }
/** The answers of one person, by the number of the question. */
export interface Session { id: string; label: string; identify: Record<number, Choice>; describe: Record<number, Words> }
export interface Kept { sessions: Session[]; current: string }
