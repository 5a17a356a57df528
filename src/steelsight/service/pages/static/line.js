// The page Line: one event stream while the page is seen, closed while it is hidden.
"use strict";

const RENDER_MS = 150;
const FIGURES_MS = 5000;
const RETRY_MS = 3000;
const LONGEST_HIDDEN_MS = 15 * 60_000; // after which the page is loaded again instead of catching up
const TILES = matchMedia("(width > 2560px)").matches ? 15 : 6; // five rows of three on a wall, else three of two
const RIBBON = 400;
const LOCALE = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang; // 24 hours
const METRES = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const words = JSON.parse(document.body.dataset.words);
const begin = JSON.parse(document.getElementById("line").dataset.begin);
const parts = Object.fromEntries(
  ["newest", "marked", "nothing", "ribbon", "stream", "banner", "alarms", "alarm-news", "figures", "chart"].map(
    (id) => [id, document.getElementById(id)],
  ),
);
const clean = new Set(begin.clean);
const shapes = { defect: "■", doubtful: "◆", unknown_input: "▲", bad_image: "✕" };
const ribbon = [];
let pending = [], cursor = begin.cursor, source = null, hiddenAt = 0, retry = null;

const kindOf = (verdict) => (verdict.state !== "decided" ? verdict.state : clean.has(verdict.label) ? "clean" : "defect");

// Control characters and marks of direction are shown, not obeyed.
function plain(text) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function isolated(text) {
  const whole = plain(text), made = element("bdi", "", whole.length > 60 ? `${whole.slice(0, 59)}…` : whole);
  if (whole.length > 60) made.title = whole;
  return made;
}

function tile(verdict) {
  const kind = kindOf(verdict), item = element("li", `tile ${kind}`);
  const link = element(begin.review ? "a" : "div", "picture");
  if (begin.review) link.href = `/review?sheet=${verdict.sheet}`;
  const image = element("img");
  Object.assign(image, { src: `/line/sheets/${verdict.sheet}/thumbnail`, alt: "", loading: "lazy", width: 480, height: 77 });
  image.addEventListener("error", () => {
    image.remove();
    link.classList.add("without");
  });
  link.append(image);
  const text = element("p", "text"), label = element("strong");
  if (kind === "clean") label.append(isolated(verdict.label));
  else if (kind === "bad_image") label.append(`${shapes[kind]} ${words.bad_image}`);
  else label.append(`${shapes[kind]} `, isolated(verdict.label), kind === "defect" ? "" : ` · ${words[kind]}`);
  text.append(label);
  if (verdict.probability !== null && kind !== "unknown_input") text.append(` ${Math.floor(verdict.probability * 100)} %`);
  const place = element("span", "quiet");
  if (verdict.coil) {
    const coil = element("span", "end");
    coil.append(isolated(verdict.coil));
    place.append(coil);
  }
  const metres = verdict.position_m === null || verdict.position_m === undefined ? "" : `${METRES.format(verdict.position_m)} m · `;
  place.append(metres + new Date(verdict.captured_us / 1000).toLocaleTimeString(LOCALE));
  place.title = plain(`${verdict.station} · ${verdict.item}`);
  text.append(place);
  link.append(text);
  item.append(link);
  item.dataset.sheet = verdict.sheet;
  return item;
}

function put(list, tiles) {
  list.prepend(...tiles.reverse());
  while (list.children.length > TILES) list.lastElementChild.remove();
}

function render() {
  if (!pending.length) return;
  const arrived = pending;
  pending = [];
  put(parts.newest, arrived.slice(-TILES).map(tile));
  const odd = arrived.filter((verdict) => kindOf(verdict) !== "clean");
  put(parts.marked, odd.slice(-TILES).map(tile));
  parts.nothing.hidden = parts.marked.children.length > 0;
  ribbon.push(...arrived.map(kindOf));
  ribbon.splice(0, Math.max(0, ribbon.length - RIBBON));
  drawRibbon();
}

// One bar for each verdict: its height and mark say what it is, colour says it once more.
function drawRibbon() {
  const canvas = parts.ribbon, ratio = devicePixelRatio || 1, style = getComputedStyle(document.body);
  const width = canvas.clientWidth, height = canvas.clientHeight;
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const step = Math.max(3, Math.min(10, width / RIBBON)), many = Math.min(ribbon.length, Math.floor(width / step));
  const colours = { clean: "--edge", defect: "--alert", doubtful: "--warn", unknown_input: "--odd", bad_image: "--alert" };
  context.textAlign = "center";
  context.font = "700 11px system-ui, sans-serif";
  ribbon.slice(-many).forEach((kind, at) => {
    const x = width - (many - at) * step, tall = kind === "clean" ? height * 0.35 : height - 13;
    context.fillStyle = style.getPropertyValue(colours[kind] || "--quiet");
    context.fillRect(x, height - tall, Math.max(1.5, step - 1), tall);
    if (kind !== "clean") context.fillText(shapes[kind] || "", x + step / 2, 10);
  });
}

// ---- the stream ----

