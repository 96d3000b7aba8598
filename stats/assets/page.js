// The page works without this script. With it, figures change as they do, the
// filter needs no button, and buttons need no other page.
"use strict";
(() => {
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);
  const stored = (value) => {
    try { // a browser may forbid it
      if (value !== undefined) localStorage.setItem("theme", value);
      return localStorage.getItem("theme") || "";
    } catch {
      return value || "";
    }
  };
  // At once, not when the page is there, or it would be seen in the other theme.
  root.dataset.theme = stored();
  root.dataset.script = "on";

  const themes = { "": "Auto", light: "Light", dark: "Dark" };

  function theme() {
    const button = $("theme");
    const show = () => {
      button.textContent = themes[root.dataset.theme];
      button.setAttribute("aria-label", "Theme: " + themes[root.dataset.theme]);
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      const names = Object.keys(themes);
      const next = names[(names.indexOf(root.dataset.theme) + 1) % names.length];
      root.dataset.theme = stored(next);
      show();
    });
    show();
  }

  // Filter: the server does the same for browsers without script.
  const well = new Set(["up", "open"]);

  function filter() {
    const text = $("filter").value;
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const hideUp = $("hide").checked;
    let any = false;
    for (const group of document.querySelectorAll(".grid tbody")) {
      let some = false;
      for (const row of group.querySelectorAll("tr[data-find]:not(.total)")) {
        const status = row.querySelector(".status").textContent.toLowerCase();
        const found = row.dataset.find + " " + status;
        row.hidden = hideUp && well.has(row.dataset.state) ||
          !words.every((word) => found.includes(word));
        some ||= !row.hidden;
      }
      group.hidden = !some && (words.length > 0 || hideUp);
      any ||= !group.hidden;
    }
    $("nothing").hidden = any;
  }

  function slash(event) {
    if (event.key !== "/" || event.target.closest("input")) return;
    event.preventDefault();
    $("filter").focus();
  }

  // filtering is for a new <main>.
  function filtering() {
    const form = document.querySelector(".tools");
    const address = () => {
      const query = new URLSearchParams();
      if ($("filter").value) query.set("filter", $("filter").value);
      if ($("hide").checked) query.set("up", "hide");
      history.replaceState(null, "", query.size ? "/?" + query : "/");
    };
    form.addEventListener("input", () => { filter(); address(); });
    form.addEventListener("submit", (event) => { event.preventDefault(); filter(); });
    $("all").addEventListener("change", () => {
      root.dataset.figures = $("all").checked ? "all" : "";
    });
    filter();
  }

  // Events: texts, states, hints and lines by the id of their element.
  const dim = new Set(["0", "0 B", "0s", "–"]);

  function apply(change) {
    for (const [id, text] of Object.entries(change.t || {})) {
      const element = $(id);
      if (!element || element.textContent === text) continue;
      element.textContent = text;
      if (element.localName === "td") element.classList.toggle("dim", dim.has(text));
    }
    for (const [id, state] of Object.entries(change.s || {})) {
      const element = $(id);
      if (!element) continue;
      element.dataset.state = state;
      for (const button of element.querySelectorAll(":scope > button[name=state]")) {
        button.setAttribute("aria-pressed", String(button.value === state));
      }
    }
    for (const [id, hint] of Object.entries(change.h || {})) {
      const element = $(id);
      if (element) element.title = hint;
    }
    for (const [id, path] of Object.entries(change.d || {})) {
      const element = $(id);
      if (element) element.setAttribute("d", path);
    }
    if (change.s) filter();
  }

  // Relative addresses inherit the password of a page that was opened as
  // https://NAME:PASSWORD@HOST/, and fetch refuses those that have one.
  const here = (path) => location.origin + path;

  // renew fetches the page when rows came or went. It waits until no panel is open,
  // since whoever reads one is not done.
  let renewing = false;
  async function renew() {
    if (renewing || document.querySelector(":popover-open")) return;
    renewing = true;
    try {
      const answer = await fetch(here("/" + location.search));
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const typed = [$("filter").value, $("hide").checked];
      const said = $("flash").textContent;
      document.querySelector("main").replaceWith(page.querySelector("main"));
      $("flash").textContent = said;
      [$("filter").value, $("hide").checked] = typed;
      filtering();
    } finally {
      renewing = false;
    }
  }

  let source = null;
  let lost = ""; // since when there is nothing new
  const live = (state, text) => {
    $("live").dataset.live = state;
    $("live").textContent = text;
  };

  function listen() {
    source = new EventSource(here("/events"));
    live("wait", "Connecting");
    source.onopen = () => {
      lost = "";
      live("on", "Live");
    };
    source.onmessage = (event) => {
      const change = JSON.parse(event.data);
      if (change.k !== document.querySelector("main").dataset.key) {
        renew().catch(() => {});
        return;
      }
      apply(change);
    };
    source.onerror = () => {
      lost ||= new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      live("lost", `Not live since ${lost}`);
      // A refusal ends the source for good; a broken connection it mends itself.
      if (source && source.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(() => { if (!source && !document.hidden) listen(); }, 10000);
      }
    };
  }

  // Nobody looks at a hidden page, and the instance serves only so many.
  function visibility() {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        if (source) source.close();
        source = null;
        live("off", "Paused");
      } else if (!source) {
        listen();
      }
    });
    if (!document.hidden) listen();
  }

  // A button sends its form without leaving the page.
  async function act(event) {
    const form = event.target.closest("form.buttons");
    if (!form || !event.submitter) return;
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form, event.submitter));
    const flash = $("flash");
    flash.textContent = "";
    form.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(here("/servers"), { method: "POST", body, redirect: "manual" });
      if (answer.type !== "opaqueredirect") {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const said = page.getElementById("flash");
        throw new Error(said ? said.textContent : `refused (${answer.status}): try again`);
      }
      apply({ s: { [form.id]: event.submitter.value } }); // the rest follows with the next event
    } catch (error) {
      flash.textContent = error.message;
      form.closest("[popover]").hidePopover();
      flash.scrollIntoView({ block: "center" });
    } finally {
      form.removeAttribute("aria-busy");
    }
  }

  // Charts: the value under the pointer is read off the line that is drawn.
  const step = 10; // seconds from point to point

  function valueAt(line, x, top) {
    const points = (line.getAttribute("d") || "").split(/[ML]/);
    const at = points.find((point) => point && parseFloat(point) === x);
    return at === undefined ? undefined : (1 - parseFloat(at.split(" ")[1]) / 100) * top;
  }

  const written = {
    rate: (value) => value.toFixed(value < 10 ? 1 : 0) + "/s",
    time: (value) => value < 0.0001 ? (value * 1e6).toFixed(0) + " µs" :
      value < 1 ? (value * 1000).toFixed(value < 0.1 ? 1 : 0) + " ms" : value.toFixed(2) + " s",
  };

  const ago = (seconds) => seconds === 0 ? "now" :
    seconds < 120 ? seconds + " s ago" : Math.round(seconds / 60) + " min ago";

  function readChart(event) {
    const plot = event.target.closest && event.target.closest(".plot");
    for (const read of document.querySelectorAll(".read")) {
      if (read.hidden || read.parentElement === plot) continue;
      read.hidden = true;
      read.parentElement.querySelector(".cursor").removeAttribute("d");
    }
    if (!plot) return;
    const box = plot.getBoundingClientRect();
    const chart = plot.closest(".chart");
    const past = Number(chart.querySelector(".axis span").dataset.state);
    const back = Math.round((box.right - event.clientX) / box.width * past / step) * step;
    const seconds = Math.max(0, Math.min(past, back));
    const x = 360 - seconds / past * 360;
    const parts = [];
    chart.querySelectorAll("path.line").forEach((line, i) => {
      const value = valueAt(line, x, Number(plot.dataset.state));
      const label = chart.querySelectorAll("figcaption li span")[i].textContent;
      if (value !== undefined) parts.push(label + " " + written[chart.dataset.kind](value));
    });
    const read = plot.querySelector(".read");
    read.textContent = parts.concat(ago(seconds)).join(" · ");
    read.hidden = parts.length === 0;
    read.dataset.side = x > 180 ? "left" : "right";
    plot.querySelector(".cursor").setAttribute("d", read.hidden ? "" : `M${x} 0V100`);
  }

  document.addEventListener("DOMContentLoaded", () => {
    theme();
    filtering();
    visibility();
    document.addEventListener("keydown", slash);
    document.addEventListener("submit", act);
    document.addEventListener("pointermove", readChart);
  });
})();
