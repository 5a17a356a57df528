// Maps of coils: metres along, millimetres across. Numbers come as typed arrays; marks are written into pixels.
"use strict";

const LOCALE = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang; // 24 hours
const MARGIN = { left: 52, right: 10, top: 20, bottom: 24 }; // CSS pixels around the strip
const CLOSEST_M = 0.02; // shown at the highest zoom
const CLOSEST_MM = 5;
const STEP = 1.25; // of a zoom
const NEAR = 7; // CSS pixels from a mark to the pointer
const MANY = 3000; // defects in view, above which marks are small
const PRINTED = { width: 1800, height: 520 };
const PAPER = { "--sheet": "#f4f4f4", "--sunk": "#c9c9c9", "--edge": "#999999", "--text": "#000000", "--quiet": "#444444",
  "--alert": "#b42318", "--warn": "#8a5000", "--odd": "#6d257f", "--mark": "#1d6fd1" };
const COLOURS = { decided: "--alert", doubtful: "--warn", unknown_input: "--odd", bad_image: "--alert" };
const SIGNS = { doubtful: "◆", unknown_input: "▲", bad_image: "✕" };
// Rows of marks, as distances from the middle: a square, a diamond, a triangle.
const SHAPES = {
  decided: (y, r) => [-r, r],
  doubtful: (y, r) => [-(r - Math.abs(y)), r - Math.abs(y)],
  unknown_input: (y, r) => [-Math.floor((y + r) / 2), Math.floor((y + r) / 2)],
};
const ROUND = [0, 1, 2, 3, 4, 5].map((digits) => new Intl.NumberFormat(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "negative" }));
const number = (value, digits = 0) => ROUND[Math.min(digits, 5)].format(value);
// As the table has it: 0 and 100 are kept for what is exactly so.
const percent = (share) => {
  const whole = Math.round(share * 100);
  return whole === 100 && share < 1 ? "> 99 %" : whole === 0 && share > 0 ? "< 1 %" : `${whole} %`;
};
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

// Control characters and marks of direction are shown, not obeyed.
function plain(text) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// The file of the service, see pages/coil/packed.py.
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true), first = 4 + length;
  const coil = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const kinds = { Float32Array, Uint32Array, Uint16Array, Uint8Array };
  for (const [name, kind, place, size] of coil.columns) coil[name] = new kinds[kind](buffer, first + place, size);
  coil.longest = coil.start.reduce((most, start, at) => Math.max(most, coil.end[at] - start), 0);
  return coil;
}

// A colour as a pixel of a Uint32Array.
function pixel(hex) {
  const full = hex.length === 4 ? [...hex.slice(1)].map((each) => each + each).join("") : hex.slice(1, 7);
  const value = parseInt(full, 16);
  return (255 << 24 | (value & 255) << 16 | (value & 0xff00) | value >> 16) >>> 0;
}

function ticks(from, to, most) {
  const raw = (to - from) / Math.max(1, most), power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= raw);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), found = [];
  for (let at = Math.ceil(from / step); at * step <= to + step * 1e-6; at++) found.push(at * step);
  return { found, digits };
}

