// The page Review: one sheet at a time, the next one fetched before, every answer by a key.
"use strict";

const RENEW_MS = 60_000;
const WEEK_MS = 7 * 86_400_000;
const LOCALE = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang; // 24 hours
const KEPT = 20; // sheets that can be undone without asking the server for them
const body = document.body;
const words = JSON.parse(body.dataset.words);
const person = body.dataset.person;
const parts = Object.fromEntries(
  ["view", "panel", "banner", "sending", "done", "waiting", "help", "map-name", "view-note", "zoom-name", "queue"].map(
    (id) => [id, document.getElementById(id)],
  ),
);
const say = (name, values = {}) => words[name].replace(/%\((\w+)\)s/g, (_, key) => values[key] ?? "");

const state = {
  current: null, // the sheet on the page
  next: null, // promise of the sheet that follows
  skipped: [], // put off
  decided: [], // {key, answer, sheet}: what can be undone
  mode: null, // wrong or missed
  chosen: new Set(), // classes
  nuisance: null,
  action: null, // chosen beside the recommended one
  busy: false,
  painted: null, // the sheet whose image is shown, or known to be gone
  count: 0,
};

const view = new SheetView(parts.view, keepDraft);
const evidence = new Evidence(view, () => outbox.entries.length > 0);
const outbox = new Outbox(person, showSending, showRefusal);

// ---- sheets ----

async function post(address, content, options = {}) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
    ...options,
  });
  const data = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(data.error?.message || String(answer.status)), { status: answer.status });
  return data;
}

function onPage() {
  const there = [state.current, ...state.decided.map((each) => each.sheet)].filter(Boolean).map((each) => each.sheet);
  const sent = outbox.entries.map((each) => each.body.sheet);
  return [...new Set([...there, ...sent, ...state.skipped])].slice(-300);
}

async function claim(sheet = null) {
  const form = new FormData(parts.queue);
  const asked = { order: form.get("order"), only: form.get("only"), skip: onPage(), sheet };
  const found = await post("/review/claim", asked);
  if (!found.sheet) return null;
  return prepare(found);
}

// Read the sheet's values and begin to load its pictures.
function prepare(found) {
  const holder = document.createElement("template");
  holder.innerHTML = found.html;
  const article = holder.content.querySelector("#sheet");
  const values = JSON.parse(article.dataset.values);
  const sheet = { ...found, values, article, maps: new Map(), marks: null, comment: "" };
  sheet.image = loadImage(`/api/v1/sheets/${found.sheet}/image`);
  if (values.map_label) loadMap(sheet, values.map_label);
  return sheet;
}

function loadImage(address) {
  return new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => resolve(null);
    image.src = address;
  });
}

function loadMap(sheet, label) {
  const query = `label=${encodeURIComponent(label)}&style=${view.view.style}`;
  if (!sheet.maps.has(query)) sheet.maps.set(query, loadImage(`/review/sheets/${sheet.sheet}/map?${query}`));
  return sheet.maps.get(query);
}

function prefetch() {
  const next = claim().catch((error) => ({ error }));
  state.next = next;
  state.prefetched = null;
  next.then((found) => {
    if (state.next === next && found?.claim) state.prefetched = found.claim;
  });
}

async function goOn() {
  state.current = null;
  const next = state.next || claim().catch((error) => ({ error }));
  state.next = state.prefetched = null;
  note(words.loading);
  const found = await next;
  if (found?.error) return waitForNetwork(found.error);
  if (!found) return nothingWaits();
  const shown = show(found);
  prefetch(); // at once: an answer may come before the image is there
  await shown;
}

function nothingWaits() {
  parts.panel.replaceChildren(Object.assign(document.createElement("p"), { className: "quiet", textContent: words.no_more }));
  view.show({ image: null, width: 0, height: 0 });
  parts["map-name"].textContent = "";
  note("");
  clearTimeout(state.again);
  state.again = setTimeout(() => state.current || goOn(), 10_000);
}

function waitForNetwork(error) {
  const lost = error.status === undefined || error.status >= 500;
  if (error.status === 401) showBanner(words.logged_out, loginLink());
  note(error.status === 401 ? words.logged_out : lost ? words.offline : error.message);
  clearTimeout(state.again);
  state.again = setTimeout(() => state.current || goOn(), 2000);
}

