"use strict";
(() => {
  const LIGHT = {
    "@ink": "#222222", "@faint": "#6b6b6b", "@grid": "#e4e4e4", "@paper": "#ffffff",
    "@edge": "#9a9a9a", "@band": "rgba(0,0,0,0.15)",
  };
  const DARK = {
    "@ink": "#e3e3e0", "@faint": "#a3a3a0", "@grid": "#303336", "@paper": "#16181a",
    "@edge": "#787b7e", "@band": "rgba(255,255,255,0.18)",
  };
  const CONFIG = {
    responsive: true, displaylogo: false, doubleClickDelay: 400,
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    toImageButtonOptions: { format: "svg" },
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll(".plot")].map((place) => ({
    place, source: place.querySelector("script").textContent, figure: place.closest("figure"),
  }));
  const hidden = new Map(plots.map(({ figure }) => [figure, new Set()]));

  const axis = (own, colours) => ({
    gridcolor: colours["@grid"], linecolor: colours["@faint"], showline: true, zeroline: false, ticks: "outside",
    ticklen: 4, tickcolor: colours["@faint"], automargin: true, ...own,
    title: { standoff: 8, ...own.title },
  });

  function chart({ source, figure }, colours) {
    const { data, layout } = JSON.parse(source, (_, value) => colours[value] ?? value);
    for (const trace of data) trace.visible = !hidden.get(figure).has(trace.legendgroup);
    const font = { family: getComputedStyle(document.documentElement).getPropertyValue("--sans").trim() };
    return [data, {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
      margin: { l: 56, r: 10, t: layout.title.text ? 34 : 12, b: 44 }, autosize: true,
      font: { ...font, size: 12.5, color: colours["@ink"] },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colours["@faint"], activecolor: colours["@ink"] },
      hoverlabel: { bgcolor: colours["@paper"], bordercolor: colours["@faint"], namelength: -1,
        font: { ...font, size: 12.5, color: colours["@ink"] } },
      ...layout,
      title: { x: 0, xref: "paper", xanchor: "left", y: 1, yanchor: "top", pad: { t: 8 },
        font: { size: 13.5 }, ...layout.title },
      xaxis: axis(layout.xaxis, colours), yaxis: axis(layout.yaxis, colours),
    }];
  }

  // The ticks of a logarithmic axis are chosen for its whole range: what is zoomed into is given others.
  function tickAnew({ place, source }) {
    const { range, tickmode } = JSON.parse(source).layout.yaxis;
    if (tickmode !== "array") return;
    place.on("plotly_relayout", () => {
      const now = place.layout.yaxis;
      const wanted = now.range.every((end, k) => Math.abs(end - range[k]) < 1e-9) ? "array" : "auto";
      if (now.tickmode !== wanted) Plotly.relayout(place, { "yaxis.tickmode": wanted });
    });
  }

  const scheme = () => (dark.matches ? DARK : LIGHT);
  const draw = (colours) => Promise.all(plots.map((plot) => Plotly.react(plot.place, ...chart(plot, colours), CONFIG)));

  // A click hides or shows a method in every panel of its figure; a double click shows it alone, or all again.
  for (const figure of hidden.keys()) {
    const buttons = [...figure.querySelectorAll(".legend button")];
    const show = (names) => {
      hidden.set(figure, new Set(buttons.map((button) => button.dataset.method).filter((name) => !names.has(name))));
      for (const button of buttons) button.setAttribute("aria-pressed", names.has(button.dataset.method));
      for (const plot of plots) {
        if (plot.figure === figure) {
          const visible = plot.place.data.map((trace) => !hidden.get(figure).has(trace.legendgroup));
          Plotly.restyle(plot.place, { visible });
        }
      }
    };
    const shown = () => new Set(buttons.map((b) => b.dataset.method).filter((name) => !hidden.get(figure).has(name)));
    for (const button of buttons) {
      const name = button.dataset.method;
      button.addEventListener("click", () => {
        const names = shown();
        if (!names.delete(name)) names.add(name);
        show(names);
      });
      button.addEventListener("dblclick", () => {
        const alone = shown().size === 1 && shown().has(name);
        show(new Set(alone ? buttons.map((b) => b.dataset.method) : [name]));
      });
    }
  }

  dark.addEventListener("change", () => draw(scheme()));
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printing");
    draw(LIGHT);
    for (const { place } of plots) Plotly.Plots.resize(place);
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    draw(scheme());
    for (const { place } of plots) Plotly.Plots.resize(place);
  });
  for (const { place } of plots) place.replaceChildren();
  draw(scheme()).then(() => {
    for (const plot of plots) tickAnew(plot);
    document.documentElement.classList.add("drawn");
  });
})();
