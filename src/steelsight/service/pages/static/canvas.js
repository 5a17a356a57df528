// The image of a sheet with its map, its places and what the person marks; zoom and contrast are kept.
"use strict";

const VIEW_KEY = "steelsight.view";
const MAP_ALPHA = 0.6;

class SheetView {
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed; // called when the marks have changed
    this.view = { zoom: 1, x: 0.5, y: 0.5, contrast: 1, map: true, style: "contours", places: true };
    try {
      Object.assign(this.view, JSON.parse(sessionStorage.getItem(VIEW_KEY) || "{}"));
    } catch { /* the values of the beginning stay */ }
    this.image = null;
    this.map = null;
    this.mapStyle = "heat"; // of the map that is there
    this.patch = null; // what is laid over covered places, in mapBox
    this.mapBox = null;
    this.regions = [];
    this.size = [0, 0];
    this.tool = null; // box or paint
    this.boxes = [];
    this.paint = null; // a canvas of the image's size
    this.painted = false;
    this.colours = {};
    this._readColours();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this._readColours();
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this._down(event));
    canvas.addEventListener("wheel", (event) => this._wheel(event), { passive: false });
  }

  show({ image, width, height, regions, mapBox }) {
    this.image = image;
    this.size = [width || image?.naturalWidth || 0, height || image?.naturalHeight || 0];
    this.regions = regions || [];
    this.mapBox = mapBox && mapBox.length ? mapBox : null;
    this.map = this.patch = null;
    this.clearMarks(false);
    this.draw();
  }

  setMap(map, style = "heat") {
    this.map = map;
    this.mapStyle = style;
    this.draw();
  }

  setPatch(patch) {
    this.patch = patch;
    this.draw();
  }

  set(name, value) {
    this.view[name] = value;
    this._keep();
    this.draw();
  }

  zoomBy(factor, at = null) {
    const before = this._geometry();
    if (!before) return;
    const [px, py] = at || [before.width / 2, before.height / 2];
    const ix = (px - before.left) / before.scale, iy = (py - before.top) / before.scale;
    this.view.zoom = Math.min(24, Math.max(1, this.view.zoom * factor));
    const after = this._geometry();
    this.view.x = (ix - (px - after.width / 2) / after.scale) / this.size[0];
    this.view.y = (iy - (py - after.height / 2) / after.scale) / this.size[1];
    this._clamp();
    this._keep();
    this.draw();
  }

  panBy(dx, dy) {
    const geometry = this._geometry();
    if (!geometry) return;
    this.view.x += dx / geometry.scale / this.size[0];
    this.view.y += dy / geometry.scale / this.size[1];
    this._clamp();
    this._keep();
    this.draw();
  }

  whole() {
    Object.assign(this.view, { zoom: 1, x: 0.5, y: 0.5 });
    this._keep();
    this.draw();
  }

  contrastBy(factor) {
    this.set("contrast", Math.min(6, Math.max(0.4, this.view.contrast * factor)));
  }

  clearMarks(tell = true) {
    this.boxes = [];
    this.paint = null;
    this.painted = false;
    if (tell) {
      this.draw();
      this.changed();
    }
  }

  addBoxes(boxes) {
    this.boxes.push(...boxes.map((box) => this._inside(box)).filter(Boolean));
    this.draw();
    this.changed();
  }

  // Move the last box by a step to the right (dx) and down (dy); without a box, one comes in the middle of the view.
  moveBox(dx, dy) {
    const box = this._takeBox();
    if (!box) return;
    const [x0, y0, x1, y1] = box.at, [w, h] = this.size;
    const shift = (step, low, high, most) => Math.min(most - high, Math.max(-low, Math.round(step * box.step)));
    const sx = box.made ? 0 : shift(dx, x0, x1, w), sy = box.made ? 0 : shift(dy, y0, y1, h);
    this.addBoxes([[x0 + sx, y0 + sy, x1 + sx, y1 + sy]]);
  }

  // Make the last box larger or smaller around its middle; `wide` changes its width alone.
  growBox(factor, wide) {
    const box = this._takeBox();
    if (!box) return;
    const [x0, y0, x1, y1] = box.at;
    const half = (low, high, by) => Math.max(2, ((high - low) / 2) * by);
    const hx = half(x0, x1, factor), hy = half(y0, y1, wide ? 1 : factor), x = (x0 + x1) / 2, y = (y0 + y1) / 2;
    this.addBoxes([[x - hx, y - hy, x + hx, y + hy]]);
  }

  _takeBox() {
    const geometry = this._geometry();
    if (!geometry) return null;
    const [w, h] = this.size, seen = Math.min(h, geometry.height / geometry.scale), half = Math.max(2, seen / 8);
    const x = this.view.x * w, y = this.view.y * h;
    const last = this.boxes.pop();
    return { at: last || this._inside([x - half, y - half, x + half, y + half]), made: !last, step: Math.max(1, seen / 16) };
  }

  get marked() {
    return this.painted || this.boxes.length > 0;
  }

  // Boxes as the ledger holds regions.
  get markedRegions() {
    return this.boxes.map(([left, top, right, bottom]) => ({
      box: [left, top, right, bottom],
      area_px: (right - left) * (bottom - top),
      score: 1,
    }));
  }

  // The painted pixels as run lengths, down the columns and counted from 1, as EncodedPixels; null for none.
  get maskRuns() {
    if (!this.painted) return null;
    const [width, height] = this.size;
    const pixels = this.paint.getContext("2d").getImageData(0, 0, width, height).data;
    const runs = [];
    let start = 0, position = 0;
    for (let x = 0; x < width; x += 1) {
      for (let y = 0; y < height; y += 1) {
        position += 1;
        const inside = pixels[4 * (y * width + x) + 3] > 127;
        if (inside && !start) start = position;
        if (!inside && start) {
          runs.push(start, position - start);
          start = 0;
        }
      }
    }
    if (start) runs.push(start, position + 1 - start);
    return runs.length ? runs.join(" ") : null;
  }

  restoreRuns(text) {
    if (!text) return;
    this._preparePaint();
    const [width, height] = this.size;
    const context = this.paint.getContext("2d");
    const numbers = text.split(" ").map(Number);
    for (let at = 0; at + 1 < numbers.length; at += 2) {
      let first = numbers[at] - 1, left = numbers[at + 1];
      while (left > 0 && first < width * height) {
        const y = first % height, rows = Math.min(left, height - y);
        context.fillRect(Math.floor(first / height), y, 1, rows);
        first += rows;
        left -= rows;
      }
    }
    this.painted = true;
    this.draw();
  }

  draw() {
    if (this._waiting) return;
    this._waiting = true;
    requestAnimationFrame(() => {
      this._waiting = false;
      this._draw();
    });
  }

  _draw() {
    const canvas = this.canvas, ratio = devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const geometry = this._geometry();
    if (!geometry) return;
    const { left, top, scale } = geometry, [w, h] = this.size;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.imageSmoothingEnabled = scale < 3;
    if (this.image) {
      context.filter = this.view.contrast === 1 ? "none" : `contrast(${this.view.contrast})`;
      context.drawImage(this.image, left, top, w * scale, h * scale);
      context.filter = "none";
    } else {
      context.strokeStyle = this.colours.quiet;
      context.strokeRect(left + 0.5, top + 0.5, w * scale - 1, h * scale - 1);
    }
    context.imageSmoothingEnabled = true;
    if (this.mapBox && this.patch) this._overlay(context, geometry, this.patch); // the map is not one of the covered sheet
    else if (this.mapBox && this.map && this.view.map) {
      context.globalAlpha = this.mapStyle === "contours" ? 1 : MAP_ALPHA; // the sheet stays visible where a heat map is strongest
      this._overlay(context, geometry, this.map);
      context.globalAlpha = 1;
    }
    if (this.view.places) this.regions.forEach((region, at) => this._place(context, geometry, region, at));
    if (this.painted || this.paint) {
      context.globalAlpha = 0.55;
      context.drawImage(this.paint, left, top, w * scale, h * scale);
      context.globalAlpha = 1;
    }
    for (const box of [...this.boxes, ...(this._drawing ? [this._drawing] : [])]) {
      this._rectangle(context, geometry, box, this.colours.mark, [6, 4]);
    }
  }

  _overlay(context, { left, top, scale }, picture) {
    const [x0, y0, x1, y1] = this.mapBox;
    if (this.mapStyle === "contours") [context.shadowColor, context.shadowBlur] = ["#fff", 3]; // dark lines on black steel
    context.drawImage(picture, left + x0 * scale, top + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale);
    context.shadowColor = "transparent";
  }

  _place(context, geometry, region, at) {
    this._rectangle(context, geometry, region.box, this.colours.place, []);
    const { left, top, scale } = geometry;
    const x = left + region.box[0] * scale, y = top + region.box[1] * scale;
    context.font = "600 12px system-ui, sans-serif";
    const text = String(at + 1), wide = context.measureText(text).width + 8;
    context.fillStyle = this.colours.place;
    context.fillRect(x - 1, y - 1, wide, 16);
    context.fillStyle = this.colours.on;
    context.fillText(text, x + 3, y + 11);
  }

  _rectangle(context, { left, top, scale }, [x0, y0, x1, y1], colour, dash) {
    const box = [left + x0 * scale, top + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale];
    context.setLineDash([]);
    context.lineWidth = 4;
    context.strokeStyle = "rgba(0, 0, 0, .55)";
    context.strokeRect(...box);
    context.setLineDash(dash);
    context.lineWidth = 2;
    context.strokeStyle = colour;
    context.strokeRect(...box);
    context.setLineDash([]);
  }

  _readColours() {
    const style = getComputedStyle(document.body);
    for (const name of ["place", "mark", "quiet", "on"]) {
      this.colours[name] = style.getPropertyValue(`--${name === "on" ? "on-place" : name}`).trim() || "gray";
    }
  }

  _geometry() {
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight, [w, h] = this.size;
    if (!w || !h || !width || !height) return null;
    const scale = Math.min(width / w, height / h) * this.view.zoom;
    return {
      width, height, scale,
      left: width / 2 - this.view.x * w * scale,
      top: height / 2 - this.view.y * h * scale,
    };
  }

  _clamp() {
    const geometry = this._geometry();
    const half = (length, size) => Math.min(0.5, length / 2 / (size * geometry.scale));
    const [w, h] = this.size;
    const hx = half(geometry.width, w), hy = half(geometry.height, h);
    this.view.x = Math.min(1 - hx, Math.max(hx, this.view.x));
    this.view.y = Math.min(1 - hy, Math.max(hy, this.view.y));
  }

  _keep() {
    try {
      sessionStorage.setItem(VIEW_KEY, JSON.stringify(this.view));
    } catch { /* storage is full or forbidden: the view is kept on this page alone */ }
  }

  _point(event) {
    const rectangle = this.canvas.getBoundingClientRect(), geometry = this._geometry();
    return [
      (event.clientX - rectangle.left - geometry.left) / geometry.scale,
      (event.clientY - rectangle.top - geometry.top) / geometry.scale,
    ];
  }

  _inside([x0, y0, x1, y1]) {
    const [w, h] = this.size;
    const cut = (value, most) => Math.min(most, Math.max(0, Math.round(value)));
    const box = [cut(Math.min(x0, x1), w), cut(Math.min(y0, y1), h), cut(Math.max(x0, x1), w), cut(Math.max(y0, y1), h)];
    return box[0] < box[2] && box[1] < box[3] ? box : null;
  }

  _preparePaint() {
    if (this.paint) return;
    this.paint = Object.assign(document.createElement("canvas"), { width: this.size[0], height: this.size[1] });
    const context = this.paint.getContext("2d", { willReadFrequently: true });
    context.strokeStyle = context.fillStyle = this.colours.mark;
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = Math.max(6, this.size[1] / 14);
  }

  _wheel(event) {
    event.preventDefault();
    const rectangle = this.canvas.getBoundingClientRect();
    this.zoomBy(event.deltaY < 0 ? 1.25 : 0.8, [event.clientX - rectangle.left, event.clientY - rectangle.top]);
  }

  _down(event) {
    if (event.button !== 0 || !this._geometry()) return;
    this.canvas.setPointerCapture(event.pointerId);
    const start = this._point(event);
    let last = [event.clientX, event.clientY];
    if (this.tool === "paint") {
      this._preparePaint();
      this._stroke(start, start);
    }
    const move = (moved) => {
      const point = this._point(moved);
      if (this.tool === "box") {
        this._drawing = [...start, ...point];
        this.draw();
      } else if (this.tool === "paint") {
        this._stroke(this._last || start, point);
      } else {
        this.panBy(last[0] - moved.clientX, last[1] - moved.clientY);
        last = [moved.clientX, moved.clientY];
      }
    };
    const up = (moved) => {
      this.canvas.removeEventListener("pointermove", move);
      this.canvas.removeEventListener("pointerup", up);
      this.canvas.removeEventListener("pointercancel", up);
      this._last = null;
      if (this.tool === "box") {
        this._drawing = null;
        this.addBoxes([[...start, ...this._point(moved)]]);
      } else if (this.tool === "paint") {
        this.changed();
      }
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", up);
    this.canvas.addEventListener("pointercancel", up);
  }

  _stroke(from, to) {
    const context = this.paint.getContext("2d");
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(to[0] + 0.01, to[1]);
    context.stroke();
    this.painted = true;
    this._last = to;
    this.draw();
  }
}

window.SheetView = SheetView;