async function show(sheet) {
  clearTimeout(state.again);
  state.current = sheet;
  state.mode = null;
  state.chosen = new Set();
  state.nuisance = null;
  state.action = null;
  view.tool = null;
  sheet.shownAt = performance.now();
  parts.panel.replaceChildren(sheet.article);
  localTimes(sheet.article);
  const { width, height, regions, map_box: mapBox } = sheet.values;
  view.show({ image: null, width, height }); // never the sheet before beside this one's verdict
  const image = await sheet.image;
  if (state.current !== sheet) return;
  view.show({ image, width, height, regions, mapBox });
  note(image ? "" : words.no_image);
  restoreDraft(sheet); // before the map comes: what is marked meanwhile is not restored once more
  mirror();
  state.painted = sheet.sheet;
  evidence.shown(sheet);
  sheet.mapLabel = sheet.values.map_label;
  await showMap(sheet);
}

async function showMap(sheet) {
  const label = sheet.mapLabel;
  if (!label) {
    parts["map-name"].textContent = sheet.values.blind ? "" : words.no_map;
    return;
  }
  parts["map-name"].textContent = say("map_of", { label });
  const { style } = view.view;
  const map = await loadMap(sheet, label);
  if (state.current === sheet && sheet.mapLabel === label && style === view.view.style) view.setMap(map, style);
}

// ---- drafts ----

const draftName = (sheet) => `steelsight.draft.${person}.${sheet}`;

function keepDraft() {
  const sheet = state.current;
  if (!sheet || sheet.revealed) return;
  const comment = document.getElementById("comment")?.value || "";
  const draft = {
    claim: sheet.claim, mode: state.mode, chosen: [...state.chosen], nuisance: state.nuisance, comment,
    boxes: view.boxes, mask: view.maskRuns, action: state.action, at: Date.now(),
  };
  const begun = draft.mode || draft.action || draft.chosen.length || comment || view.marked;
  if (begun) localStorage.setItem(draftName(sheet.sheet), JSON.stringify(draft));
  else localStorage.removeItem(draftName(sheet.sheet));
}

function restoreDraft(sheet) {
  const text = localStorage.getItem(draftName(sheet.sheet));
  if (!text || sheet.revealed) return;
  const draft = JSON.parse(text);
  const comment = document.getElementById("comment");
  if (comment) comment.value = draft.comment;
  countComment();
  state.mode = draft.mode;
  state.chosen = new Set(draft.chosen);
  state.nuisance = draft.nuisance;
  state.action = draft.action ?? null;
  view.addBoxes(draft.boxes || []);
  view.restoreRuns(draft.mask);
}

function newestDraft() {
  const start = `steelsight.draft.${person}.`;
  const found = Object.keys(localStorage).filter((name) => name.startsWith(start)).map((name) => [
    JSON.parse(localStorage.getItem(name)).at, name.slice(start.length),
  ]);
  for (const [at, sheet] of found) if (Date.now() - at > WEEK_MS) localStorage.removeItem(draftName(sheet));
  found.sort((a, b) => b[0] - a[0]);
  return found.length ? found[0][1] : null;
}

// ---- answers ----

function joined() {
  return state.current.values.classes.filter((name) => state.chosen.has(name)).join(" + ");
}

function decide(answer) {
  const sheet = state.current;
  if (!sheet || sheet.revealed || state.busy) return;
  const { verdict, recommended } = sheet.values;
  const marked = view.marked;
  const content = {
    sheet: sheet.sheet,
    claim: sheet.claim,
    verdict: verdict ? { writer: verdict[0], seq: verdict[1] } : null,
    label: null, nuisance: null, regions: marked ? view.markedRegions : [], mask: marked ? view.maskRuns : null,
    comment: document.getElementById("comment")?.value.trim() || null,
    seconds: Math.round((performance.now() - sheet.shownAt) / 10) / 100,
    recommended: recommended && { ...recommended, chosen: state.action },
    ...answer,
  };
  const { key, answer: written } = outbox.add("/review/decide", content);
  localStorage.removeItem(draftName(sheet.sheet));
  state.decided.push({ key, written, sheet });
  state.decided = state.decided.slice(-KEPT);
  state.count += 1;
  parts.done.textContent = String(state.count);
  if (!sheet.values.blind) return goOn();
  state.busy = true; // the verdict is shown now; without network the next sheet comes
  const late = new Promise((resolve) => setTimeout(() => resolve("late"), 4000));
  return Promise.race([written, late]).then((result) => {
    state.busy = false;
    if (result && result.html) return reveal(sheet, result);
    return goOn();
  });
}

