// Bellhand in the browser (and in Node 18+): JobManager runs a job and tells how far it is; <job-progress> shows it.
// One module, no build: <script type="module" src="/bellhand.js"></script>

const OVER = ["completed", "failed", "cancelled"];
const POLL_MS = 2000;
const QUIET_MS = 45000; // three heartbeats: a stream that says nothing for so long is dead
const TRIES_MAX = 3; // streams that fail before one event; then it is polled

export class BellhandError extends Error {
  constructor(message, status, problem) {
    super(message);
    this.name = "BellhandError";
    this.status = status;
    this.problem = problem;
  }
}

// Events of a stream until `signal` is aborted or the server says that there is no more (204). Not an EventSource, which can
// send no Authorization and does not exist in Node. Throws when streams do not get through.
export async function* events(url, { headers = {}, signal, fetch: get = fetch } = {}) {
  let lastId = "";
  let retryMs = 3000;
  let failures = 0;
  while (!signal?.aborted) {
    const quiet = new AbortController();
    const stop = () => quiet.abort();
    signal?.addEventListener("abort", stop, { once: true });
    let timer = setTimeout(stop, QUIET_MS);
    try {
      const answer = await get(url, {
        headers: { Accept: "text/event-stream", ...headers, ...(lastId ? { "Last-Event-ID": lastId } : {}) },
        cache: "no-store",
        signal: quiet.signal,
      });
      if (answer.status === 204) return;
      if (!answer.ok) {
        const error = await problem(answer);
        if (answer.status < 500 && answer.status !== 429) throw Object.assign(error, { final: true });
        throw error;
      }
      if (!(answer.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) {
        throw Object.assign(new BellhandError(`${url} is no stream`, answer.status), { final: true });
      }
      const decoder = new TextDecoder();
      const reader = answer.body.getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        clearTimeout(timer);
        timer = setTimeout(stop, QUIET_MS);
        const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          const event = parse(block);
          if (event.retry) retryMs = event.retry;
          if (event.id !== undefined) lastId = event.id;
          if (event.data === undefined) continue;
          failures = 0;
          yield event;
        }
      }
    } catch (error) {
      if (signal?.aborted) return;
      failures += 1;
      if (error.final || failures >= TRIES_MAX) throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      quiet.abort();
    }
    await pause(retryMs, signal);
  }
}

function parse(block) {
  const event = { event: "message" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, "");
    const name = line.slice(0, colon);
    if (name === "data") event.data = event.data === undefined ? value : `${event.data}\n${value}`;
    else if (name === "retry") event.retry = Number(value) || 0;
    else if (name === "id" || name === "event") event[name] = value;
  }
  return event;
}

async function problem(answer) {
  let body = null;
  try {
    body = await answer.json();
  } catch {
    // not ours
  }
  const said = body?.error ?? body?.detail ?? body?.title;
  return new BellhandError(said ?? `the server answered ${answer.status}`, answer.status, body);
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done, { once: true });
    if (signal?.aborted) done();
  });
}

// Runs jobs of product matching and tells how far they are. Streams where streams get through, else asks every 2 seconds.
export class JobManager {
  // baseUrl: where Bellhand is ("" in its own pages); token: sent as Bearer; fetch: another one than the global.
  constructor({ baseUrl = "", token = null, fetch: own = null } = {}) {
    this.baseUrl = baseUrl.replace(/\/$/, "");
    this.token = token;
    this.fetch = own ?? ((...all) => globalThis.fetch(...all));
    this.running = new Set();
  }

