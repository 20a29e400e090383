// Receives the reports and shows them. What agents say is inserted as text, never as HTML.

import { Chart, Histories, styleOf } from "./curves.js";
import { classOf, element, legend, Network, SYMBOLS } from "./network.js";

const find = (id) => document.getElementById(id);
const RIGHT = new Set(["round", "rate", "upper", "lower", "sent", "received", "missed", "invariant"]);
const BROAD = new Set(["neighbours", "dropped", "alarm"]);
const charts = [
  new Chart(find("upper"), 2, "Upper loss"), new Chart(find("lower"), 3, "Lower loss"),
  new Chart(find("round"), 1, "Round"), new Chart(find("invariant"), 4, "Magnitude of the invariant", true),
];
let agents = [], histories = null, network = null, rows = new Map(), chosen = null, over = 0;
let source = null, ended = false;

function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function begin(start) {
  agents = start.agents;
  histories = new Histories(start);
  network = new Network(find("network"), start, choose);
  write(find("run"), start.run);
  document.title = `hypergossip watch: ${start.run.slice(0, 8)}`;
  const columns = Object.entries(start.columns);
  find("head").replaceChildren(...columns.map(([key, title]) => cell("th", key, title, { scope: "col" })));
  rows = new Map();
  find("rows").replaceChildren(...agents.map((agent, index) => {
    const row = document.createElement("tr"), cells = {};
    row.dataset.agent = agent.number;
    for (const [key] of columns) {
      const first = key === "agent";
      cells[key] = cell(first ? "th" : "td", key, "–", first ? { scope: "row" } : {});
      row.append(cells[key]);
    }
    const line = element("path", { class: styleOf(index), d: "M0 6H30" });
    const name = document.createElement("span");
    name.textContent = network.named ? agent.name : `${agent.number} ${agent.name}`;
    cells.agent.replaceChildren(element("svg", { viewBox: "0 0 30 12", "aria-hidden": "true" }, line), name);
    delete cells.agent;
    row.addEventListener("pointerenter", () => choose(agent.number));
    row.addEventListener("pointerleave", () => choose(null));
    rows.set(agent.number, { row, cells });
    return row;
  }));
}

function cell(name, key, text, attributes) {
  const made = document.createElement(name);
  made.className = `${key}${RIGHT.has(key) ? " right" : ""}${BROAD.has(key) ? " broad" : ""}`;
  made.textContent = text;
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}

function update(now) {
  ended = now.ended;
  notice(now.advice || (ended ? "All agents have ended." : ""));
  write(find("lines"), now.lines.join("\n"));
  histories.add(now);
  network.update(now);
  for (const agent of now.agents) {
    const { row, cells } = rows.get(agent.number);
    row.className = classOf(agent.condition);
    row.classList.toggle("alarm", agent.cells.alarm !== "");
    row.classList.toggle("chosen", agent.number === chosen);
    cells.state.dataset.symbol = SYMBOLS[agent.condition];
    for (const [key, target] of Object.entries(cells)) write(target, agent.cells[key]);
  }
  const alarms = now.agents.filter((agent) => agent.cells.alarm);
  const texts = alarms.map((agent) => `${agent.cells.agent}: ${agent.cells.alarm}`);
  const list = find("alarms");
  if (texts.join("\n") !== list.dataset.texts) {
    list.dataset.texts = texts.join("\n");
    list.hidden = texts.length === 0;
    list.replaceChildren(...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  }
  network.choose(chosen);
  draw();
}

function draw() {
  if (histories !== null) for (const chart of charts) chart.draw(agents, histories, over, chosen);
}

function choose(number) {
  chosen = number;
  network.choose(number);
  for (const [each, { row }] of rows) row.classList.toggle("chosen", each === number);
  draw();
}

function notice(text) {
  write(find("notice"), text);
  find("notice").hidden = text === "";
}

// A browser allows a server six connections, so that only the pages that are seen hold one.
function connect() {
  source?.close();
  source = null;
  if (document.hidden) return;
  source = new EventSource("events");
  source.addEventListener("start", (event) => begin(JSON.parse(event.data)));
  source.addEventListener("now", (event) => update(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    const what = ended ? "All agents have ended, and" : "The last reports are shown:";
    notice(`${what} hypergossip watch does not answer any more.`);
    if (source?.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
  });
}

legend(find("states"));
for (const button of document.querySelectorAll("input[name=over]")) {
  button.addEventListener("change", () => { over = button.value === "round" ? 1 : 0; draw(); });
}
document.addEventListener("visibilitychange", connect);
connect();
