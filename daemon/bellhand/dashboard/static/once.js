// A form that does something is sent once: who clicks twice, or presses another key before the answer is there, would do it twice, or
// take back what was done before. The browser gives the first answer up then, and nobody would see what it said.

import { flash } from "./page.js";

const ON_ITS_WAY_MS = 25000; // as long as an act may take; after that it may be tried again
let sentAt = -1e9;
let elsewhere = false; // whether what was clicked opens in another tab, and this page stays

document.addEventListener("click", (event) => { elsewhere = event.ctrlKey || event.metaKey || event.shiftKey; }, true);
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post" || event.defaultPrevented || elsewhere) return;
  if (performance.now() - sentAt < ON_ITS_WAY_MS) {
    event.preventDefault();
    flash("What you asked for first is on its way");
    return;
  }
  sentAt = performance.now();
});
addEventListener("pageshow", () => { sentAt = -1e9; }); // a page that one goes back to is as it was left
