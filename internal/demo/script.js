"use strict";

const at = (id) => document.getElementById(id);

at("ask").addEventListener("click", async (event) => {
  const button = event.target;
  button.disabled = true;
  const tally = at("tally");
  tally.replaceChildren();
  const counts = new Map();
  for (let i = 0; i < 20; i++) {
    let server = "no answer";
    try {
      const answer = await fetch("/", { headers: { Accept: "application/json" } });
      server = answer.ok ? (await answer.json()).server : `status ${answer.status}`;
    } catch {}
    counts.set(server, (counts.get(server) ?? 0) + 1);
    const box = document.createElement("i");
    box.dataset.from = /^whoami-(\d)$/.exec(server)?.[1] ?? "?";
    box.title = server;
    tally.append(box);
  }
  const words = document.createElement("p");
  words.textContent = [...counts].sort().map(([server, n]) => `${server}: ${n}`).join(", ");
  tally.append(words);
  button.disabled = false;
});

const events = new EventSource("/events");
events.onmessage = (event) => { at("events").textContent = event.data; };
events.onerror = () => { at("events").textContent = "interrupted, trying again"; };

const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/echo`);
const say = () => { if (socket.readyState === WebSocket.OPEN) socket.send(at("message").value); };
socket.onopen = say;
socket.onmessage = (event) => { at("echo").textContent = event.data; };
socket.onclose = () => { at("echo").textContent = "closed"; };
at("talk").addEventListener("submit", (event) => { event.preventDefault(); say(); });
