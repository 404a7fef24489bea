// @ts-check
/** The backend of a live page: its server, which has the models. */

/** @typedef {import("./types.js").Backend} Backend */
/** @typedef {import("./types.js").Job} Job */
/** @typedef {import("./types.js").Facts} Facts */
/** @typedef {import("./types.js").Document} Document */

const OVER = ["done", "failed", "cancelled"];

const ENDED = "this tab's session has ended; load the page again";
const FULL = 429; // as many tabs are open as the server takes
const AGAIN = 5000; // milliseconds until it is asked once more

/**
 * @param {string} token
 * @param {(message: string) => void} [told] why the page has to wait; the empty text once it need not
 * @returns {Promise<{ backend: Backend, facts: Facts, document: Document }>}
 */
export async function connect(token, told = () => {}) {
  const headers = { "X-Sidelight-Token": token };

  /** @param {string} path @param {BodyInit} [body] @param {AbortSignal} [signal] */
  async function post(path, body, signal) {
    const answer = await fetch(path, { method: "POST", headers, body, signal: signal ?? null });
    if (!answer.ok) throw Object.assign(new Error((await answer.json().catch(() => ({}))).error ?? `the server answers ${answer.status}`), { status: answer.status });
    return answer;
  }

  const enter = async () => {
    for (;;) {
      try {
        return await (await post("api/tabs")).json();
      } catch (error) {
        if (!(error instanceof Error && "status" in error && error.status === FULL)) throw error;
        told(`${error.message}. This one opens as soon as another is closed.`);
        await new Promise((resolve) => setTimeout(resolve, AGAIN));
      }
    }
  };
  const entered = await enter();
  told("");
  const tab = `api/tabs/${entered.tab}`;
  const jobs = listen(`${tab}/events`);
  window.addEventListener("pagehide", () => navigator.sendBeacon(`${tab}/close`, JSON.stringify({ token })));

  /** @param {string} name @param {unknown} body @param {AbortSignal} [signal] */
  const ask = async (name, body, signal) => (await post(`${tab}/${name}`, JSON.stringify(body), signal)).json();

  /** @param {Promise<{ job: string }>} started @param {(job: Job) => void} notify */
  const work = async (started, notify) => jobs((await started).job, notify);

  return {
    facts: entered.facts,
    document: entered.document,
    backend: {
      live: true,
      measures: true,
      holds: () => true,
      draw: async (specs, { ask: wanted, signal, ...options }) => (await ask("draw", { specs, ask: wanted, ...options }, signal)).pictures,
      reach: async (wish) => (await ask("reach", wish)).styles,
      upload: (file, space, notify) => work(post(`${tab}/upload?space=${encodeURIComponent(space)}`, file).then((answer) => answer.json()), notify),
      data: (split, index, space, notify) => work(ask("data", { split, index, space }), notify),
      heatmap: async ({ now: spec }, explainer, classifier, target, notify) =>
        /** @type {import("./types.js").Heatmap} */ (/** @type {unknown} */ ((await work(ask("heatmap", { spec, explainer, classifier, target }), notify)).result)),
      direction: (wish) => ask("direction", wish),
      keepNames: async (labels) => { await ask("names", { labels }); },
      measure: (wish, notify) => work(ask("test", wish), notify),
      curve: async (specs, classifier, target) => (await ask("curve", { specs, classifier, target })).scores,
      cancel: async (job) => { await ask("cancel", { job }); },
      save: async (doc) => (await post(`${tab}/save`, JSON.stringify(doc))).text(),
      open: async (text) => (await post(`${tab}/open`, text)).json(),
      export: (doc, precomputed, view, notify) => work(ask("export", { document: doc, precomputed, view }), notify),
      exported: async (name) => (await post(`${tab}/exported`, JSON.stringify({ export: name }))).blob(),
    },
  };
}

/**
 * Follow the tab's jobs. What gives is a function that waits for one of them to end.
 * @param {string} path
 */
function listen(path) {
  /** @type {Map<string, Job>} */
  const latest = new Map();
  /** @type {Map<string, (job: Job) => void>} */
  const waiting = new Map();
  const events = new EventSource(path);
  /** Ends of the waits, for when the server tells nothing any more. @type {Map<string, (error: Error) => void>} */
  const ends = new Map();
  events.addEventListener("error", () => {
    if (events.readyState !== EventSource.CLOSED) return; // it tries again by itself
    for (const end of ends.values()) end(new Error(ENDED));
    ends.clear();
  });
  events.addEventListener("message", ({ data }) => {
    const job = /** @type {Job} */ (JSON.parse(data));
    latest.set(job.id, job);
    waiting.get(job.id)?.(job);
  });
  /** @param {string} id @param {(job: Job) => void} notify @returns {Promise<Job>} */
  return (id, notify) => new Promise((resolve, reject) => {
    /** @param {Job} job */
    const follow = (job) => {
      notify(job);
      if (!OVER.includes(job.state)) return;
      for (const map of [waiting, latest, ends]) map.delete(id);
      if (job.state === "failed") reject(new Error(job.message));
      else resolve(job);
    };
    if (events.readyState === EventSource.CLOSED) {
      reject(new Error(ENDED));
      return;
    }
    waiting.set(id, follow);
    ends.set(id, reject);
    const known = latest.get(id);
    if (known) follow(known);
  });
}