class CoilMap {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.said = root.querySelector(".said");
    this.words = JSON.parse(root.dataset.mapWords);
    this.linked = [this];
    this.repeats = [];
    this.chosen = this.over = -1;
    this.frames = 0;
    this.context = this.canvas.getContext("2d", { alpha: false, willReadFrequently: true }); // pixels come from memory
    this.listen();
  }

  async load() {
    try {
      const answer = await fetch(this.root.dataset.map);
      if (!answer.ok) throw new Error(`the map is refused: ${answer.status}`);
      this.coil = unpack(await answer.arrayBuffer());
    } catch (error) {
      this.said.textContent = this.words.failed;
      console.info(error);
      return;
    }
    this.visible = new Uint8Array(this.coil.count).fill(1);
    this.whole();
    this.filter();
  }

  whole() {
    const [left, right] = this.coil.across_mm, rim = Math.max((right - left) * 0.02, 1);
    this.limits = { x0: 0, x1: Math.max(this.coil.length_m, 0.1), y0: left - rim, y1: right + rim };
    this.view = { ...this.limits };
    for (const map of this.linked) if (map.coil) map.move(map.all()); // two coils begin on one scale
  }

  // The whole width, and as many metres as the longest coil of the page has.
  all() {
    return { ...this.limits, x1: Math.max(...this.linked.map((each) => each.limits?.x1 ?? 0)) };
  }

  // ---- drawing ----

  draw() {
    if (this.waiting || !this.coil) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      const ratio = devicePixelRatio || 1, { clientWidth, clientHeight } = this.canvas;
      const size = { width: Math.round(clientWidth * ratio), height: Math.round(clientHeight * ratio) };
      if (!size.width || !size.height) return;
      if (this.canvas.width !== size.width || this.canvas.height !== size.height) Object.assign(this.canvas, size);
      this.palette ||= this.colours();
      this.paint(this.context, size, ratio, this.palette, this.view, true);
      this.frames += 1;
      if (this.frames === 1) this.root.dataset.drawn = Math.round(performance.now()); // ms since the page was asked for
    });
  }

  colours() {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(Object.keys(PAPER).map((name) => [name, style.getPropertyValue(name).trim()]));
  }

  paint(context, size, ratio, palette, view, marked) {
    const plot = {
      left: Math.round(MARGIN.left * ratio), top: Math.round(MARGIN.top * ratio),
      right: size.width - Math.round(MARGIN.right * ratio), bottom: size.height - Math.round(MARGIN.bottom * ratio),
    };
    const scale = {
      x: (metres) => plot.left + (metres - view.x0) / (view.x1 - view.x0) * (plot.right - plot.left),
      y: (mm) => plot.top + (mm - view.y0) / (view.y1 - view.y0) * (plot.bottom - plot.top),
    };
    const same = this.buffer?.width === size.width && this.buffer.height === size.height;
    const image = same ? this.buffer : new ImageData(size.width, size.height);
    if (marked) this.buffer = image;
    const pixels = new Uint32Array(image.data.buffer);
    this.paintGround(pixels, size, plot, scale, palette);
    this.paintDefects(pixels, size, plot, scale, view, ratio, palette);
    context.putImageData(image, 0, 0);
    this.paintOver(context, size, plot, scale, view, ratio, palette, marked);
  }

  // The strip where there are images; the lane above shows sheets that were not decided.
  paintGround(pixels, size, plot, scale, palette) {
    const coil = this.coil, sheet = pixel(palette["--sheet"]), sunk = pixel(palette["--sunk"]);
    const row = new Uint32Array(size.width).fill(sunk), lane = new Uint32Array(size.width).fill(sheet);
    for (let at = 0; at < coil.sheets; at++) {
      const from = scale.x(coil.sheet_start[at]), to = scale.x(coil.sheet_end[at]);
      if (!(to >= plot.left && from <= plot.right)) continue; // also of sheets without a place
      const first = clamp(Math.floor(from), plot.left, plot.right), last = clamp(Math.ceil(to), plot.left, plot.right);
      row.fill(sheet, first, last);
      const state = coil.states[coil.sheet_state[at]];
      if (state !== "decided") lane.fill(pixel(palette[COLOURS[state] || "--quiet"]), first, Math.max(last, first + 1));
    }
    pixels.fill(sheet);
    const top = clamp(Math.round(scale.y(coil.across_mm[0])), plot.top, plot.bottom);
    const bottom = clamp(Math.round(scale.y(coil.across_mm[1])), plot.top, plot.bottom);
    for (let y = plot.top; y < plot.bottom; y++) {
      if (y >= top && y < bottom) pixels.set(row.subarray(plot.left, plot.right), y * size.width + plot.left);
      else pixels.fill(sunk, y * size.width + plot.left, y * size.width + plot.right);
    }
    const thick = Math.max(2, Math.round((plot.top * 3) / MARGIN.top));
    for (let y = plot.top - thick; y < plot.top; y++) pixels.set(lane.subarray(plot.left, plot.right), y * size.width + plot.left);
  }

  // Numbers of the first and behind the last defect that can be in view: they are sorted by their start.
  range(view) {
    const starts = this.coil.start, find = (value) => {
      let low = 0, high = starts.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (starts[middle] < value) low = middle + 1;
        else high = middle;
      }
      return low;
    };
    return [find(view.x0 - this.coil.longest), find(view.x1)];
  }

  paintDefects(pixels, size, plot, scale, view, ratio, palette) {
    const coil = this.coil, [first, last] = this.range(view), { width } = size;
    const radius = Math.max(1, Math.round((last - first > MANY ? 1 : 2.6) * ratio)), border = Math.max(1, Math.round(ratio));
    const colours = coil.states.map((state) => pixel(palette[COLOURS[state] || "--quiet"]));
    const shapes = coil.states.map((state) => {
      const shape = SHAPES[state] || SHAPES.decided, rows = [];
      for (let y = -radius; y <= radius; y++) rows.push(shape(y, radius));
      return rows;
    });
    const box = (left, right, top, bottom, colour) => { // edges are inside
      const from = Math.max(left, plot.left), to = Math.min(right, plot.right - 1), end = Math.min(bottom, plot.bottom - 1);
      for (let y = Math.max(top, plot.top); y <= end; y++) {
        for (let at = y * width + from, last = y * width + to; at <= last; at++) pixels[at] = colour;
      }
    };
    for (let at = first; at < last; at++) {
      if (!this.visible[at]) continue;
      const x0 = Math.round(scale.x(coil.start[at])), x1 = Math.round(scale.x(coil.end[at]));
      const y0 = Math.round(scale.y(coil.left[at])), y1 = Math.round(scale.y(coil.right[at]));
      if (x1 < plot.left - radius || x0 > plot.right + radius || y1 < plot.top - radius || y0 > plot.bottom + radius) continue;
      const state = coil.state[at], colour = colours[state];
      if (x1 - x0 > 2 * radius && y1 - y0 > 2 * radius) {
        box(x0, x1, y0, y0 + border - 1, colour);
        box(x0, x1, y1 - border + 1, y1, colour);
        box(x0, x0 + border - 1, y0, y1, colour);
        box(x1 - border + 1, x1, y0, y1, colour);
      } else if (x1 - x0 > 2 * radius || y1 - y0 > 2 * radius) {
        box(x0, x1, y0, y1, colour);
      }
      const x = (x0 + x1) >> 1, y = (y0 + y1) >> 1, rows = shapes[state];
      for (let line = 0; line < rows.length; line++) box(x + rows[line][0], x + rows[line][1], y + line - radius, y + line - radius, colour);
    }
  }

  paintOver(context, size, plot, scale, view, ratio, palette, marked) {
    context.save();
    context.font = `${Math.round(11 * ratio)}px system-ui, sans-serif`;
    context.lineWidth = ratio;
    this.paintAxes(context, plot, scale, view, ratio, palette);
    context.beginPath();
    context.rect(plot.left, 0, plot.right - plot.left, plot.bottom);
    context.clip();
    this.paintSigns(context, plot, scale, ratio, palette);
    this.paintEnds(context, plot, scale, ratio, palette);
    this.paintRepeats(context, plot, scale, ratio, palette);
    if (marked) for (const at of new Set([this.chosen, this.over])) this.paintChosen(context, scale, ratio, palette, at);
    context.restore();
  }

  paintAxes(context, plot, scale, view, ratio, palette) {
    const first = this.coil.first_m;
    context.fillStyle = palette["--quiet"];
    context.strokeStyle = palette["--edge"];
    context.textAlign = "center";
    context.textBaseline = "top";
    const along = ticks(view.x0 + first, view.x1 + first, (plot.right - plot.left) / (90 * ratio));
    for (const metre of along.found) {
      const x = Math.round(scale.x(metre - first)) + 0.5;
      context.strokeRect(x, plot.bottom, 0, 4 * ratio);
      context.fillText(`${number(metre, along.digits)} m`, clamp(x, plot.left, plot.right - 20 * ratio), plot.bottom + 6 * ratio);
    }
    context.textAlign = "right";
    context.textBaseline = "middle";
    const across = ticks(view.y0, view.y1, (plot.bottom - plot.top) / (36 * ratio));
    for (const mm of across.found) {
      const y = Math.round(scale.y(mm)) + 0.5;
      context.strokeRect(plot.left - 4 * ratio, y, 4 * ratio, 0);
      context.fillText(number(mm, across.digits), plot.left - 6 * ratio, y);
    }
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillText("mm", 2 * ratio, 2 * ratio);
  }

  // Signs over sheets that were not decided, where there is room.
  paintSigns(context, plot, scale, ratio, palette) {
    const coil = this.coil;
    let free = plot.left;
    context.textAlign = "center";
    context.textBaseline = "top";
    for (let at = 0; at < coil.sheets; at++) {
      const state = coil.states[coil.sheet_state[at]], x = scale.x((coil.sheet_start[at] + coil.sheet_end[at]) / 2);
      if (!SIGNS[state] || !(x >= free && x <= plot.right)) continue;
      context.fillStyle = palette[COLOURS[state]];
      context.fillText(SIGNS[state], x, 3 * ratio);
      free = x + 12 * ratio;
    }
  }

  paintEnds(context, plot, scale, ratio, palette) {
    if (!this.coil.ends_m) return;
    context.setLineDash([2 * ratio, 4 * ratio]);
    context.strokeStyle = context.fillStyle = palette["--text"];
    context.textBaseline = "bottom";
    [[0, "right", this.words.head, -1], [1, "left", this.words.tail, 1]].forEach(([end, align, word, side]) => {
      const x = Math.round(scale.x(this.coil.ends_m[end])) + 0.5;
      context.beginPath();
      context.moveTo(x, plot.top);
      context.lineTo(x, plot.bottom);
      context.stroke();
      context.textAlign = align;
      context.fillText(word, x + side * 4 * ratio, plot.bottom - 3 * ratio);
    });
    context.setLineDash([]);
  }

  paintRepeats(context, plot, scale, ratio, palette) {
    context.strokeStyle = context.fillStyle = palette["--mark"];
    const written = []; // boxes of the labels: one that would lie on another goes to the right of it
    this.repeats.forEach((each, at) => {
      const y = Math.round(scale.y(each.across)) + 0.5, from = scale.x(each.from), to = scale.x(each.to);
      context.setLineDash([6 * ratio, 4 * ratio]);
      context.beginPath();
      context.moveTo(Math.max(from, plot.left), y);
      context.lineTo(Math.min(to, plot.right), y);
      context.stroke();
      context.setLineDash([]);
      const step = scale.x(each.period) - scale.x(0), skipped = Math.max(0, Math.floor((plot.left - from) / step));
      for (let x = from + skipped * step; step > 12 * ratio && x <= Math.min(to + 1, plot.right); x += step) {
        context.strokeRect(Math.round(x) + 0.5, y - 8 * ratio, 0, 16 * ratio);
      }
      context.textAlign = "left";
      context.textBaseline = "bottom";
      const text = `${at + 1}: ${number(each.period, 3)} m`, wide = context.measureText(text).width + 4 * ratio;
      let x = Math.max(from, plot.left) + 4 * ratio;
      for (const other of written) if (Math.abs(other.y - y) < 15 * ratio && x < other.end && other.x < x + wide) x = other.end;
      written.push({ x, y, end: x + wide });
      context.fillStyle = palette["--sheet"];
      context.fillRect(x - 2 * ratio, y - 23 * ratio, wide, 14 * ratio);
      context.fillStyle = palette["--mark"];
      context.fillText(text, x, y - 9 * ratio);
    });
  }

  paintChosen(context, scale, ratio, palette, at) {
    if (at < 0) return;
    const coil = this.coil, rim = 6 * ratio;
    const x = scale.x(coil.start[at]), y = scale.y(coil.left[at]);
    const width = scale.x(coil.end[at]) - x, height = scale.y(coil.right[at]) - y;
    context.strokeStyle = palette["--text"];
    context.lineWidth = 2 * ratio;
    context.strokeRect(x - rim, y - rim, width + 2 * rim, height + 2 * rim);
  }

  // ---- what is shown ----

  filter() {
    const form = document.getElementById("filters"), coil = this.coil;
    if (!coil) return;
    if (form) {
      const wanted = new FormData(form);
      const codes = [["label", coil.labels, "label"], ["state", coil.states, "state"], ["station", coil.stations, "station"]]
        .filter(([name]) => wanted.get(name)).map(([name, names, column]) => [coil[column], names.indexOf(wanted.get(name))]);
      for (let at = 0; at < coil.count; at++) this.visible[at] = codes.every(([column, code]) => column[at] === code) ? 1 : 0;
    }
    this.many = this.visible.reduce((sum, each) => sum + each, 0);
    if (this.chosen >= 0 && !this.visible[this.chosen]) this.chosen = -1;
    this.over = -1;
    this.tell();
    this.draw();
    this.picture();
  }

  tell() {
    const at = this.over >= 0 ? this.over : this.chosen, coil = this.coil;
    if (at < 0) {
      const text = this.many ? this.words.shown : this.words.none;
      this.said.textContent = text.replace("%(number)s", number(this.many)).replace("%(all)s", number(coil.count));
      return;
    }
    const state = coil.states[coil.state[at]], chance = coil.probability[at], size = (to, from) => number(to - from);
    this.said.textContent = [
      plain(coil.labels[coil.label[at]]),
      `${SIGNS[state] || "■"} ${this.words[state] || plain(state)}`,
      Number.isNaN(chance) || state === "unknown_input" ? null : percent(chance),
      `${number(coil.start[at] + coil.first_m, 3)} m`,
      this.words.edge.replace("%(number)s", number(coil.left[at])),
      `${size(coil.end[at] * 1000, coil.start[at] * 1000)} × ${size(coil.right[at], coil.left[at])} mm`,
      plain(coil.stations[coil.station[at]]),
      plain(coil.sides[coil.side[at]]),
    ].filter(Boolean).join(" · ");
  }

  // A picture for the printer: the whole coil, in colours for paper.
  picture() {
    const holder = document.getElementById("picture");
    if (!holder) return;
    clearTimeout(this.pictured);
    this.pictured = setTimeout(() => this.print(holder), 300);
  }

  print(holder) {
    if (!this.coil || !holder) return;
    const canvas = Object.assign(document.createElement("canvas"), PRINTED), view = this.view;
    this.paint(canvas.getContext("2d", { alpha: false }), PRINTED, 1.6, PAPER, this.limits, false);
    this.view = view;
    holder.src = canvas.toDataURL("image/png");
  }

  // ---- moving ----

  move(next) {
    const fit = (low, high, least, most) => {
      const length = Math.min(high - low, most - least), start = clamp(low, least, most - length);
      return [start, start + length];
    };
    for (const map of this.linked) {
      if (!map.coil) continue;
      const { x0, x1, y0, y1 } = map.limits, shown = map === this ? next : { ...map.view, x0: next.x0, x1: next.x1 };
      const most = map.all().x1;
      const [left, right] = fit(shown.x0, shown.x1, x0, Math.max(x1, most)), [top, bottom] = fit(shown.y0, shown.y1, y0, y1);
      map.view = { x0: left, x1: right, y0: top, y1: bottom };
      map.draw();
    }
  }

  zoom(factor, across, at = 0.5) {
    const { x0, x1, y0, y1 } = this.view, next = { ...this.view };
    const [low, high, least, names] = across ? [y0, y1, CLOSEST_MM, ["y0", "y1"]] : [x0, x1, CLOSEST_M, ["x0", "x1"]];
    const length = Math.max((high - low) / factor, least), middle = low + (high - low) * at;
    next[names[0]] = middle - length * at;
    next[names[1]] = middle + length * (1 - at);
    this.move(next);
  }

  shift(along, across) {
    const { x0, x1, y0, y1 } = this.view, x = (x1 - x0) * along, y = (y1 - y0) * across;
    this.move({ x0: x0 + x, x1: x1 + x, y0: y0 + y, y1: y1 + y });
  }

  show(at) {
    if (!(at >= 0 && at < (this.coil?.count ?? 0))) return;
    const { x0, x1, y0, y1 } = this.view, coil = this.coil;
    const x = (coil.start[at] + coil.end[at]) / 2, y = (coil.left[at] + coil.right[at]) / 2;
    this.chosen = at;
    this.over = -1;
    const inside = x >= x0 && x <= x1 && y >= y0 && y <= y1;
    if (!inside) this.move({ x0: x - (x1 - x0) / 2, x1: x + (x1 - x0) / 2, y0: y - (y1 - y0) / 2, y1: y + (y1 - y0) / 2 });
    this.tell();
    this.draw();
  }

  next(step) {
    const [first] = this.range(this.view), coil = this.coil;
    let at = this.chosen >= 0 ? this.chosen + step : first;
    while (at >= 0 && at < coil.count && !this.visible[at]) at += step;
    this.show(at);
  }

  open(at) {
    if (at < 0) return;
    const bytes = this.coil.sheet_id.subarray(this.coil.sheet[at] * 16, this.coil.sheet[at] * 16 + 16);
    const sheet = [...bytes].map((each) => each.toString(16).padStart(2, "0")).join("");
    location.href = this.root.dataset.open === "image" ? `/api/v1/sheets/${sheet}/image` : this.root.dataset.open + sheet;
  }

  // The number of the visible defect nearest to a point of the canvas; -1 = none is near.
  find(event) {
    const { x0, x1, y0, y1 } = this.view, { clientWidth, clientHeight } = this.canvas, coil = this.coil;
    const perM = (clientWidth - MARGIN.left - MARGIN.right) / (x1 - x0), perMm = (clientHeight - MARGIN.top - MARGIN.bottom) / (y1 - y0);
    const x = x0 + (event.offsetX - MARGIN.left) / perM, y = y0 + (event.offsetY - MARGIN.top) / perMm;
    const [first, last] = this.range({ x0: x - NEAR / perM, x1: x + NEAR / perM });
    let nearest = -1, least = NEAR;
    for (let at = first; at < last; at++) {
      if (!this.visible[at]) continue;
      const dx = Math.max(coil.start[at] - x, x - coil.end[at], 0) * perM, dy = Math.max(coil.left[at] - y, y - coil.right[at], 0) * perMm;
      const distance = Math.hypot(dx, dy);
      if (distance < least) [nearest, least] = [at, distance];
    }
    return nearest;
  }

  hover(event) {
    const at = this.find(event);
    this.canvas.classList.toggle("over", at >= 0);
    if (at === this.over) return;
    this.over = at;
    this.tell();
    this.draw();
  }

  listen() {
    const { canvas } = this;
    let from = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.coil || event.button) return;
      from = { x: event.clientX, y: event.clientY, view: { ...this.view }, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.coil) return;
      if (!from) return this.hover(event);
      const dx = event.clientX - from.x, dy = event.clientY - from.y, { x0, x1, y0, y1 } = from.view;
      from.moved ||= Math.hypot(dx, dy) > 4;
      const x = dx * (x1 - x0) / (canvas.clientWidth - MARGIN.left - MARGIN.right);
      const y = dy * (y1 - y0) / (canvas.clientHeight - MARGIN.top - MARGIN.bottom);
      if (from.moved) this.move({ x0: x0 - x, x1: x1 - x, y0: y0 - y, y1: y1 - y });
    });
    canvas.addEventListener("pointerup", (event) => {
      const click = from && !from.moved;
      from = null;
      if (click) this.open(this.find(event));
    });
    canvas.addEventListener("pointercancel", () => (from = null));
    canvas.addEventListener("pointerleave", () => {
      if (this.over < 0) return;
      this.over = -1;
      this.tell();
      this.draw();
    });
    canvas.addEventListener("wheel", (event) => {
      if (!this.coil) return;
      event.preventDefault();
      const turned = event.deltaY || event.deltaX, across = event.shiftKey;
      const at = across ? (event.offsetY - MARGIN.top) / (canvas.clientHeight - MARGIN.top - MARGIN.bottom)
        : (event.offsetX - MARGIN.left) / (canvas.clientWidth - MARGIN.left - MARGIN.right);
      if (turned) this.zoom(turned < 0 ? STEP : 1 / STEP, across, clamp(at, 0, 1));
    }, { passive: false });
    const keys = {
      "+": () => this.zoom(STEP), "-": () => this.zoom(1 / STEP), "*": () => this.zoom(STEP, true), "/": () => this.zoom(1 / STEP, true),
      ArrowLeft: () => this.shift(-0.1, 0), ArrowRight: () => this.shift(0.1, 0), ArrowUp: () => this.shift(0, -0.1), ArrowDown: () => this.shift(0, 0.1),
      0: () => this.move(this.all()), n: () => this.next(1), b: () => this.next(-1), Enter: () => this.open(this.chosen),
    };
    canvas.addEventListener("keydown", (event) => {
      const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act || !this.coil || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
  }
}

