// Runs before the first paint, so that a chosen theme does not flash.
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("kuzet.theme");
  } catch {
    // Storage is closed: the system's theme stays.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
