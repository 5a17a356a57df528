// Evidence beside a sheet that needs the engine: maps as contours or heat, covered places, nearest reviewed sheets.
"use strict";

const NEAREST_AFTER_MS = 700; // a reviewer who goes on before then asks for nothing
const WAITS = 10; // so often for an answer that is on its way: its sheet may be the nearest one

class Evidence {
  // waiting() tells whether an answer is on its way to the server
  constructor(view, waiting) {
    this.view = view;
    this.waiting = waiting;
    this.sheet = null;
    this.timer = null;
    this.step = -1; // which answer of the covered places is shown; -1 = none
    [this.legend, this.flag, this.words] = ["map-legend", "map-flag", "evidence-words"].map((id) => document.getElementById(id));
  }

  // A sheet is on the screen.
  shown(sheet) {
    this.sheet = sheet;
    this.step = -1;
    this.view.setPatch(null);
    this._point();
    const flag = this._find(".map-flag")?.textContent.replace("⚑", "").trim() || "";
    this.flag.hidden = !flag;
    this.flag.title = flag;
    this.flag.setAttribute("aria-label", flag);
    this.tellStyle();
    this._loadNearestLater(sheet, WAITS);
  }

  // Contours, which hide nothing of the sheet; heat; off.
  nextStyle() {
    const { map, style } = this.view.view;
    this.view.set("map", !map || style === "contours");
    if (this.view.view.map) this.view.set("style", map ? "heat" : "contours");
    this.tellStyle();
  }

  tellStyle() {
    const { map, style } = this.view.view;
    this.legend.textContent = map && this.sheet?.values.maps.length ? this.legend.dataset[style] : "";
  }

  // The answer without the next place; after the last one, the sheet as it is.
  async cover() {
    const sheet = this.sheet, place = this._find(".covered-answer");
    if (!place) return;
    if (!sheet.covered) {
      place.textContent = this.words.dataset.computing;
      sheet.covered = this._load(sheet, "covered", place);
    }
    if (!(await sheet.covered)) {
      sheet.covered = null; // the next press tries again
      return;
    }
    if (this.sheet !== sheet) return;
    const answers = this._answers();
    this.step = this.step + 1 < answers.length ? this.step + 1 : -1;
    this._point();
    const step = this.step;
    const picture = step < 0 ? null : await this._picture(sheet, answers[step].dataset.places);
    if (this.sheet === sheet && this.step === step) this.view.setPatch(picture);
  }

  _find(selector) {
    return this.sheet?.article.querySelector(selector) || null;
  }

  // Single places in their order, then the smallest set where it has several.
  _answers() {
    const single = [...this.sheet.article.querySelectorAll(".covered-answer li[data-places]")];
    const together = this.sheet.article.querySelector(".covered-answer p[data-places]");
    return together?.dataset.places.includes(",") ? [...single, together] : single;
  }

  _point() {
    const all = this._find(".covered-answer") ? this._answers() : [];
    all.forEach((each, at) => (at === this.step ? each.setAttribute("aria-current", "true") : each.removeAttribute("aria-current")));
  }

  _picture(sheet, places) {
    sheet.covers ||= new Map();
    if (!sheet.covers.has(places)) {
      sheet.covers.set(places, loadImage(`/review/sheets/${sheet.sheet}/covered/picture?places=${places}`));
    }
    return sheet.covers.get(places);
  }

  _loadNearestLater(sheet, waits) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this._loadNearest(sheet, waits), NEAREST_AFTER_MS);
  }

  _loadNearest(sheet, waits) {
    const place = this._find(".nearest");
    if (this.sheet !== sheet || !place || sheet.nearest) return;
    if (document.hidden) this._loadNearestLater(sheet, waits);
    else if (waits && this.waiting()) this._loadNearestLater(sheet, waits - 1);
    else sheet.nearest = this._load(sheet, "nearest", place);
  }

  // Whether a part of the page came.
  async _load(sheet, name, place) {
    try {
      const answer = await fetch(`/review/sheets/${sheet.sheet}/${name}`);
      if (answer.ok) place.innerHTML = await answer.text();
      else place.textContent = this._failed((await answer.json().catch(() => ({}))).error?.message);
      return answer.ok;
    } catch {
      place.textContent = this._failed();
      return false;
    }
  }

  _failed(reason = "") {
    return `${this.words.dataset.failed} ${reason}`.trim();
  }
}

window.Evidence = Evidence;
