// Runs before the first paint, so that a chosen theme never flashes the other one.
// src/lib/theme.ts writes the same key.
const chosen = localStorage.getItem("oneloop.theme");
if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
