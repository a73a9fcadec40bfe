(() => {
  "use strict";
  const figures = JSON.parse(document.getElementById("figures").textContent);
  // One figure a turn: the page answers while the others are drawn.
  const rest = Object.entries(figures);
  const next = () => {
    if (!rest.length) return;
    const [name, figure] = rest.shift();
    isoflop.draw(document.getElementById(name), figure);
    setTimeout(next);
  };
  next();

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
