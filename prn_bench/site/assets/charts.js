// Charts by plotly.js from the numbers in each figure; colours follow the theme.
"use strict";
(() => {
  const LIGHT = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
  const DARK = ["#56B4E9", "#FF8A3D", "#2FCB9B", "#E79BC6", "#F2C14E", "#9CA9FF"];
  const DASHES = ["solid", "dash", "dot", "dashdot"];
  const STROKES = { solid: "none", dash: "7 4", dot: "2 3", dashdot: "7 3 2 3" };
  const CONFIG = { displaylogo: false, responsive: true, showSendToCloud: false };
  // From the front; from further off where the page is narrow.
  const view = () => ({ eye: { x: 0, y: 0.2, z: innerWidth < 600 ? 2.4 : 1.75 }, up: { x: 0, y: 1, z: 0 } });

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colors = () => (style("--scheme") === "dark" ? DARK : LIGHT);
  const look = (at) => ({ color: colors()[at % LIGHT.length], dash: DASHES[at % DASHES.length] });
  const faint = (color) => color + "29";

  function layout(x, y, more) {
    const axis = { color: style("--ink"), gridcolor: style("--line"), zeroline: false };
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: style("--ink"), family: "system-ui, sans-serif", size: 13 },
      margin: { l: 55, r: 15, t: 10, b: 45 }, height: 380, showlegend: false, hovermode: "closest",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: style("--soft"), activecolor: style("--ink") },
      xaxis: { ...axis, title: { text: x } }, yaxis: { ...axis, title: { text: y } }, ...more,
    };
  }

  // Numbers as packing.py writes them: 16 bits each, base64; 65535 is nothing.
  function numbers({ u16, start = 0, step = 1, columns }) {
    const bytes = Uint8Array.from(atob(u16), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const flat = Array.from({ length: bytes.length / 2 }, (_, i) => {
      const level = view.getUint16(2 * i, true);
      return level === 65535 ? null : start + step * level;
    });
    if (!columns) return flat;
    return Array.from({ length: flat.length / columns }, (_, i) => flat.slice(i * columns, (i + 1) * columns));
  }

  const evenly = (end, n) => Array.from({ length: n }, (_, i) => (end * i) / (n - 1));

  const DRAW = {
    ced(data) {
      const traces = [];
      data.curves.forEach((curve, at) => {
        const [x, y, low, high] = [curve.x, curve.y, curve.low, curve.high].map(numbers);
        const { color, dash } = look(at);
        const band = { hoverinfo: "skip", mode: "lines", line: { width: 0 }, meta: at, x: evenly(data.limit, low.length) };
        traces.push({ ...band, y: low });
        traces.push({ ...band, y: high, fill: "tonexty", fillcolor: faint(color) });
        traces.push({
          x: [0, ...x], y: [0, ...y], name: curve.name, meta: at, mode: "lines",
          line: { color, dash, shape: curve.thinned ? "linear" : "hv", width: 2 },
          hovertemplate: `%{y:.1f} % of images up to %{x:.3f} ${data.unit}<extra>${escape(curve.name)}</extra>`,
        });
      });
      const axes = layout(`error (${data.unit})`, "images (%)");
      axes.xaxis.range = [0, data.limit];
      axes.yaxis.range = [0, 100];
      const off = data.off ?? [];
      traces.forEach((trace) => { trace.visible = !off.includes(trace.meta); });
      const toggles = data.curves.map((c) => `${c.name}: mean ${c.mean} ${data.unit}`);
      return { traces, layout: axes, toggles, off, lines: true };
    },
    yaw(data) {
      const traces = data.curves.map((curve, at) => ({
        x: data.labels, y: curve.mean, name: curve.name, meta: at, mode: "lines+markers",
        line: { ...look(at), width: 2 }, marker: { size: 8, color: look(at).color },
        error_y: {
          type: "data", symmetric: false, array: curve.high.map((v, i) => v - curve.mean[i]),
          arrayminus: curve.mean.map((v, i) => v - curve.low[i]),
        },
        hovertemplate: `yaw %{x}: %{y:.3f} ${data.unit}<extra>${escape(curve.name)}</extra>`,
      }));
      const axes = layout("yaw (degrees)", `mean error (${data.unit})`);
      axes.xaxis.type = "category";
      axes.yaxis.rangemode = "tozero";
      return { traces, layout: axes, toggles: data.curves.map((c) => c.name), lines: true };
    },
    variants(data) {
      const traces = [{
        type: "bar", orientation: "h", x: data.values, y: data.labels, meta: 0,
        marker: { color: look(0).color },
        error_x: {
          type: "data", symmetric: false, array: data.high.map((v, i) => v - data.values[i]),
          arrayminus: data.values.map((v, i) => v - data.low[i]), color: style("--soft"),
        },
        hovertemplate: `%{y}: %{x:.3f} ${data.unit}<extra></extra>`,
      }];
      const axes = layout(`score (${data.unit})`, "", { height: 80 + 24 * data.labels.length });
      axes.yaxis.automargin = true;
      axes.yaxis.autorange = "reversed";
      return { traces, layout: axes, toggles: [] };
    },
    uv(data) {
      const traces = [{
        type: "heatmap", z: numbers(data.z), colorscale: "Viridis", zmin: 0, zmax: data.top, meta: 0,
        colorbar: { title: { text: data.unit } },
        hovertemplate: `row %{y}, column %{x}: %{z:.2f} ${data.unit}<extra></extra>`,
      }];
      const axes = layout("", "", { height: 440, margin: { l: 10, r: 10, t: 35, b: 10 } });
      Object.assign(axes.xaxis, { visible: false, constrain: "domain" });
      Object.assign(axes.yaxis, { visible: false, autorange: "reversed", scaleanchor: "x" });
      return { traces, layout: axes, toggles: [] };
    },
    surface(data) {
      const [i, j, k] = data.triangles.map(numbers);
      const mesh = (points, at, more) => ({
        type: "mesh3d", x: points[0], y: points[1].map((v) => -v), z: points[2], i, j: k, k: j, meta: at,
        lighting: { ambient: 0.55, diffuse: 0.7, specular: 0.1 }, lightposition: { x: 0, y: 200, z: 1000 },
        ...more,
      });
      const traces = [
        mesh(data.predicted.map(numbers), 0, {
          intensity: numbers(data.error), colorscale: "Viridis", cmin: 0, cmax: data.top, colorbar: { title: { text: data.unit } },
          hovertemplate: "%{intensity:.2f} %<extra>predicted</extra>",
        }),
        mesh(data.reference.map(numbers), 1, { color: "#b9bec6", opacity: 0.45, hoverinfo: "skip", visible: false }),
      ];
      const hidden = { visible: false };
      const scene = { xaxis: hidden, yaxis: hidden, zaxis: hidden, aspectmode: "data", camera: view() };
      return {
        traces, toggles: ["predicted surface, coloured by error", "true surface"], off: [1],
        layout: layout("", "", { scene, height: 480, margin: { l: 0, r: 0, t: 35, b: 0 } }),
      };
    },
  };

  const escape = (text) => text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);

  // A piece of the line of a curve, beside its name.
  function sample(at) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const line = svg.appendChild(document.createElementNS(svg.namespaceURI, "line"));
    const place = { x1: 0, y1: 5, x2: 28, y2: 5, "stroke-width": 2.5, "stroke-dasharray": STROKES[look(at).dash] };
    Object.entries(place).forEach(([name, value]) => line.setAttribute(name, value));
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("class", "line");
    line.dataset.at = at;
    line.style.stroke = look(at).color;
    return svg;
  }

  function addToggles(figure, plot, drawn) {
    if (drawn.toggles.length < 2) return;
    drawn.toggles.forEach((text, at) => {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = !(drawn.off ?? []).includes(at);
      box.addEventListener("change", () => {
        const places = plot.data.flatMap((trace, i) => (trace.meta === at ? [i] : []));
        Plotly.restyle(plot, { visible: box.checked }, places);
      });
      label.append(box, ...(drawn.lines ? [sample(at)] : []), ` ${text}`);
      figure.querySelector(".controls").append(label);
    });
  }

  async function draw(figure) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    const plot = figure.querySelector(".plot");
    const make = DRAW[figure.dataset.kind];
    const drawn = make(data);
    figure.dataset.ready = "";
    await Plotly.newPlot(plot, drawn.traces, drawn.layout, CONFIG);
    addToggles(figure, plot, drawn);
    document.addEventListener("themechange", () => recolour(plot, make(data)));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => recolour(plot, make(data)));
    figure.dataset.ready = "yes";
  }

  // The fresh colours, with the view and the choice of curves as they are.
  function recolour(plot, fresh) {
    const traces = fresh.traces.map((trace, i) => ({ ...trace, visible: plot.data[i].visible }));
    const kept = { xaxis: plot.layout.xaxis?.range, yaxis: plot.layout.yaxis?.range };
    for (const [name, range] of Object.entries(kept)) {
      if (range && fresh.layout[name].visible !== false && fresh.layout[name].type !== "category") {
        fresh.layout[name].range = range;
        delete fresh.layout[name].autorange;
      }
    }
    plot.closest("figure").querySelectorAll(".line line").forEach((line) => {
      line.style.stroke = look(Number(line.dataset.at)).color;
    });
    if (plot.layout.scene) fresh.layout.scene.camera = plot.layout.scene.camera;
    Plotly.react(plot, traces, fresh.layout, CONFIG);
  }

  function start() {
    document.querySelectorAll("figure.chart").forEach((figure) => {
      if (figure.dataset.kind !== "surface") { draw(figure); return; }
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Show in 3D";
      button.addEventListener("click", () => { button.remove(); draw(figure); }, { once: true });
      figure.querySelector(".plot").append(button);
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