function follow() {
  stopFollowing();
  const address = new URL("/api/v1/events/stream", location);
  for (const kind of ["verdict", "event"]) address.searchParams.append("kind", kind);
  address.searchParams.set("mode", "live");
  address.searchParams.set("after", cursor);
  source = new EventSource(address);
  parts.stream.textContent = words.reconnecting;
  const keep = (event) => {
    if (event.lastEventId) cursor = event.lastEventId;
  };
  source.addEventListener("open", () => (parts.stream.textContent = words.live));
  source.addEventListener("message", keep);
  source.addEventListener("verdict", (event) => {
    keep(event);
    const { data, place, seq } = JSON.parse(event.data);
    if (!data) return;
    const { sheet, label, state, probability } = data;
    const { station, item, captured_us, coil, position_m } = place;
    pending.push({ sheet, label, state, probability, station, item, captured_us, coil, position_m, seq });
    if (pending.length > 2 * RIBBON) pending = pending.slice(-RIBBON);
  });
  source.addEventListener("event", (event) => {
    keep(event);
    if (event.data.includes('"alarm_')) refresh(parts.alarms);
  });
  source.addEventListener("reset", () => {
    showBanner(words.stream_lost);
    setTimeout(() => location.reload(), 3000);
  });
  source.addEventListener("problem", (event) => {
    const { code, message } = JSON.parse(event.data);
    stopFollowing();
    if (code === "not_logged_in") return loggedOut();
    showBanner(message);
    retry = setTimeout(follow, RETRY_MS);
  });
  source.addEventListener("error", () => {
    parts.stream.textContent = words.reconnecting;
    if (source?.readyState !== EventSource.CLOSED) return; // the browser connects again by itself
    stopFollowing();
    retry = setTimeout(async () => {
      const me = await fetch("/api/v1/me").catch(() => null);
      if (me?.status === 401) loggedOut();
      else follow();
    }, RETRY_MS);
  });
}

function stopFollowing() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

function loggedOut() {
  showBanner(words.logged_out_line, Object.assign(element("a", "", words.log_in_here), { href: `/?next=${encodeURIComponent("/line")}` }));
  parts.stream.textContent = words.paused;
}

function showBanner(text, ...more) {
  parts.banner.replaceChildren(text, " ", ...more);
  parts.banner.hidden = false;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    hiddenAt = Date.now();
    stopFollowing();
    parts.stream.textContent = words.paused;
  } else if (hiddenAt && Date.now() - hiddenAt > LONGEST_HIDDEN_MS) {
    location.reload();
  } else {
    follow();
    refreshAll();
  }
});

// ---- figures, alarms, course ----

function refresh(part) {
  const typing = part.querySelector("details[open]"); // what is being typed is not replaced
  if (!document.hidden && !typing) part.dispatchEvent(new CustomEvent("refresh"));
}

function refreshAll() {
  refresh(parts.figures);
  refresh(parts.alarms);
}

function localTimes(inside) {
  for (const each of inside.querySelectorAll("time[data-us]")) {
    each.textContent = new Date(Number(each.dataset.us) / 1000).toLocaleTimeString(LOCALE);
    each.title = each.dateTime;
  }
}

const shortTime = (seconds) => new Date(seconds * 1000).toLocaleTimeString(LOCALE, { hour: "2-digit", minute: "2-digit" });

let chart = null;
function drawChart() {
  const holder = document.getElementById("series");
  if (!holder || !window.uPlot) return;
  const data = JSON.parse(holder.dataset.series), style = getComputedStyle(document.body);
  if (chart) return chart.setData(data);
  const colour = (name) => style.getPropertyValue(name).trim();
  const large = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16; // on a wall
  const axis = { font: `${12 * large}px system-ui, sans-serif`, stroke: colour("--quiet"), grid: { stroke: colour("--edge"), width: 1 }, ticks: { stroke: colour("--edge") } };
  const scale = { range: (_, least, most) => [0, Math.max(10, (most || 0) * 1.1)] };
  chart = new uPlot({
    width: parts.chart.clientWidth, height: 150 * large,
    scales: { y: scale, share: { range: [0, 100] } },
    legend: { show: false },
    cursor: { show: false },
    axes: [{ ...axis, values: (_, moments) => moments.map(shortTime), space: 50 * large, size: 50 * large }, { ...axis, size: 40 * large }, { ...axis, scale: "share", side: 1, size: 40 * large, grid: { show: false } }],
    series: [
      {},
      { stroke: colour("--text"), width: 1.5, points: { show: false } },
      { scale: "share", stroke: colour("--warn"), width: 2, dash: [5, 4], points: { size: 4 } },
    ],
  }, data, parts.chart);
}

function redrawChart() {
  chart?.destroy();
  chart = null;
  drawChart();
  drawRibbon();
}

// Alarms are looked at every few seconds; a screen reader hears of those that are new.
let told = "";
function tellAlarms() {
  const news = [...parts.alarms.querySelectorAll(".alarm:not(.gone) .what")].map(
    (each) => [...each.querySelectorAll("strong, strong + span")].map((part) => part.textContent.trim()).join(": "),
  ).join("; ");
  if (news !== told) parts["alarm-news"].textContent = news;
  told = news;
}

document.addEventListener("htmx:after:swap", () => {
  localTimes(parts.alarms);
  tellAlarms();
  drawChart();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawChart);
let resizing = null;
window.addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(redrawChart, 200);
});

pending = begin.verdicts;
render();
localTimes(parts.alarms);
tellAlarms();
drawChart();
if (!document.hidden) follow();
setInterval(render, RENDER_MS);
setInterval(refreshAll, FIGURES_MS);