async function reveal(before, result) {
  const shown = prepare({ sheet: before.sheet, claim: null, html: result.html });
  shown.revealed = true;
  shown.image = before.image;
  await show(shown);
}

function confirmOrSend() {
  const sheet = state.current;
  if (!sheet) return;
  if (sheet.revealed) return goOn();
  const { blind, label, several } = sheet.values;
  if (state.mode === "wrong") {
    if (!state.nuisance && !view.marked) return note(words.mark_first);
    return decide({ answer: "confirmed", nuisance: state.nuisance || "other" });
  }
  if (state.mode === "missed" || state.chosen.size) {
    const chosen = joined();
    if (!chosen) return note(words.choose_label);
    return answerWith(chosen);
  }
  if (blind || (several && state.chosen.size)) return note(words.choose_label);
  return label ? decide({ answer: "confirmed", regions: [], mask: null }) : note(words.choose_label);
}

function answerWith(label) {
  const { values } = state.current;
  if (!values.blind && label === values.label && !view.marked) return decide({ answer: "confirmed" });
  return decide({ answer: "corrected", label });
}

function chooseClass(name) {
  const sheet = state.current;
  if (!sheet || sheet.revealed) return;
  const { several, clean } = sheet.values;
  if (!several && state.mode !== "missed") {
    state.chosen = new Set([name]);
    return answerWith(name);
  }
  if (!several || name === clean) state.chosen = new Set(state.chosen.has(name) ? [] : [name]);
  else {
    state.chosen.delete(clean);
    if (!state.chosen.delete(name)) state.chosen.add(name);
  }
  keepDraft();
  mirror();
}

async function undo() {
  const last = state.decided.pop();
  if (!last) return note(words.nothing_to_undo);
  const before = state.current;
  if (outbox.remove(last.key)) return comeBack(last.sheet, before);
  const written = await last.written;
  if (!written) return note(words.nothing_to_undo);
  try {
    const found = await post("/review/undo", { writer: written.writer, seq: written.seq });
    const sheet = found.html ? prepare(found) : { ...last.sheet, claim: null };
    await comeBack(sheet, before);
    note(words.undone);
  } catch (error) {
    if (!error.status || error.status === 401 || error.status >= 500) state.decided.push(last);
    note(error.status ? error.message : words.offline);
  }
}

async function comeBack(sheet, before) {
  state.count = Math.max(0, state.count - 1);
  parts.done.textContent = String(state.count);
  if (before && !before.revealed) {
    const following = state.next;
    state.next = Promise.resolve(before);
    state.prefetched = before.claim;
    if (following) following.then((each) => each && !each.error && free([each.claim]));
  }
  await show(sheet);
}

function putOff() {
  const sheet = state.current;
  if (!sheet || state.busy) return;
  if (!sheet.revealed) {
    keepDraft();
    state.skipped.push(sheet.sheet);
    free([sheet.claim]);
  }
  goOn();
}

function free(claims, options = {}) {
  const held = claims.filter(Boolean);
  return held.length ? post("/review/claims/free", { claims: held }, options).catch(() => {}) : null;
}

// ---- the page ----

function setMode(name) {
  const sheet = state.current;
  if (!sheet || sheet.revealed || (name === "wrong" && sheet.values.blind)) return;
  state.mode = state.mode === name ? null : name;
  state.chosen = new Set();
  state.nuisance = null;
  if (!state.mode) leaveMode();
  else view.tool = "box";
  keepDraft();
  mirror();
}

function leaveMode() {
  state.mode = null;
  state.nuisance = null;
  state.chosen = new Set();
  view.tool = null;
  view.clearMarks();
  note("");
  mirror();
}