// ---- the page ----

function localTimes() {
  for (const each of document.querySelectorAll("main time[data-us]")) {
    each.textContent = new Date(Number(each.dataset.us) / 1000).toLocaleString(LOCALE, { dateStyle: "medium", timeStyle: "short" });
    each.title = each.dateTime;
  }
}

const maps = [...document.querySelectorAll(".map")].map((root) => new CoilMap(root));
for (const map of maps) map.linked = maps;
for (const map of maps) map.load();
localTimes();

const form = document.getElementById("filters"), repeats = document.getElementById("repeats");
form?.addEventListener("change", () => maps.forEach((map) => map.filter()));
document.getElementById("defects")?.addEventListener("click", (event) => {
  const button = event.target.closest("[data-show]");
  if (!button) return;
  maps[0].show(Number(button.dataset.show));
  maps[0].canvas.scrollIntoView({ block: "nearest" });
});
if (repeats) {
  new MutationObserver(() => {
    const holder = repeats.querySelector("[data-repeats]");
    maps[0].repeats = holder ? JSON.parse(holder.dataset.repeats) : [];
    maps[0].draw();
    maps[0].picture();
  }).observe(repeats, { childList: true });
}
const printer = document.getElementById("print");
if (printer) {
  printer.hidden = false;
  printer.addEventListener("click", () => window.print());
}
window.addEventListener("beforeprint", () => maps[0]?.print(document.getElementById("picture")));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => maps.forEach((map) => {
  map.palette = null;
  map.draw();
}));
let resizing = null;
window.addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => maps.forEach((map) => map.draw()), 100);
});
