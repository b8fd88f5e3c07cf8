// What the pages gain from a script: they stay up to date, obey keys, tell times in any zone, and draw charts.
// Everything else works without it. Nothing here writes HTML from text: what comes from the server is parsed as a document.

import { drawCharts } from "./charts.js";
import { addFinding } from "./find.js";
import { addCopyButtons, addKeys, showChosen } from "./keys.js";
import "./once.js";
import { $, $$, page, say, stored } from "./page.js";
import { follow, isFollowed, onNews } from "./stream.js";

const poll = $("#poll");

// Times: relative to the database's clock, local, or UTC.

const SKEW_SECONDS_MAX = 2;
const ZONES = ["relative", "local", "UTC"];
let zone = ZONES.includes(stored.get("zone")) ? stored.get("zone") : "relative";
let ahead = 0; // how far the database's clock is ahead of this machine's, in milliseconds

function noteClock(root) {
  const clock = $("[data-clock]", root);
  if (!clock || document.documentElement.classList.contains("stale")) return;
  ahead = Date.parse(clock.dateTime) - Date.now();
  const seconds = Math.round(Math.abs(ahead) / 1000);
  const told = $("[data-skew]");
  // What comes late looks like a clock that goes ahead: less than that is no news.
  told.hidden = seconds <= SKEW_SECONDS_MAX;
  told.textContent = `this clock is ${seconds} s ${ahead > 0 ? "behind" : "ahead of"} the database's, which all times here are by`;
}

function ago(milliseconds) {
  const past = milliseconds >= 0;
  const seconds = Math.abs(milliseconds) / 1000;
  if (seconds < (past ? 1.5 : 3)) return "now"; // the page's clock is up to 2 s old
  const [unit, size] = seconds < 90 ? ["s", 1] : seconds < 5400 ? ["min", 60] : seconds < 129600 ? ["h", 3600] : ["d", 86400];
  const text = `${Math.round(seconds / size)} ${unit}`;
  return past ? `${text} ago` : `in ${text}`;
}