  // Starts a job and resolves with it once it is completed; rejects with why it failed. onUpdate gets it as it goes.
  async startJob(projectId, jobType, onUpdate) {
    const made = await this.#ask("/api/jobs/create", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ projectId, jobType, config: { jobType } }),
    });
    return this.#follow(made.job.id, onUpdate, async (signal, tell) => {
      const url = `${this.baseUrl}/v1/jobs/${encodeURIComponent(made.job.id)}/events`;
      try {
        for await (const _ of events(url, { headers: this.#headers(), signal, fetch: this.fetch })) {
          // A stream rings; what there is to know is asked for, in the words of the seed.
          if (await tell()) return;
        }
        if (await tell()) return;
      } catch {
        // streams do not get through here
      }
      await this.#poll(tell, POLL_MS, signal);
    });
  }

  // Asks how a job is, every intervalMs, until it is over; resolves and rejects as startJob does.
  startPolling(jobId, onUpdate, intervalMs = POLL_MS) {
    return this.#follow(jobId, onUpdate, (signal, tell) => this.#poll(tell, intervalMs, signal));
  }

  // Stops looking, for good; the jobs go on. What was promised stays open, as nobody is there to be told.
  cleanup() {
    for (const run of this.running) run.abort();
    this.running.clear();
  }

  async #poll(tell, intervalMs, signal) {
    let failures = 0;
    while (!signal.aborted) {
      try {
        if (await tell()) return;
        failures = 0;
      } catch (error) {
        failures += 1;
        const passing = error.status === undefined || error.status >= 500 || error.status === 429;
        if (!passing || failures >= 10) throw error;
      }
      await pause(intervalMs, signal);
    }
  }

  #follow(jobId, onUpdate, way) {
    const run = new AbortController();
    this.running.add(run);
    return new Promise((resolve, reject) => {
      let last = "";
      const tell = async () => {
        const { job } = await this.#ask(`/api/jobs/${encodeURIComponent(jobId)}`, { signal: run.signal });
        if (run.signal.aborted) return true;
        const text = JSON.stringify(job);
        if (text !== last) onUpdate?.(job);
        last = text;
        if (job.status === "completed") resolve(job);
        else if (job.status === "failed") reject(new BellhandError(job.errorMessage || "the job failed"));
        else return false;
        return true;
      };
      way(run.signal, tell)
        .catch((error) => {
          if (!run.signal.aborted) reject(error);
        })
        .finally(() => {
          run.abort();
          this.running.delete(run);
        });
    });
  }

  #headers() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  async #ask(path, { headers, ...options } = {}) {
    const answer = await this.fetch(this.baseUrl + path, { ...options, headers: { ...this.#headers(), ...headers } });
    if (!answer.ok) throw await problem(answer);
    return answer.json();
  }
}

const STYLE = `
:host { display: block; font: inherit; color: var(--job-progress-text, CanvasText); }
[hidden] { display: none !important; }
.head { display: flex; flex-wrap: wrap; gap: 0.25em 1em; justify-content: space-between; align-items: baseline; }
.state { font-weight: 600; }
.bar { height: var(--job-progress-height, 0.6em); margin: 0.5em 0; border-radius: 99em; overflow: hidden;
  background: var(--job-progress-track, color-mix(in srgb, CanvasText 15%, Canvas)); }
.fill { height: 100%; width: 0; border-radius: inherit; background: var(--job-progress-color, #2563eb); transition: width 0.3s; }
.bar[data-state="failed"] .fill, .bar[data-state="cancelled"] .fill { background: var(--job-progress-bad, #b91c1c); }
.bar[data-state="completed"] .fill { background: var(--job-progress-good, #15803d); }
.bar.unknown .fill { width: 30%; animation: to-and-fro 1.6s ease-in-out infinite alternate; }
@keyframes to-and-fro { to { margin-left: 70%; } }
@media (prefers-reduced-motion: reduce) { .fill { transition: none; } .bar.unknown .fill { animation: none; } }
@media (forced-colors: active) { .bar { border: 1px solid CanvasText; } .fill { background: Highlight; forced-color-adjust: none; } }
.more { overflow-wrap: anywhere; }
button { font: inherit; min-height: 2em; margin-top: 0.5em; padding: 0.2em 0.9em; border-radius: 0.4em; cursor: pointer;
  color: inherit; background: none; border: 1px solid currentColor; }
.note { margin-top: 0.5em; font-style: italic; }
.note.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
`;

const STATES = {
  pending: "Waiting", scheduled: "Scheduled", retrying: "Waiting to try again", blocked: "Waiting for other jobs",
  paused: "Paused", running: "Running", completed: "Completed", partial: "Completed in part", failed: "Failed",
  cancelled: "Cancelled",
};

// What there is to say of a job in one line each; shared by the element and its tests.
export function words(job, now = new Date()) {
  const progress = job.progress ?? {};
  const over = OVER.includes(job.state);
  // What the handler counts itself says more than its steps.
  const behind = (progress.steps_done ?? 0) + (progress.steps_failed ?? 0);
  const parts = progress.items_total ? `${progress.items_done ?? 0} of ${progress.items_total}`
    : progress.steps_total ? `${behind} of ${progress.steps_total} steps` : behind ? `${behind} step${behind === 1 ? "" : "s"} done` : "";
  const percent = job.state === "completed" ? 100 : progress.percent ?? null;
  const left = over ? "" : remaining(job.eta, now);
  const ahead = job.position?.ahead;
  const place = over || ahead === undefined ? "" : ahead === 0 ? "next in line" : `${ahead} before it`;
  const said = [progress.ending ?? (percent === null ? "" : `${Math.round(percent)} percent`), parts, place, left];
  return {
    state: STATES[job.partial ? "partial" : job.state] ?? job.state,
    percent,
    over,
    more: over ? "" : progress.message ?? progress.step ?? progress.stage ?? "",
    value: said.filter(Boolean).join(", "),
  };
}

function remaining(eta, now) {
  if (!eta?.finishes_at) return "";
  const seconds = Math.max(0, (new Date(eta.finishes_at) - now) / 1000);
  if (seconds < 60) return "less than a minute left";
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `about ${minutes} minute${minutes === 1 ? "" : "s"} left`;
  return `about ${Math.round(minutes / 60)} hours left`;
}

// <job-progress job="KEY" base="https://bellhand.example"> for who may ask the API (token: the property),
// <job-progress ticket="bht_..."> for everybody else. What stands inside is shown until there is news, or without scripts. Tells of itself: job-update, job-done (bubbling, detail: the job).
const Base = globalThis.HTMLElement ?? class {};

export class JobProgress extends Base {
  static observedAttributes = ["job", "ticket", "base"];
  token = null;
  #here = false;
  #run = null;
  #parts = null;

  connectedCallback() {
    this.#here = true;
    this.#start();
  }

  disconnectedCallback() {
    this.#here = false;
    this.#run?.abort();
  }

  attributeChangedCallback() {
    if (this.#here) this.#start();
  }

  // Only once there is something to show: until then what the page has put inside stands there.
  #build() {
    if (this.#parts) return;
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    const make = (tag, className, parent, given = {}) => {
      const element = document.createElement(tag);
      element.className = className;
      for (const [name, value] of Object.entries(given)) element.setAttribute(name, value);
      parent.append(element);
      return element;
    };
    const head = make("div", "head", root);
    const bar = make("div", "bar", root, { role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" });
    this.#parts = {
      state: make("span", "state", head),
      value: make("span", "value", head),
      bar,
      fill: make("div", "fill", bar),
      more: make("div", "more", root),
      cancel: make("button", "cancel", root, { type: "button", part: "cancel" }),
      note: make("div", "note", root, { role: "status" }),
    };
    this.#parts.cancel.textContent = "Cancel";
    this.#parts.cancel.hidden = true;
    this.#parts.cancel.addEventListener("click", () => this.#cancel());
  }

  get #place() {
    const base = (this.getAttribute("base") ?? "").replace(/\/$/, "");
    const ticket = this.getAttribute("ticket");
    const path = ticket ? `/p/${encodeURIComponent(ticket)}` : `/v1/jobs/${encodeURIComponent(this.getAttribute("job") ?? "")}`;
    return { stream: `${base}${path}/events`, poll: ticket ? `${base}${path}/job` : base + path, cancel: `${base}${path}/cancel` };
  }

  get #headers() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  async #start() {
    this.#run?.abort();
    if (!this.getAttribute("job") && !this.getAttribute("ticket")) return;
    const run = (this.#run = new AbortController());
    const place = this.#place;
    try {
      for await (const { event, data } of events(place.stream, { headers: this.#headers, signal: run.signal })) {
        if (event === "expired") return this.#say("This link has expired.");
        if (event.startsWith("job.") && this.#show(JSON.parse(data))) return;
      }
      return;
    } catch (error) {
      if (error.final && error.status) return this.#say(error.message);
    }
    while (!run.signal.aborted) {
      try {
        const answer = await fetch(place.poll, { headers: this.#headers, signal: run.signal, cache: "no-store" });
        if (!answer.ok) throw await problem(answer);
        if (this.#show(await answer.json())) return;
      } catch (error) {
        if (run.signal.aborted) return;
        if (error.status < 500 && error.status !== 429) return this.#say(error.message);
        this.#say("Not reachable just now; trying again.");
      }
      await pause(POLL_MS, run.signal);
    }
  }

  #show(job) {
    this.#build();
    const { state, percent, over, more, value } = words(job);
    const parts = this.#parts;
    parts.state.textContent = state;
    parts.value.textContent = value;
    parts.more.textContent = more;
    parts.note.textContent = "";
    parts.note.classList.toggle("spoken", over); // the state stands above already
    parts.bar.dataset.state = job.state;
    parts.bar.classList.toggle("unknown", percent === null && job.state === "running");
    parts.bar.setAttribute("aria-label", `Progress of ${job.kind}`);
    parts.bar.setAttribute("aria-valuetext", value ? `${state}: ${value}` : state);
    if (percent === null) parts.bar.removeAttribute("aria-valuenow");
    else parts.bar.setAttribute("aria-valuenow", String(Math.round(percent)));
    parts.fill.style.width = percent === null ? "" : `${percent}%`;
    const may = job.can_cancel ?? job.allowed_actions?.includes("cancel") ?? false;
    parts.cancel.hidden = over || !may;
    if (over) parts.note.textContent = `${state}.`;
    this.dispatchEvent(new CustomEvent("job-update", { detail: job, bubbles: true, composed: true }));
    if (over) this.dispatchEvent(new CustomEvent("job-done", { detail: job, bubbles: true, composed: true }));
    return over;
  }

  #say(text) {
    this.#build();
    this.#parts.note.classList.remove("spoken");
    this.#parts.note.textContent = text;
    this.#parts.cancel.hidden = true;
  }

  async #cancel() {
    this.#parts.cancel.disabled = true;
    try {
      const answer = await fetch(this.#place.cancel, {
        method: "POST",
        headers: { ...this.#headers, "Content-Type": "application/json" },
        body: "{}",
      });
      if (!answer.ok) throw await problem(answer);
      this.#parts.note.textContent = "Cancelling…";
    } catch (error) {
      this.#parts.note.textContent = error.message;
    } finally {
      this.#parts.cancel.disabled = false;
    }
  }
}

if (globalThis.customElements && !customElements.get("job-progress")) customElements.define("job-progress", JobProgress);
