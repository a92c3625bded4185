"use strict";
document.documentElement.classList.add("scripted");

// A verdict's tile shows the claims with that verdict alone; pressed again, all of them.
const tiles = [...document.querySelectorAll(".tile")];
function show(verdict) {
  tiles.forEach((tile) => tile.setAttribute("aria-pressed", String(tile.dataset.verdict === verdict)));
  document.querySelectorAll(".claim").forEach((claim) => {
    claim.hidden = verdict !== null && claim.dataset.verdict !== verdict;
  });
  document.querySelectorAll(".place").forEach((place) => {
    place.hidden = place.querySelector(".claim:not([hidden])") === null;
    place.open = verdict !== null;
  });
}
tiles.forEach((tile) => tile.addEventListener("click", () => {
  show(tile.getAttribute("aria-pressed") === "true" ? null : tile.dataset.verdict);
}));

// A tap on an image goes to the next source of boxes.
const sources = [...document.querySelectorAll(".chooser input[type=radio]")];
document.querySelectorAll(".shots svg").forEach((shot) => shot.addEventListener("click", () => {
  const next = (sources.findIndex((source) => source.checked) + 1) % sources.length;
  sources[next].checked = true;
}));

// On paper everything is open; on a narrow screen the contents begin closed.
const contents = document.querySelector(".contents details");
if (window.matchMedia("(max-width: 68rem)").matches) contents.open = false;
let closed = [];
window.addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("main details:not([open])")];
  closed.forEach((details) => { details.open = true; });
});
window.addEventListener("afterprint", () => closed.forEach((details) => { details.open = false; }));
