// Curves that grow: one line for each agent, on a logarithmic axis where all values are positive.

import { element } from "./network.js";

const WIDTH = 400, HEIGHT = 215, LEFT = 54, RIGHT = 8, TOP = 8, BOTTOM = 24, MOST = 600, COLOURS = 7;
const TIME = 0, ROUND = 1;

export const styleOf = (index) => `curve c${index % COLOURS} dash${Math.floor(index / COLOURS) % 4}`;

export class Histories {
  constructor(start) {
    this.points = new Map(start.agents.map((agent) => [agent.number, start.histories[agent.number] ?? []]));
  }

  add(now) {
    for (const { number, point } of now.agents) {
      const points = this.points.get(number);
      if (point === null || (points.length > 0 && point[TIME] <= points.at(-1)[TIME] + 0.05)) continue;
      points.push(point);
      if (points.length > MOST) this.points.set(number, points.filter((_, place) => place % 2 === 0));
    }
  }
}

export class Chart {
  constructor(svg, column, title, magnitude = false) {
    Object.assign(this, { svg, column, title, magnitude });
    this.scale = svg.parentNode.querySelector("small");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  }

  draw(agents, histories, over, chosen) {
    const x = this.column === ROUND ? TIME : over;
    const finite = (v) => typeof v === "number";
    const series = agents.map((agent) => histories.points.get(agent.number)
      .filter((point) => finite(point[this.column]))
      .map((point) => [point[x], this.magnitude ? Math.abs(point[this.column]) : point[this.column]]));
    const all = series.flat();
    this.svg.replaceChildren();
    const last = series.map((points) => points.at(-1)?.[1]).filter(finite);
    if (all.length === 0) return this.empty("no values so far");
    const log = this.column !== ROUND && all.every(([, v]) => v >= 0) && all.some(([, v]) => v > 0);
    this.scale.textContent = `${log ? "(logarithmic)" : ""} over ${x === TIME ? "seconds" : "rounds"}`;
    const values = all.map(([, v]) => v).filter((v) => !log || v > 0);
    const across = axis(all.map(([v]) => v), LEFT, WIDTH - RIGHT, false, 6);
    const up = axis(values, HEIGHT - BOTTOM, TOP, log, 4);
    for (const tick of up.ticks) {
      const y = up.at(tick);
      this.svg.append(element("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y }));
      this.svg.append(label(tick, { x: LEFT - 5, y: y + 4, "text-anchor": "end" }));
    }
    for (const tick of across.ticks) {
      this.svg.append(label(tick, { x: across.at(tick), y: HEIGHT - 7, "text-anchor": "middle" }));
    }
    this.svg.append(element("path", { class: "frame", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}` }));
    agents.forEach((agent, index) => {
      const shown = series[index].filter(([, v]) => !log || v > 0);
      const d = shown.map(([u, v], i) => `${i ? "L" : "M"}${across.at(u).toFixed(1)} ${up.at(v).toFixed(1)}`).join("");
      const title = element("title");
      title.textContent = agent.name;
      const mark = agent.number === chosen ? " chosen" : "";
      this.svg.append(element("path", { class: styleOf(index) + mark, d: shown.length === 1 ? `${d}h1` : d }, title));
    });
    this.svg.classList.toggle("choosing", chosen !== null);
    const range = last.length ? `now from ${text(Math.min(...last))} to ${text(Math.max(...last))}` : "";
    this.svg.setAttribute("aria-label", `${this.title} of ${last.length} agents, ${range}`);
  }

  empty(why) {
    this.scale.textContent = "";
    const note = element("text", { class: "empty", x: WIDTH / 2, y: HEIGHT / 2 });
    note.textContent = why;
    this.svg.append(note);
    this.svg.setAttribute("aria-label", `${this.title}: ${why}`);
  }
}

function label(value, attributes) {
  const made = element("text", attributes);
  made.textContent = text(value);
  return made;
}

function text(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  return String(Number(value.toPrecision(3)));
}

/** Returns the place of a value between two ends, and the values that are written beside the axis. */
function axis(values, from, to, log, wanted) {
  let low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  const f = log ? Math.log10 : (v) => v;
  if (low === high) {
    const half = (Math.abs(low) || 1) / 2;
    [low, high] = log ? [low / 2, high * 2] : [low - half, high + half];
  }
  const at = (v) => from + (to - from) * (f(v) - f(low)) / (f(high) - f(low));
  let ticks = log ? decades(low, high, wanted) : steps(low, high, wanted);
  if (ticks.length < (log ? 2 : 3)) ticks = steps(low, high, 2 * wanted).filter((v) => !log || v > 0);
  return { at, ticks };
}

function steps(low, high, wanted) {
  const raw = (high - low) / wanted, unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= raw) ?? 10 * unit;
  const ticks = [];
  const last = Math.floor(high / step + 1e-9);
  for (let k = Math.ceil(low / step - 1e-9); k <= last; k += 1) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}

function decades(low, high, wanted) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const every = Math.max(1, Math.ceil((last - first + 1) / (wanted + 1)));
  const ticks = [];
  for (let k = first; k <= last; k += every) ticks.push(10 ** k);
  if (ticks.length >= 2) return ticks;
  const fine = [];
  for (let k = first - 1; k <= last; k += 1) for (const m of [1, 2, 5]) fine.push(Number((m * 10 ** k).toPrecision(3)));
  return fine.filter((v) => v >= low && v <= high);
}
