// Charts of the page Quality: an interval for each group, a full mark where the number is known, else a hollow one.
"use strict";

const SHAPES = ["circle", "square"];
const PERCENT = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 2 });
const charts = [];

function mark(context, shape, x, y, size) {
  context.beginPath();
  if (shape === "circle") context.arc(x, y, size, 0, 2 * Math.PI);
  else context.rect(x - size, y - size, 2 * size, 2 * size);
}

// Intervals and marks are drawn on uPlot's canvas: it has no series of them.
function drawIntervals(plot, chart, colours) {
  const context = plot.ctx, ratio = devicePixelRatio || 1;
  const { left, top, width, height } = plot.bbox;
  context.save();
  context.beginPath();
  context.rect(left, top, width, height + 5 * ratio); // what reaches beyond the scale is cut
  context.clip();
  context.lineWidth = 1.5 * ratio;
  chart.series.forEach((series, row) => {
    const colour = colours[row], shift = (row - (chart.series.length - 1) / 2) * 9 * ratio;
    context.strokeStyle = colour;
    context.fillStyle = colour;
    chart.names.forEach((_, at) => {
      const x = plot.valToPos(at, "x", true) + shift;
      const [low, high] = [series.low[at], series.high[at]].map((value) => plot.valToPos(value, "y", true));
      context.globalAlpha = series.known[at] ? 1 : 0.45;
      context.setLineDash(row ? [4 * ratio, 3 * ratio] : []);
      context.beginPath();
      context.moveTo(x, low);
      context.lineTo(x, high);
      context.stroke();
      context.setLineDash([]);
      if (series.estimate[at] === null || !series.known[at]) return;
      mark(context, SHAPES[row], x, plot.valToPos(series.estimate[at], "y", true), 3.5 * ratio);
      context.fill();
    });
  });
  context.restore();
}

function draw(holder) {
  const chart = JSON.parse(holder.dataset.chart), style = getComputedStyle(document.body);
  const colour = (name) => style.getPropertyValue(name).trim();
  const colours = [colour("--text"), colour("--accent")];
  const large = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16; // on a wall
  const axis = { font: `${12 * large}px system-ui, sans-serif`, stroke: colour("--quiet"), grid: { stroke: colour("--edge"), width: 1 }, ticks: { stroke: colour("--edge") } };
  const numbers = chart.names.map((_, at) => at);
  const short = (name) => (name.length > 12 ? `${name.slice(0, 11)}…` : name);
  const known = chart.series.flatMap((series) => series.high.filter((_, at) => series.known[at]));
  const every = Math.ceil(chart.names.length / Math.max(1, Math.floor(holder.clientWidth / 90)));
  const top = Math.min(100, Math.max(1, ...(known.length ? known : [100])) * 1.15); // what is not known may be cut
  holder.replaceChildren();
  charts.push(new uPlot({
    width: holder.clientWidth, height: 210 * large,
    scales: { x: { time: false, range: [-0.6, chart.names.length - 0.4] }, y: { range: [0, top] } },
    legend: { show: false },
    cursor: { show: false },
    axes: [
      { ...axis, grid: { show: false }, splits: () => numbers, values: (_, places) => places.map((at) => short(chart.names[at] ?? "")), space: 60 * large, size: 50 * large,
        filter: (_, places) => places.map((at) => (at % every ? null : at)) },
      { ...axis, size: 56 * large, values: (_, values) => values.map((value) => `${PERCENT.format(value)} %`) },
    ],
    series: [{}, ...chart.series.map(() => ({ show: true, stroke: "transparent", points: { show: false }, paths: () => null }))],
    hooks: { draw: [(plot) => drawIntervals(plot, chart, colours)] },
  }, [numbers, ...chart.series.map((series) => series.estimate)], holder));
  legend(holder, chart, colours);
}

function legend(holder, chart, colours) {
  const list = document.createElement("p");
  list.className = "legend quiet";
  chart.series.forEach((series, row) => {
    const sign = document.createElement("span"), part = document.createElement("span");
    sign.textContent = ["●", "■"][row];
    sign.style.color = colours[row];
    sign.setAttribute("aria-hidden", "true");
    part.append(sign, ` ${series.label}`);
    list.append(part);
  });
  holder.append(list);
}

function drawAll() {
  while (charts.length) charts.pop().destroy();
  if (window.uPlot) for (const each of document.querySelectorAll("[data-chart]")) draw(each);
}

drawAll();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
let resizing = null;
window.addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(drawAll, 200);
});
