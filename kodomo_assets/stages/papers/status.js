"use strict";
// A page that nobody writes anew cannot say so but by itself: as of the moment at which somebody opens it.
{
  const old = document.getElementById("old");
  const { madeAt, nextDate, minutes } = old.dataset;
  const now = Date.now();
  // once the next reference date has come, another page is the one that is written anew
  const past = now >= Date.parse(nextDate);
  old.hidden = now - Date.parse(madeAt) < Number(minutes) * 60_000;
  document.getElementById("stopped").hidden = past;
  document.getElementById("past").hidden = !past;
}
