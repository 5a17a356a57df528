"use strict";
// Times by the clock of the person's own zone; the page anew when learning has ended.

const LOCALE = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang; // 24 hours

function localTimes(inside) {
  for (const each of inside.querySelectorAll("time[data-us]")) {
    const moment = new Date(Number(each.dataset.us) / 1000);
    each.textContent = moment.toLocaleString(LOCALE, { dateStyle: "short", timeStyle: "short" });
    each.title = each.dateTime;
  }
}

function jobRuns() {
  return document.getElementById("job")?.dataset.running === "yes";
}

let running = jobRuns();
localTimes(document);

document.addEventListener("htmx:after:swap", () => {
  localTimes(document);
  if (running && !jobRuns()) location.reload(); // the new bundle is in the list, and the form is there again
  running = jobRuns();
});
