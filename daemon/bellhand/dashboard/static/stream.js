// One stream for all tabs of a browser, which grants a host only six connections: the tab that holds the lock keeps the stream and tells the
// others what it hears; when it goes, the next one takes over, from the id that was heard last. A tab that nobody looks at
// follows nothing. Where there are no locks (a page over plain HTTP from another machine) each tab has a stream of its own;
// and whatever happens to streams, the page goes on asking by itself.

const LOCK = "bellhand.stream";
const GATHER_MS = 60; // how long whoever takes over waits to hear what the others follow
const REFUSED_MS = 30000; // a stream that was refused (too many of them, a session that ended) is not asked for again sooner
const NAMES = "snapshot started progress position pending scheduled retrying blocked paused completed partial failed cancelled".split(" ");

const shared = "locks" in navigator && "BroadcastChannel" in window;
const channel = shared ? new BroadcastChannel(LOCK) : null;
const me = `${performance.timeOrigin}.${Math.random()}`;
const others = new Map(); // what each other tab follows; only whoever keeps the stream needs to know

let news = () => {};
let wanted = ""; // the job that this tab follows
let open = false; // whether a stream is there, here or in another tab
let place = ""; // the id that was heard last, here or there
let source = null;
let followed = "";
let gathering = 0;
let refusedAt = -1e9;
let release = null; // set while this tab keeps the stream
let asked = null; // set while it keeps it, or waits for its turn

const tell = (said) => channel?.postMessage({ tab: me, ...said });

function isOpen(now) {
  open = now;
  if (release) tell({ open });
}

function hear(event) {
  const job = String(JSON.parse(event.data).id);
  place = event.lastEventId || place;
  isOpen(true);
  if (release) tell({ job, place });
  if (job === wanted) news();
}

function close() {
  clearTimeout(gathering);
  gathering = 0;
  source?.close();
  source = null;
  followed = "";
}

// Follows what this tab and the others want; a stream that is about other jobs is begun anew where it was.
function listen() {
  gathering = 0;
  const jobs = [...new Set([wanted, ...others.values()])].filter(Boolean).sort().slice(0, 100);
  if (jobs.join() === followed) return;
  close();
  if (!jobs.length) return;
  followed = jobs.join();
  const query = new URLSearchParams(jobs.map((job) => ["job", job]));
  if (place) query.set("after", place);
  source = new EventSource(`/v1/events?${query}`);
  source.onopen = () => isOpen(true);
  source.onerror = () => {
    isOpen(false);
    if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    refusedAt = performance.now();
    close();
  };
  for (const name of NAMES) source.addEventListener(`job.${name}`, hear);
}

function gather() {
  if (!gathering && performance.now() - refusedAt > REFUSED_MS) gathering = setTimeout(listen, GATHER_MS);
}

function take() {
  if (asked) return;
  asked = new AbortController();
  const kept = () => new Promise((resolve) => {
    release = resolve;
    others.clear();
    tell({ who: true });
    gather();
  });
  navigator.locks.request(LOCK, { signal: asked.signal }, kept).catch(() => {}).finally(() => {
    asked = null;
    if (wanted) take();
  });
}

function leave() {
  if (release) {
    close();
    release();
    release = null;
  } else {
    asked?.abort();
  }
}

channel?.addEventListener("message", ({ data }) => {
  if (data.who) {
    open = false;
    if (wanted) tell({ wants: wanted });
  } else if ("wants" in data) {
    if (!release) return;
    if (data.wants) others.set(data.tab, data.wants);
    else others.delete(data.tab);
    tell({ open });
    gather();
  } else if ("open" in data) {
    open = data.open;
  } else if (data.job) {
    place = data.place || place;
    open = true;
    if (data.job === wanted) news();
  }
});
// So that whoever keeps the stream does not go on for a tab that is gone.
addEventListener("pagehide", () => { follow(""); });

/** Says which job this tab follows from now on; "" for none. */
export function follow(job) {
  const before = wanted;
  wanted = job;
  if (!shared) {
    if (job !== before || !source) gather();
  } else if (job) {
    if (job !== before) tell({ wants: job });
    take();
    if (release) gather();
  } else if (before) {
    tell({ wants: "" });
    leave();
  }
}

/** Whether news of the job that this tab follows comes by itself. */
export const isFollowed = () => Boolean(wanted) && open;

/** What to do when there is news of it. */
export function onNews(listener) {
  news = listener;
}