function tellTimes() {
  for (const time of $$("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const local = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
    const utc = `${moment.toISOString().slice(0, 19).replace("T", " ")} UTC`;
    if (time.title !== `${local} · ${utc}`) time.title = `${local} · ${utc}`;
    const past = Date.now() + ahead - moment;
    const relative = time.hasAttribute("data-clock") ? local : past > 0 && time.hasAttribute("data-foretold") ? "any moment" : ago(past);
    const text = { relative, local, UTC: utc }[zone];
    if (time.textContent !== text) time.textContent = text;
  }
  const button = $("[data-zone]");
  button.hidden = false;
  button.textContent = `${zone} ( z )`;
}

function nextZone() {
  zone = ZONES[(ZONES.indexOf(zone) + 1) % ZONES.length];
  stored.set("zone", zone);
  tellTimes();
}

// Light and dark, as the server writes it into the page: no flash at the next one.

function switchTheme() {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  document.cookie = `bellhand_theme=${dark ? "light" : "dark"}; path=/; max-age=31536000; samesite=lax`;
  drawCharts(true);
}

// Staying up to date: the page is asked for again and its live parts are changed in place, so that focus, selection,
// opened details and the place on the screen stay as they are. A job's page is asked for at once when the stream tells of its job.

const SLOWLY_MS = 6000; // where a stream tells of what happens, or another window is in front
const BETWEEN_NEWS_MS = 250;

let live = stored.get("live") !== "off";
let askedAt = -1e9;
let asking = 0;
let hurry = false;

function askSoon() {
  if (asking) return;
  asking = setTimeout(() => {
    asking = 0;
    hurry = true;
    window.htmx?.trigger(poll, "bellhand:changed");
  }, Math.max(0, BETWEEN_NEWS_MS - (performance.now() - askedAt)));
}

function isTooSoon() {
  const slowly = isFollowed() || !document.hasFocus();
  return slowly && !hurry && performance.now() - askedAt < SLOWLY_MS;
}

function resting() {
  const selected = getSelection();
  const reading = selected && !selected.isCollapsed && $("main").contains(selected.anchorNode);
  return !live || document.hidden || reading || $("dialog[open]") || $(".menu[open]");
}

function showLive() {
  const sign = $("#live");
  sign.hidden = !poll.dataset.livePath;
  const on = live && !document.hidden;
  if (sign.dataset.on !== (on ? "yes" : "no")) sign.dataset.on = on ? "yes" : "no";
  sign.textContent = live ? "live" : "not live ( l )";
}

function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || (old.id || "") !== (fresh.id || "")) {
    const made = document.importNode(fresh, true);
    old.replaceWith(made);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.hasAttribute("data-keep") || old.isEqualNode(fresh)) return;
  if (old.nodeName === "TIME" && old.dateTime === fresh.dateTime) return;
  const own = old.nodeName === "DETAILS" ? ["open"] : ["INPUT", "SELECT", "TEXTAREA"].includes(old.nodeName) ? ["value", "checked"] : [];
  for (const { name, value } of [...fresh.attributes]) {
    if (!own.includes(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!own.includes(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  const wanted = [...fresh.childNodes];
  const had = [...old.childNodes];
  wanted.forEach((child, at) => (had[at] ? morph(had[at], child) : old.append(document.importNode(child, true))));
  had.slice(wanted.length).forEach((child) => child.remove());
}

// A list keeps its rows: those that are in both are changed, new ones are only counted.
function changeRows(fresh) {
  let more = 0;
  for (const row of $$("[data-row]", fresh)) {
    const here = document.getElementById(row.id);
    if (here) morph(here, row);
    else more += 1;
  }
  const told = $("[data-more]");
  if (!told) return;
  told.hidden = more === 0;
  const text = more === 1 ? "1 new job: show it" : `${more} new jobs: show them`;
  if (told.textContent !== text) told.textContent = text;
}

let spokenAt = -1e9;
function speak() {
  const bar = $("[data-spoken] [role=progressbar]");
  const text = [$("[data-spoken] .state")?.textContent, bar?.getAttribute("aria-valuetext")].filter(Boolean).join(", ");
  if (!text || $("#spoken").dataset.last === text || performance.now() - spokenAt < 10000) return;
  if ($("#spoken").dataset.last) {
    say(text);
    spokenAt = performance.now();
  }
  $("#spoken").dataset.last = text;
}

function takeIn(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  if (fresh.body.dataset.page !== page) return;
  document.documentElement.classList.toggle("stale", fresh.documentElement.classList.contains("stale"));
  noteClock(fresh);
  if (document.title !== fresh.title) document.title = fresh.title;
  for (const part of $$("[data-live]", fresh)) {
    const here = document.getElementById(part.id);
    if (part.dataset.live === "rows") changeRows(part);
    else if (here) morph(here, part);
  }
  const clock = $("[data-clock]", fresh);
  if (clock) $("[data-clock]").dateTime = clock.dateTime;
  $("#lost").hidden = true;
  tellTimes();
  drawCharts(false);
  speak();
  followJob();
}

function lost(why) {
  document.documentElement.classList.add("stale");
  $("#lost span").textContent = `${why} What you see is how it stood at ${$("[data-clock]").textContent}; this page goes on asking.`;
  $("#lost").hidden = false;
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target !== poll) return;
  if (resting() || isTooSoon()) return event.preventDefault();
  hurry = false;
  askedAt = performance.now();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target !== poll) return;
  event.detail.shouldSwap = false;
  event.detail.isError = false;
  if (resting()) { // asked for before somebody began to read, or pressed `l`: it is asked for again once they are done
    hurry = true;
    return;
  }
  const { status, responseText } = event.detail.xhr;
  if (status < 400 || responseText.includes('data-page="')) takeIn(responseText);
  else lost(`The daemon answered ${status}.`);
});
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => { if (event.target === poll) lost("The daemon cannot be reached."); });
}
function askNow() {
  showLive();
  followJob();
  if (!document.hidden && poll.dataset.livePath) askSoon();
}
document.addEventListener("visibilitychange", askNow);
addEventListener("focus", askNow);

function followJob() {
  follow(document.hidden || !live ? "" : ($("[data-follow]")?.dataset.follow ?? ""));
}

onNews(askSoon);
addKeys({
  l: () => { live = !live; stored.set("live", live ? "on" : "off"); askNow(); },
  z: nextZone, t: switchTheme,
});
noteClock(document);
tellTimes();
setInterval(() => { if (!document.hidden) tellTimes(); }, 5000);
showLive();
followJob();
showChosen();
addCopyButtons();
addFinding();
drawCharts(false);
speak();
