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

// Reading: "n" and "p" go from one place where words were found to the next.
const stepper = document.querySelector(".stepper");
if (stepper) {
  const last = Number(stepper.dataset.hits);
  const said = stepper.querySelector("[role=status]");
  let at = 0;

  // Where reading began: at a place that the address names, or before the first one that follows.
  const begin = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return 0;
    if (target.classList.contains("hit")) return Number(target.id.slice(4));
    const follows = (hit) =>
      target.compareDocumentPosition(hit) & Node.DOCUMENT_POSITION_FOLLOWING;
    const next = [...document.querySelectorAll("mark.hit")].find(follows);
    return next ? Number(next.id.slice(4)) - 1 : last;
  };
  const go = (step) => {
    at = at + step > last ? 1 : at + step < 1 ? last : at + step;
    location.replace(`#hit-${at}`); // marks it as the target, and leaves the history alone
    said.textContent = `${at} of ${last}`;
  };
  stepper.hidden = false;
  at = begin();
  addEventListener("hashchange", () => {
    at = begin();
  });
  stepper.addEventListener("click", (event) => {
    const button = event.target.closest("[data-step]");
    if (button) go(Number(button.dataset.step));
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "n") go(1);
    if (event.key === "p") go(-1);
  });
}

// Documents: files are sent one after the other, and what became of each is told as it comes.
const upload = document.querySelector("form.upload");
if (upload) {
  const outcomes = document.getElementById("outcomes");
  const list = outcomes.querySelector("ul");
  const field = upload.querySelector("input[type=file]");
  const largest = Number(upload.dataset.megabytes) * 2 ** 20;

  const send = (file, told) =>
    new Promise((done, failed) => {
      const body = new FormData();
      body.append("file", file);
      const request = new XMLHttpRequest();
      request.open("POST", upload.action);
      request.responseType = "document";
      request.upload.onprogress = (event) => told(event.loaded / event.total);
      request.onload = () => done(request.response);
      request.onerror = () => failed();
      request.send(body);
    });

  const line = (file) => {
    const item = document.createElement("li");
    const name = document.createElement("span");
    const bar = document.createElement("progress");
    const state = document.createElement("span");
    name.dir = "auto";
    name.textContent = file.name;
    bar.setAttribute("aria-label", `Sent of ${file.name}`);
    bar.value = 0;
    state.className = "quiet";
    state.textContent = "waiting";
    item.append(name, " ", state, bar);
    list.append(item);
    return { item, name, bar, state };
  };

  const refuse = ({ item, name }, reason) => {
    const not = document.createElement("strong");
    not.textContent = "Not added:";
    item.replaceChildren(not, " ", name, ` – ${reason}`);
  };

  const sent = async (file, shown) => {
    if (file.size > largest) {
      return refuse(shown, `it has more than ${upload.dataset.megabytes} MB. Put it in a folder,`
        + " and index that.");
    }
    try {
      const page = await send(file, (part) => {
        shown.bar.value = part;
        if (part < 1) shown.state.textContent = `${Math.floor(part * 100)} %`;
        else {
          shown.state.textContent = "reading …";
          shown.bar.removeAttribute("value");
        }
      });
      const told = page?.querySelectorAll("#outcomes li") ?? [];
      if (told.length) shown.item.replaceWith(...told);
      else refuse(shown, page?.querySelector("main p")?.textContent ?? "it was not taken.");
      return page;
    } catch {
      refuse(shown, "it could not be sent. Is it a folder, or has Khazri been stopped?");
    }
  };

  const add = async (files) => {
    if (!files.length) return;
    outcomes.hidden = false;
    const waiting = [...files].map((file) => [file, line(file)]);
    field.value = "";
    for (const [file, shown] of waiting) await sent(file, shown);
    const page = await (await fetch(location.href)).text();
    const fresh = new DOMParser().parseFromString(page, "text/html").getElementById("collection");
    if (fresh) document.getElementById("collection").replaceWith(fresh);
  };

  upload.addEventListener("submit", (event) => {
    event.preventDefault();
    add(field.files);
  });
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    upload.classList.add("over");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) upload.classList.remove("over");
  });
  addEventListener("drop", (event) => {
    upload.classList.remove("over");
    if (!carries(event)) return;
    event.preventDefault();
    add(event.dataTransfer.files);
  });
}
