// Times of the page by the clock of the person's own zone; the UTC time is the title.
"use strict";
{
  const locale = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  for (const each of document.querySelectorAll("time[data-us]")) {
    each.textContent = new Date(Number(each.dataset.us) / 1000).toLocaleString(locale);
    each.title = each.dateTime;
  }
}
