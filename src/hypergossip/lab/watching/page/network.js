// The network as a drawing: agents coloured by state, edges by lag. Texts are inserted as text only.

const SVG = "http://www.w3.org/2000/svg";
export const SYMBOLS = {
  "starting": "…", "running": "▸", "waiting": "‖", "finished": "✓", "failed": "×", "silent": "?",
  "never heard": "–",
};
const SIDE = 600, MARGIN = 62, LONGEST = 14, LABELLED_AGENTS = 40, LABELLED_EDGES = 60;

export function element(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export const classOf = (condition) => condition.split(" ")[0];

const place = (agent) => ({
  x: MARGIN + agent.x * (SIDE - 2 * MARGIN),
  y: MARGIN + agent.y * (SIDE - 2 * MARGIN),
});
const short = (name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name);

/** Returns the place of an edge's label: beside its middle, at the right, or at the left near the drawing's border. */
function beside(a, b) {
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  let [nx, ny] = [(b.y - a.y) / length, (a.x - b.x) / length];
  if (nx < 0 || (nx === 0 && ny > 0)) [nx, ny] = [-nx, -ny];
  const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
  if (nx < 0.3) return { x, y: y - 20, "text-anchor": "middle" };
  const side = x > 0.75 * SIDE ? -1 : 1;
  return { x: x + side * (4 + 8 * nx), y: y + side * 20 * ny, "text-anchor": side < 0 ? "end" : "start" };
}

/** Returns whether the agents' names have room below them; otherwise their numbers are shown. */
function fits(agents, places) {
  const ends = agents.map((agent) => ({ ...places.get(agent.number), half: 5 * short(agent.name).length }));
  return ends.every((a, i) => ends.slice(i + 1).every((b) => (
    Math.abs(a.y - b.y) > 20 || Math.abs(a.x - b.x) > a.half + b.half
  )));
}

/** Shows lines of text one below the other, around the place of the label. */
function stack(label, texts) {
  if (label.dataset.texts === texts.join("\n")) return;
  label.dataset.texts = texts.join("\n");
  const x = label.getAttribute("x");
  label.replaceChildren(...texts.map((text, place) => {
    const part = element("tspan", { x, dy: place === 0 ? `${-0.6 * (texts.length - 1)}em` : "1.15em" });
    part.textContent = text;
    return part;
  }));
}

export class Network {
  constructor(svg, start, choose) {
    svg.replaceChildren();
    const places = new Map(start.agents.map((agent) => [agent.number, place(agent)]));
    this.named = fits(start.agents, places);
    const levels = [...places.values()].map(({ y }) => y);
    const [top, low] = [Math.min(...levels) - MARGIN, Math.max(...levels) + MARGIN];
    svg.setAttribute("viewBox", `0 ${top} ${SIDE} ${low - top}`);
    const radius = start.agents.length <= 16 ? 18 : start.agents.length <= LABELLED_AGENTS ? 14 : 9;
    this.labelled = start.edges.length <= LABELLED_EDGES;
    this.edges = new Map();
    this.nodes = new Map();
    const [lines, nodes] = [element("g"), element("g")];
    const labels = element("g", { class: "edge", "pointer-events": "none" });
    for (const [first, second] of start.edges) {
      const [a, b] = [places.get(first), places.get(second)];
      const ends = { x1: a.x, y1: a.y, x2: b.x, y2: b.y };
      const title = element("title"), line = element("line", { ...ends, class: "line unknown" });
      const hit = element("line", { ...ends, class: "hit" });
      const group = element("g", { class: "edge", role: "img", tabindex: "-1" }, title, hit, line);
      const label = element("text", beside(a, b));
      lines.append(group);
      labels.append(label);
      this.edges.set(`${first} ${second}`, { group, title, line, label });
    }
    for (const agent of start.agents) {
      const { x, y } = places.get(agent.number);
      const title = element("title"), symbol = element("text", { class: "symbol", x, y });
      const parts = [
        title, element("circle", { class: "ring", cx: x, cy: y, r: radius + 5 }),
        element("circle", { class: "body", cx: x, cy: y, r: radius }), symbol,
      ];
      if (start.agents.length <= LABELLED_AGENTS) {
        const name = element("text", { class: "name", x, y: y + radius + 15 });
        name.textContent = this.named ? short(agent.name) : agent.number;
        parts.push(name);
      }
      const attributes = { class: "node never", role: "img", tabindex: "0", "data-agent": agent.number };
      const group = element("g", attributes, ...parts);
      for (const event of ["pointerenter", "focus"]) group.addEventListener(event, () => choose(agent.number));
      for (const event of ["pointerleave", "blur"]) group.addEventListener(event, () => choose(null));
      nodes.append(group);
      this.nodes.set(agent.number, { group, title, symbol });
    }
    svg.append(lines, nodes, labels);
  }

  update(now) {
    for (const agent of now.agents) {
      const { group, title, symbol } = this.nodes.get(agent.number);
      const alarm = agent.cells.alarm !== "";
      group.setAttribute("class", `node ${classOf(agent.condition)}${alarm ? " alarm" : ""}`);
      group.setAttribute("aria-label", agent.note);
      title.textContent = agent.note;
      symbol.textContent = alarm ? "!" : SYMBOLS[agent.condition];
    }
    for (const edge of now.edges) {
      const { group, title, line, label } = this.edges.get(`${edge.first} ${edge.second}`);
      const step = edge.lag >= 5 ? 5 : edge.lag >= 2 ? 2 : edge.lag;
      line.setAttribute("class", `line lag${step}${edge.known ? "" : " unknown"}${edge.open ? "" : " closed"}`);
      line.style.strokeWidth = `${3 + 7 * Math.min(Math.sqrt(edge.share / 0.3), 1)}`;
      group.setAttribute("aria-label", edge.note);
      title.textContent = edge.note;
      const texts = [];
      if (edge.lag >= 2) texts.push(`${edge.lag} behind`);
      if (edge.share >= 0.005) texts.push(`${(100 * edge.share).toFixed(0)} % lost`);
      stack(label, this.labelled ? texts : []);
    }
  }

  choose(number) {
    for (const [each, { group }] of this.nodes) group.classList.toggle("chosen", each === number);
  }
}

export function legend(list) {
  for (const [condition, symbol] of [...Object.entries(SYMBOLS), ["alarm", "!"]]) {
    const mark = element("text", { class: "symbol", x: 20, y: 20 });
    mark.textContent = symbol;
    const node = element("g", { class: `node ${classOf(condition)}` }, 
      element("circle", { class: "ring", cx: 20, cy: 20, r: 18 }),
      element("circle", { class: "body", cx: 20, cy: 20, r: condition === "alarm" ? 13 : 17 }), mark);
    const item = document.createElement("li");
    item.append(element("svg", { viewBox: "0 0 40 40", class: "round", "aria-hidden": "true" }, node), condition);
    list.append(item);
  }
}
