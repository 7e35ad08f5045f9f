// Conveniences only: everything works without them.

// "/" goes to the question.
document.addEventListener("keydown", (event) => {
  const box = document.getElementById("q");
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing || !box) return;
  event.preventDefault();
  box.focus();
  box.select();
});

// While a job runs, its figures are read again every second.
async function follow() {
  const live = document.querySelector("[data-live]");
  if (!live) return;
  try {
    const page = await (await fetch(location.href)).text();
    const fresh = new DOMParser().parseFromString(page, "text/html").getElementById(live.id);
    if (fresh) {
      const focused = live.contains(document.activeElement);
      live.replaceWith(fresh);
      if (focused) fresh.querySelector("button")?.focus();
    }
  } catch {
    // The service may be away for a moment: ask again.
  }
  setTimeout(follow, 1000);
}
setTimeout(follow, 1000);