function mirror() {
  for (const each of document.querySelectorAll(".mode")) each.hidden = each.dataset.mode !== state.mode;
  for (const [key, mode] of [["w", "wrong"], ["m", "missed"]]) {
    document.querySelector(`#sheet [data-key="${key}"]`)?.setAttribute("aria-expanded", String(state.mode === mode));
  }
  for (const each of document.querySelectorAll("[data-class]")) {
    each.setAttribute("aria-pressed", String(state.chosen.has(each.dataset.class)));
  }
  for (const each of document.querySelectorAll("[data-nuisance]")) {
    each.setAttribute("aria-pressed", String(state.nuisance === each.dataset.nuisance));
  }
  for (const each of document.querySelectorAll("[data-action]")) {
    each.setAttribute("aria-pressed", String(state.action === each.dataset.action));
  }
  for (const [key, tool] of [["b", "box"], ["f", "paint"]]) {
    for (const each of document.querySelectorAll(`.mode [data-key="${key}"]`)) {
      each.setAttribute("aria-pressed", String(view.tool === tool));
    }
  }
  parts.view.classList.toggle("marking", view.tool !== null);
  parts["zoom-name"].textContent = `${Math.round(view.view.zoom * 100)} % · ${Math.round(view.view.contrast * 100)} %`;
}

function nuisance(name) {
  if (state.mode !== "wrong") return;
  state.nuisance = state.nuisance === name ? null : name;
  keepDraft();
  mirror();
}

// The action of a button; without one the next of them, and none after the last.
function chooseAction(name = null) {
  const offered = [...document.querySelectorAll("[data-action]")].map((each) => each.dataset.action);
  const next = name ?? (offered[offered.indexOf(state.action) + 1] || null);
  state.action = next === state.action ? null : next;
  keepDraft();
  mirror();
}

function nextMap(step) {
  const sheet = state.current;
  if (!sheet?.values.maps.length) return;
  const { maps } = sheet.values;
  sheet.mapLabel = maps[(maps.indexOf(sheet.mapLabel) + step + maps.length) % maps.length];
  showMap(sheet);
}

function nextMapStyle() {
  evidence.nextStyle();
  if (state.current && view.view.map) showMap(state.current);
}

const tool = (name) => {
  if (!state.mode) return;
  view.tool = name;
  mirror();
};

const KEYS = {
  y: confirmOrSend, enter: confirmOrSend,
  w: () => setMode("wrong"), m: () => setMode("missed"),
  x: () => decide({ answer: "unsure", regions: [], mask: null }),
  c: () => document.getElementById("comment")?.focus(),
  u: undo, n: putOff, t: () => chooseAction(),
  s: () => nuisance("stain"), e: () => nuisance("sheet end"),
  g: () => state.mode === "wrong" && view.addBoxes(state.current.values.regions.map((each) => each.box)),
  b: () => tool("box"), f: () => tool("paint"), r: () => view.clearMarks(),
  h: () => nextMapStyle(), v: () => evidence.cover(), a: () => nextMap(-1), d: () => nextMap(1),
  p: () => view.set("places", !view.view.places),
  "+": () => view.zoomBy(1.5), "=": () => view.zoomBy(1.5), "-": () => view.zoomBy(1 / 1.5), 0: () => view.whole(),
  arrowleft: () => view.panBy(-60, 0), arrowright: () => view.panBy(60, 0),
  arrowup: () => view.panBy(0, -40), arrowdown: () => view.panBy(0, 40),
  j: () => view.contrastBy(1 / 1.25), k: () => view.contrastBy(1.25),
  escape: () => (state.mode ? leaveMode() : note("")),
  "?": () => parts.help.showModal(),
};

// A box by keys, while something is marked; tells whether the key did that.
const STEPS = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };

function markByKey(key, shift) {
  if (!state.mode || !state.current) return false;
  if (shift && STEPS[key]) view.moveBox(...STEPS[key]);
  else if (key === "pageup" || key === "pagedown") view.growBox(key === "pageup" ? 1.25 : 0.8, shift);
  else return false;
  return true;
}

