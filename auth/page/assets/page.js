// What the pages of sign-in do beyond HTML. All of them work without it.
"use strict";

const all = (selector, each) => document.querySelectorAll(selector).forEach(each);

// The fragment of an address stays in the browser: servers can only bring people
// back to it when they are told.
const fragment = location.hash.slice(1);

function withFragment(address) {
  if (!fragment) return address;
  const mark = address.includes("?") ? "&" : "?";
  return address + mark + "fragment=" + encodeURIComponent(fragment);
}

all("[data-keep]", (box) => {
  if (!fragment) return;
  box.querySelectorAll("a[href]").forEach((a) => {
    a.setAttribute("href", withFragment(a.getAttribute("href")));
  });
  box.querySelectorAll("form").forEach((form) => {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "fragment";
    field.value = fragment;
    form.append(field);
  });
});

all("[data-hash]", (a) => {
  if (fragment) a.hash = location.hash;
});

all("[data-go]", (a) => {
  const address = withFragment(a.getAttribute("href"));
  a.setAttribute("href", address);
  location.replace(address);
});

// Who signs in in one tab need not do it again in the others. The address may be the
// present one: a fragment behind it would make that a jump within the page.
all("[data-watch]", (box) => {
  const look = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      const answer = await fetch(box.dataset.watch,
        {cache: "no-store", redirect: "manual", headers: {Accept: "application/json"}});
      if (answer.status === 200) location.replace(withFragment(box.dataset.again));
    } catch {
      // Not now: the next look may get through.
    }
  };
  document.addEventListener("visibilitychange", look);
  addEventListener("focus", look);
});

all("[data-peek]", (button) => {
  const field = document.getElementById(button.dataset.peek);
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
  });
  // A password manager must find a password, and a browser must not remember text.
  field.form.addEventListener("submit", () => {
    field.type = "password";
  });
});

// A form that was sent is not sent again while its answer is on the way.
all("form[data-once]", (form) => {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 4000);
  });
});

all("[data-menu]", (menu) => {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
});

all("[data-select]", (field) => field.addEventListener("focus", () => field.select()));

all("[data-copy]", (button) => {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = button.dataset.done;
    } catch {
      field.focus();
    }
  });
});

// Times are written in UTC; here it is known what that is on the wall.
all("[data-time]", (time) => {
  time.title = new Date(time.dateTime).toLocaleString(document.documentElement.lang);
});

all("[data-search]", (field) => {
  const items = [...document.querySelectorAll("[data-find]")];
  const shelves = [...document.querySelectorAll("[data-shelf]")];
  const found = document.getElementById("found");
  const nothing = document.getElementById("nothing");
  const hint = field.parentElement.querySelector("kbd");

  const search = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const item of items) {
      item.hidden = !words.every((word) => item.dataset.find.includes(word));
      if (!item.hidden) count++;
    }
    for (const shelf of shelves) shelf.hidden = !shelf.querySelector("[data-find]:not([hidden])");
    nothing.hidden = count > 0;
    const text = count === 0 ? found.dataset.none :
      count === 1 ? found.dataset.single : found.dataset.several.replace("{n}", count);
    found.textContent = words.length ? text : "";
  };

  field.addEventListener("input", search);
  field.form.addEventListener("submit", (event) => {
    event.preventDefault();
    document.querySelector("[data-find]:not([hidden]) a")?.click();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    field.value = "";
    search();
  });
  hint.hidden = false;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    field.focus();
  });
  if (field.value) search();
});
