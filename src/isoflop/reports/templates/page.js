(() => {
  "use strict";
  const { figures, palette } = JSON.parse(document.getElementById("figures").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  // A finger that drags a figure means to scroll the page.
  const touch = matchMedia("(pointer: coarse)").matches;

  // Only keys that name a colour are painted: a run may be called "@ink".
  const painted = (value, roles, key = "") => {
    if (Array.isArray(value)) return value.map((item) => painted(item, roles, key));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, painted(item, roles, name)]));
    return /color$/.test(key) && typeof value === "string" && value[0] === "@" ? roles[value.slice(1)] : value;
  };

  const axis = {
    gridcolor: "@rule", linecolor: "@muted", tickcolor: "@muted", ticks: "outside", ticklen: 4,
    showline: true, zeroline: false, automargin: true, fixedrange: touch, title: { standoff: 8 },
  };
  const house = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    font: { family: "system-ui, sans-serif", size: 13, color: "@muted" },
    hoverlabel: { bgcolor: "@paper", bordercolor: "@muted", font: { color: "@ink", size: 13 }, align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: "@muted", activecolor: "@ink" },
    margin: { l: 8, r: 12, t: 12, b: 8 }, dragmode: touch ? false : "zoom",
  };
  const withAxis = (given = {}) => ({ ...axis, ...given, title: { ...axis.title, ...given.title } });

  // A printed page is laid out after "beforeprint", too late for a figure to ask how wide it is: 640 px fit A4 and Letter.
  const draw = (scheme, width) => Promise.all(Object.entries(figures).map(([name, { data, layout }]) => {
    const whole = { ...house, ...layout, width, xaxis: withAxis(layout.xaxis), yaxis: withAxis(layout.yaxis) };
    return Plotly.react(name, painted(data, palette[scheme]), painted(whole, palette[scheme]), {
      responsive: true, displaylogo: false, displayModeBar: touch ? false : "hover", modeBarButtons: [["toImage", "resetScale2d"]],
      toImageButtonOptions: { format: "svg", filename: name },
    });
  }));

  const redraw = () => draw(dark.matches ? "dark" : "light");
  redraw();
  dark.addEventListener("change", redraw);
  addEventListener("beforeprint", () => draw("light", 640));
  addEventListener("afterprint", redraw);

  const button = document.getElementById("download-csv");
  button.hidden = false;
  button.addEventListener("click", () => {
    const text = JSON.parse(document.getElementById("runs-csv").textContent);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = "runs.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
})();