function press(key) {
  const digit = /^[1-9]$/.test(key) ? Number(key) : 0;
  const name = digit && state.current?.values.classes[digit - 1];
  if (name) chooseClass(name);
  else KEYS[key]?.();
  mirror();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || parts.help.open) return;
  const key = event.key.toLowerCase(), target = event.target;
  if (target.id === "comment") {
    if (key === "escape") target.blur();
    return;
  }
  if (target.closest("select, input, .bar") || (key === "enter" && target.closest("button") && event.detail !== 0)) return;
  if (event.repeat && !key.startsWith("arrow") && !key.startsWith("page") && key !== "+" && key !== "-") return;
  if (markByKey(key, event.shiftKey)) return event.preventDefault();
  if (key === "enter" && target.closest("button, a")) return; // the button itself answers
  if (!KEYS[key] && !/^[1-9]$/.test(key)) return;
  event.preventDefault();
  press(key);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.nuisance) nuisance(button.dataset.nuisance);
  else if (button.dataset.action) chooseAction(button.dataset.action);
  else if (button.dataset.class) chooseClass(button.dataset.class);
  else if (button.dataset.key) press(button.dataset.key);
  else if (button.id === "help-button") parts.help.showModal();
  else return;
  button.blur();
});

document.addEventListener("input", (event) => {
  if (event.target.id !== "comment") return;
  countComment();
  keepDraft();
});

function countComment() {
  const comment = document.getElementById("comment"), count = document.getElementById("comment-count");
  if (!comment || !count) return;
  count.hidden = comment.value.length < 4000;
  count.textContent = say("comment_long", { number: comment.value.length });
}

parts.queue.addEventListener("change", () => parts.queue.submit());

function note(text) {
  parts["view-note"].textContent = text;
}

function localTimes(inside) {
  for (const each of inside.querySelectorAll("time[data-us]")) {
    each.textContent = new Date(Number(each.dataset.us) / 1000).toLocaleString(LOCALE);
  }
}

// ---- what waits, what was refused ----

function showBanner(text, ...more) {
  parts.banner.replaceChildren(text, ...more.flatMap((each) => [" ", each]));
  parts.banner.hidden = false;
}

function loginLink() {
  return Object.assign(document.createElement("a"), { href: "/", target: "_blank", rel: "noopener", textContent: words.log_in });
}

function showSending({ waiting, failures, loggedOut }) {
  parts.sending.textContent = waiting && failures ? say("waiting", { number: waiting }) : "";
  if (loggedOut) showBanner(words.logged_out, loginLink());
  else if (parts.banner.dataset.kind !== "refusal") parts.banner.hidden = true;
}

function showRefusal(entry, error) {
  const action = (text, act) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
    button.addEventListener("click", () => {
      delete parts.banner.dataset.kind;
      parts.banner.hidden = true;
      act();
    });
    return button;
  };
  parts.banner.dataset.kind = "refusal";
  const drop = action(words.drop, () => {});
  if (error.code === "reviewed_meanwhile") {
    const answer = error.label || error.answer || "–";
    showBanner(say("meanwhile", { answer }), action(words.second, () => outbox.repeat(entry, { second: true })), drop);
  } else {
    showBanner(say("refused", { reason: error.message }), drop);
  }
}

function othersWait() {
  const others = Object.keys(localStorage).some((name) => name.startsWith("steelsight.outbox.") && name !== outbox.name);
  if (others) showBanner(words.other_person);
}

setInterval(() => {
  const claims = [state.current?.claim, state.prefetched].filter(Boolean);
  if (claims.length && !document.hidden) post("/review/claims/renew", { claims }).catch(() => {});
}, RENEW_MS);

window.addEventListener("pagehide", () => {
  const draft = state.current && localStorage.getItem(draftName(state.current.sheet));
  const claims = state.current && !draft ? [state.current.claim] : [];
  if (state.prefetched) claims.push(state.prefetched);
  free(claims, { keepalive: true });
});

(async () => {
  outbox.flush();
  othersWait();
  const wanted = new URLSearchParams(location.search).get("sheet") || newestDraft();
  if (wanted) {
    const found = await claim(wanted).catch(() => null);
    if (found) {
      const shown = show(found);
      prefetch();
      return shown;
    }
  }
  await goOn();
})();
