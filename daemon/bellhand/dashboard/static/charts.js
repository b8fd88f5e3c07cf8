// Charts: each is drawn from the table that says the same, so there is nothing that only a picture tells. Moments at which something
// happened to all of it (a deploy) come from the list of them on the page, and are lines through the charts.

import { $, $$ } from "./page.js";

const charts = new Map();
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function drawMarks(plot) {
  const { ctx, bbox, scales } = plot;
  ctx.save();
  ctx.strokeStyle = colour("notice");
  ctx.setLineDash([4, 3]);
  ctx.lineWidth = devicePixelRatio;
  for (const time of $$("[data-mark] time")) {
    const at = Date.parse(time.dateTime) / 1000;
    if (at < scales.x.min || at > scales.x.max) continue;
    const x = Math.round(plot.valToPos(at, "x", true)) + 0.5; // on a pixel, not between two
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

function optionsOf(heads, place) {
  const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  const hours = { ...axis, values: (_, moments) => moments.map((at) => new Date(at * 1000).toTimeString().slice(0, 5)) };
  const series = heads.slice(1).map((head) => ({
    label: head.textContent, stroke: colour(head.dataset.tone), width: 2, dash: head.dataset.dash ? [6, 4] : undefined,
    fill: head.dataset.fill ? `${colour(head.dataset.tone)}22` : undefined, points: { show: false },
  }));
  return {
    width: Math.max(240, place.clientWidth), height: 190, series: [{}, ...series], cursor: { y: false }, legend: { live: false },
    axes: [hours, { ...axis, size: 44 }], scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } }, hooks: { draw: [drawMarks] },
  };
}

/** Draws every chart of the page; `anew` when its size or its colours are others. */
export function drawCharts(anew) {
  if (!window.uPlot) return;
  for (const figure of $$("[data-chart]")) {
    const place = $("[data-keep]", figure);
    const table = $("details table", figure); // the chart's own legend is a table too
    const heads = $$("thead th", table);
    const rows = $$("tbody tr", table).map((row) => $$("th, td", row).map((cell) => Number(cell.dataset.value ?? cell.textContent)));
    if (!rows.length) continue;
    const data = heads.map((_, at) => rows.map((row) => row[at]));
    const drawn = charts.get(figure);
    if (drawn && !anew) {
      drawn.setData(data);
      continue;
    }
    drawn?.destroy();
    place.hidden = false;
    charts.set(figure, new window.uPlot(optionsOf(heads, place), data, place));
  }
}

let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => drawCharts(true), 150);
});
