// Times of the page by the clock of the person's own zone, with the UTC time as title; a page whose figures are
// still being computed is loaded again.
"use strict";
{
  const locale = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  for (const each of document.querySelectorAll("time[data-us]")) {
    each.textContent = new Date(Number(each.dataset.us) / 1000).toLocaleString(locale);
    each.title = each.dateTime;
  }
  if (document.querySelector("[data-pending]")) setTimeout(() => location.reload(), 2000);
}
