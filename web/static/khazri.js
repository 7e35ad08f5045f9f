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

// Asking: what the collection holds is suggested while a question is typed.
const asked = document.querySelector("[data-suggest]");
if (asked) {
  const box = asked.querySelector("input");
  const list = document.createElement("ul");
  let waiting, request, at = -1, typed = "";
  Object.assign(list, { id: "suggestions", className: "suggestions", hidden: true, role: "listbox" });
  list.setAttribute("aria-label", "Suggestions");
  asked.append(list);
  for (const [name, value] of [
    ["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id], ["aria-expanded", "false"],
  ]) box.setAttribute(name, value);

  const close = () => {
    clearTimeout(waiting);
    request?.abort();
    list.hidden = true;
    list.replaceChildren();
    at = -1;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };
  const choose = (number) => {
    list.children[at]?.setAttribute("aria-selected", "false");
    at = number;
    const option = list.children[at];
    if (option) {
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      box.setAttribute("aria-activedescendant", option.id);
    } else box.removeAttribute("aria-activedescendant");
    box.value = option ? option.firstChild.textContent : typed;
  };
  const open = (found) => {
    list.replaceChildren(...found.map(({ text, kind }, number) => {
      const option = document.createElement("li");
      const [name, what] = [document.createElement("span"), document.createElement("span")];
      Object.assign(option, { id: `suggestion-${number}`, role: "option", ariaSelected: "false" });
      Object.assign(name, { dir: "auto", textContent: text });
      Object.assign(what, { className: "kind", textContent: kind === "words" ? "" : kind });
      option.append(name, what);
      return option;
    }));
    at = -1;
    list.hidden = !found.length;
    box.setAttribute("aria-expanded", String(found.length > 0));
    box.removeAttribute("aria-activedescendant");
  };
  const suggest = async () => {
    request?.abort();
    request = new AbortController();
    const address = `${asked.dataset.suggest}?q=${encodeURIComponent(typed)}`;
    try {
      const reply = await fetch(address, { signal: request.signal });
      if (reply.ok && document.activeElement === box) open((await reply.json()).suggestions);
    } catch {
      // Another letter was typed, or the service is away: nothing is suggested.
    }
  };
  box.addEventListener("input", () => {
    typed = box.value;
    clearTimeout(waiting);
    if (typed.trim().length < 2 || typed.length > 200) close();
    else waiting = setTimeout(suggest, 120);
  });
  box.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing) return;
    const { length } = list.children;
    if (event.key === "ArrowDown") choose(at + 1 < length ? at + 1 : -1);
    else if (event.key === "ArrowUp") choose(at < 0 ? length - 1 : at - 1);
    else if (event.key === "Escape") {
      choose(-1);
      close();
    } else return;
    event.preventDefault();
  });
  box.addEventListener("blur", close);
  box.form.addEventListener("submit", close);
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus
  list.addEventListener("click", (event) => {
    const option = event.target.closest("li");
    if (!option) return;
    choose([...list.children].indexOf(option));
    box.form.requestSubmit();
  });
}

// Answers: the passage is shown at the number of its quote.
const numbers = document.querySelectorAll(".number[data-source]");
if (numbers.length) {
  const peek = document.createElement("div");
  let leaving;
  Object.assign(peek, { id: "peek", className: "peek", hidden: true, role: "tooltip", tabIndex: -1 });
  document.getElementById("main").append(peek);
  const hide = () => {
    clearTimeout(leaving);
    peek.hidden = true;
    for (const number of numbers) number.removeAttribute("aria-describedby");
  };
  const leave = () => {
    clearTimeout(leaving);
    leaving = setTimeout(hide, 200); // time to go over to the passage
  };
  const show = (number) => {
    hide();
    const passage = document.getElementById(number.dataset.source);
    peek.replaceChildren(...passage.cloneNode(true).childNodes);
    Object.assign(peek, { hidden: false, dir: "auto", lang: passage.lang, scrollTop: 0 });
    number.setAttribute("aria-describedby", peek.id);
    const place = number.getBoundingClientRect();
    const room = document.documentElement.clientWidth - peek.offsetWidth - 20;
    const below = innerHeight - place.bottom > peek.offsetHeight + 10;
    peek.style.left = `${scrollX + Math.max(20, Math.min(place.left, room))}px`;
    peek.style.top = `${scrollY + (below ? place.bottom + 6 : place.top - peek.offsetHeight - 6)}px`;
    const quote = peek.querySelector("mark");
    if (quote && quote.offsetTop + quote.offsetHeight > peek.clientHeight) {
      peek.scrollTop = quote.offsetTop - 12;
    }
  };
  for (const number of numbers) {
    number.addEventListener("mouseenter", () => show(number));
    number.addEventListener("focus", () => show(number));
    number.addEventListener("mouseleave", leave);
    number.addEventListener("blur", leave);
  }
  peek.addEventListener("mouseenter", () => clearTimeout(leaving));
  peek.addEventListener("mouseleave", leave);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
}

// Answers: a quote is copied with its source.
for (const row of document.querySelectorAll(".copy")) {
  row.hidden = false;
  row.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const said = document.getElementById("copied");
    said.textContent = "";
    const done = await copies(button.dataset.copy);
    said.textContent = done ? "Copied" : "The browser did not allow it to be copied.";
    const name = button.firstChild;
    const before = button.dataset.name ?? (button.dataset.name = name.textContent);
    button.style.minWidth = `${button.offsetWidth}px`;
    name.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => { name.textContent = before; }, 2000);
  });
}
async function copies(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // not over plain HTTP to another machine
    const field = document.createElement("textarea");
    Object.assign(field, { value: text, className: "unseen" });
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return done;
  }
}
