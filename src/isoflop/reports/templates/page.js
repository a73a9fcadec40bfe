(() => {
  "use strict";
  const held = (id) => JSON.parse(document.getElementById(id).textContent);

  // One figure a turn: the page answers while the others are drawn.
  const rest = Object.entries(held("figures"));
  const next = () => {
    if (!rest.length) return;
    const [name, figure] = rest.shift();
    isoflop.draw(document.getElementById(`figure-${name}`), figure);
    setTimeout(next);
  };
  next();

  const files = held("files");
  for (const button of document.querySelectorAll("button[data-file]"))
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([files[button.dataset.file]], { type: "text/plain" }));
      link.download = button.dataset.file;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });

  // The table of runs is made from the CSV that the page holds: sorted by any column, found by a word, a page at a time.
  const csv = (text) => {
    const rows = [[""]];
    let quoted = false;
    for (let k = 0; k < text.length; k++) {
      const letter = text[k], row = rows[rows.length - 1];
      if (quoted && letter === '"' && text[k + 1] === '"') row[row.length - 1] += text[++k];
      else if (letter === '"') quoted = !quoted;
      else if (!quoted && letter === ",") row.push("");
      else if (!quoted && letter === "\n") rows.push([""]);
      else if (quoted || letter !== "\r") row[row.length - 1] += letter;
    }
    return rows.filter((row) => row.length > 1 || row[0]);
  };
  const significant = (value, digits) => Number(value.toPrecision(digits));
  const exponential = (value) => {
    const near = significant(value, 3);
    return near >= 1e-3 && near < 1e6 ? String(near) : near.toExponential().replace("e+", "e");
  };
  const si = (value) => {
    const near = significant(value, 3);
    for (const [scale, suffix] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]])
      if (near >= scale && near < 1e15) return (near / scale).toPrecision(3) + suffix;
    return exponential(value);
  };
  const forms = {
    text: (cell) => cell, count: si, flops: exponential, ratio: (value) => String(significant(value, 3)),
    measurement: (value) => Number.isInteger(value) && value < 1e4 ? String(value) : si(value),
  };

  const room = document.getElementById("runs-table");
  const columns = JSON.parse(room.dataset.columns);
  const [head, ...cells] = csv(files["runs.csv"]);
  const place = Object.fromEntries(head.map((name, k) => [name, k]));
  const number = (cell) => cell === "" ? NaN : Number(cell);
  const rows = cells.map((row, k) => columns.map(({ key, form }) => {
    if (key === "run_id" && !("run_id" in place)) return `row ${k + 1}`;
    if (form === "ratio") return number(row[place.tokens]) / number(row[place.params]);
    return form === "text" ? row[place[key]] : number(row[place[key]]);
  }));
  const lossColumn = columns.findIndex(({ form }) => form === "loss");
  const largest = rows.reduce((most, row) => Math.max(most, row[lossColumn]), 0);
  const decimals = Math.max(3 - Math.floor(Math.log10(largest)), 0);
  forms.loss = (value) => value.toFixed(decimals);
  const said = (value, form) => typeof value === "number" && Number.isNaN(value) ? "–" : forms[form](value);

  const PAGE = 100;
  const table = room.querySelector("table"), body = table.tBodies[0], caption = table.caption;
  let shown = rows, from = 0, by = -1, down = false;
  const element = (name, text = "", attributes = {}) => {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const show = () => {
    body.replaceChildren(...shown.slice(from, from + PAGE).map((row) => {
      const line = element("tr");
      line.append(...row.map((value, k) => {
        const { form, label } = columns[k];
        const attributes = { "data-label": label, ...(form === "text" ? {} : { class: "number" }) };
        return k ? element("td", said(value, form), attributes) : element("th", said(value, form), { ...attributes, scope: "row" });
      }));
      return line;
    }));
    const last = Math.min(from + PAGE, shown.length);
    caption.textContent = shown.length === rows.length ? `All ${rows.length} runs` : `${shown.length} of ${rows.length} runs`;
    if (shown.length > PAGE) caption.textContent += `, ${from + 1} to ${last}`;
    back.disabled = from === 0;
    forth.disabled = last >= shown.length;
    back.hidden = forth.hidden = shown.length <= PAGE;
  };
  // What is not known comes last, whichever way.
  const order = (one, other) => {
    if (typeof one !== "number") return (down ? -1 : 1) * one.localeCompare(other);
    if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other);
    return (down ? -1 : 1) * (one - other);
  };
  const choose = () => {
    const word = find.value.toLowerCase();
    shown = rows.filter((row) => row.some((value, k) => said(value, columns[k].form).toLowerCase().includes(word)));
    if (by >= 0) shown.sort((one, other) => order(one[by], other[by]));
    from = 0;
    show();
  };
  const sort = (k) => {
    down = by === k && !down;
    by = k;
    heads.forEach((cell, j) => cell.setAttribute("aria-sort", j !== k ? "none" : down ? "descending" : "ascending"));
    choose();
  };
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((cell, k) => {
    const button = element("button", cell.textContent, { type: "button", class: "sort" });
    button.addEventListener("click", () => sort(k));
    cell.replaceChildren(button);
    cell.setAttribute("aria-sort", "none");
  });
  const bar = element("p", "", { class: "bar" });
  const find = element("input", "", { type: "search", placeholder: "find runs", "aria-label": "Find runs by a word in any column" });
  find.addEventListener("input", choose);
  const back = element("button", "earlier", { type: "button" }), forth = element("button", "later", { type: "button" });
  back.addEventListener("click", () => { from -= PAGE; show(); });
  forth.addEventListener("click", () => { from += PAGE; show(); });
  bar.append(find, back, forth);
  room.before(bar);
  show();
})();
