// Figures are plain plotly dicts whose colours are roles: isoflop.draw paints them, in the light and in the dark.
const isoflop = (() => {
  "use strict";
  const palette = JSON.parse(document.getElementById("palette").textContent);
  const drawn = new Map();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  // A finger that drags a figure means to scroll the page.
  const touch = matchMedia("(pointer: coarse)").matches;

  const channel = (from, to, at) => Math.round(from + (to - from) * at).toString(16).padStart(2, "0");
  const onRamp = (ramp, at) => {
    const above = Math.max(1, ramp.findIndex(([place]) => place >= at));
    const [[low, from], [high, to]] = [ramp[above - 1], ramp[above]];
    const byte = (colour, k) => parseInt(colour.slice(k, k + 2), 16);
    return "#" + [1, 3, 5].map((k) => channel(byte(from, k), byte(to, k), (at - low) / (high - low))).join("");
  };
  const colour = (role, roles) => /^ramp[\d.]/.test(role) ? onRamp(roles.ramp, Number(role.slice(4))) : roles[role];

  // Only keys that name a colour are painted: a run may be called "@ink".
  const painted = (value, roles, key = "") => {
    if (Array.isArray(value)) return value.map((item) => painted(item, roles, key));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, painted(item, roles, name)]));
    return /color(scale)?$/.test(key) && typeof value === "string" && value[0] === "@" ? colour(value.slice(1), roles) : value;
  };

  const axis = {
    gridcolor: "@rule", linecolor: "@muted", tickcolor: "@muted", ticks: "outside", ticklen: 4,
    showline: true, zeroline: false, automargin: true, fixedrange: touch, title: { standoff: 8, font: { size: 13 } },
  };
  const house = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    font: { family: "system-ui, sans-serif", size: 13, color: "@muted" },
    hoverlabel: { bgcolor: "@paper", bordercolor: "@muted", font: { color: "@ink", size: 13 }, align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: "@muted", activecolor: "@ink" },
    margin: { l: 8, r: 12, t: 12, b: 8 }, dragmode: touch ? false : "zoom",
  };
  const withAxes = (layout) => Object.fromEntries(Object.entries({ xaxis: {}, yaxis: {}, ...layout }).map(([key, given]) =>
    /^[xy]axis/.test(key) ? [key, { ...axis, ...given, title: { ...axis.title, ...given.title } }] : [key, given]));

  const paint = (element, { data, layout }, scheme, width) => Plotly.react(
    element, painted(data, palette[scheme]), painted({ ...house, ...withAxes(layout), width }, palette[scheme]), {
      responsive: true, displaylogo: false, displayModeBar: touch ? false : "hover", modeBarButtons: [["toImage", "resetScale2d"]],
      toImageButtonOptions: { format: "svg", filename: element.id },
    });
  const repaint = (scheme, width) => drawn.forEach((figure, element) => paint(element, figure, scheme, width));
  const scheme = () => (dark.matches ? "dark" : "light");

  dark.addEventListener("change", () => repaint(scheme()));
  // A printed page is laid out after "beforeprint", too late for a figure to ask how wide it is: 640 px fit A4 and Letter.
  addEventListener("beforeprint", () => repaint("light", 640));
  addEventListener("afterprint", () => repaint(scheme()));

  // A figure may carry steps of a slider: what each says, and where it moves which traces to.
  const slide = (element, { data, slider }) => {
    if (!slider) return;
    const made = document.createElement("p"), input = document.createElement("input"), output = document.createElement("output");
    made.className = "slider";
    Object.assign(input, { type: "range", min: 0, max: slider.steps.length - 1, step: 1, value: slider.at });
    input.setAttribute("aria-label", slider.label);
    const say = () => {
      const { text } = slider.steps[input.value];
      output.textContent = text;
      input.setAttribute("aria-valuetext", text);
    };
    input.addEventListener("input", () => {
      // The figure itself moves, so that it is still there when it is painted again, for a printer or in the dark.
      for (const [trace, moved] of Object.entries(slider.steps[input.value].restyle)) {
        Object.assign(data[trace], moved);
        Plotly.restyle(element, Object.fromEntries(Object.entries(moved).map(([key, value]) => [key, [value]])), [Number(trace)]);
      }
      say();
    });
    made.append(input, output);
    element.after(made);
    say();
  };

  const draw = async (element, figure) => {
    const isNew = !drawn.has(element);
    drawn.set(element, figure);
    await paint(element, figure, scheme());
    // The label of the figure says what it shows; its letters one by one do not.
    for (const drawing of element.querySelectorAll("svg.main-svg")) drawing.setAttribute("aria-hidden", "true");
    if (isNew) slide(element, figure);
  };
  return { draw };
})();
