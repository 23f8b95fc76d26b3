// Before the first paint, so that nobody who chose dark is shown a flash of light. Without a choice the system's is followed.
"use strict";
(() => {
  const chosen = localStorage.getItem("lens.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
