// @ts-check
/** The backend of a page from disk that holds the models: a worker computes what a server would. */
import { onDisk } from "./disk.js";

/** @typedef {import("./types.js").Backend} Backend */
/** @typedef {import("./types.js").Job} Job */
/** @typedef {import("./types.js").Heatmap} Heatmap */
/** @typedef {import("./types.js").Models} Models */

export const NO_HEATMAP = "needs the model's gradients: open this with `sidelight serve`";
export const NO_PAGE = "this page is such a file already; Save keeps what you change";

/**
 * @param {string} script of the worker
 * @param {Models} models
 * @param {Heatmap[]} heatmaps
 * @returns {Backend}
 */
export function inPage(script, models, heatmaps) {
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void, told: (progress: any) => void }>} */
  const waiting = new Map();
  let calls = 0;
  worker.onmessage = ({ data: { id, result, error, progress } }) => {
    const call = waiting.get(id);
    if (!call) return;
    if (progress) {
      call.told(progress);
      return;
    }
    waiting.delete(id);
    if (error === undefined) call.resolve(result);
    else call.reject(new Error(error));
  };
  worker.onerror = (event) => {
    for (const { reject } of waiting.values()) reject(new Error(`the models stopped: ${event.message}`));
    waiting.clear();
  };

  /** @param {string} name @param {unknown} args @param {(progress: any) => void} [told] @returns {{ id: number, answer: Promise<any> }} */
  const call = (name, args, told = () => {}) => {
    const id = ++calls;
    const answer = new Promise((resolve, reject) => waiting.set(id, { resolve, reject, told }));
    worker.postMessage({ id, name, args });
    return { id, answer };
  };

  /** Work with progress, as a server's job. @param {string} name @param {unknown} args @param {(job: Job) => void} notify @returns {Promise<Job>} */
  const work = async (name, args, notify) => {
    /** @type {Job} */
    const job = { id: "", label: name, state: "running", doing: "", done: 0, total: null, result: null, message: "" };
    const { id, answer } = call(name, args, (progress) => notify(Object.assign(job, progress)));
    job.id = String(id);
    notify(job);
    try {
      Object.assign(job, { state: "done", result: await answer });
    } catch (error) {
      if (!(error instanceof Error) || error.message !== "cancelled") throw error;
      job.state = "cancelled";
    }
    notify(job);
    return job;
  };

  call("begin", models).answer.catch(() => {});
  const refuse = async () => { throw new Error(NO_PAGE); };
  return {
    ...onDisk({}, heatmaps),
    live: true, local: true, measures: true,
    holds: () => true,
    draw: (specs, { edit, ask, side, signal }) => {
      const { id, answer } = call("draw", { specs, edit, ask, side });
      const cancel = () => worker.postMessage({ id: 0, name: "cancel", args: { id } });
      signal?.addEventListener("abort", cancel);
      return answer.finally(() => signal?.removeEventListener("abort", cancel));
    },
    reach: (wish) => call("reach", wish).answer,
    upload: (file, _, notify) => work("upload", { file }, notify),
    direction: (wish) => call("direction", { wish }).answer,
    measure: (wish, notify) => work("measure", { wish }, notify),
    curve: (specs, classifier, target) => call("curve", { specs, classifier, target }).answer,
    cancel: async (job) => worker.postMessage({ id: 0, name: "cancel", args: { id: Number(job) } }),
    save: (document) => call("save", { document }).answer,
    open: (text) => call("open", { text }).answer,
    export: refuse, exported: refuse,
  };
}
