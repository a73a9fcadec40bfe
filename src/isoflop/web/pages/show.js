// Answers as elements. Text goes in as text: nothing that a server, a file or an address holds becomes markup.

export const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
};

export const byId = (id) => document.getElementById(id);

// Label, value, interval: what a person looks for first.
export const tiles = (list, numbers) =>
  list.replaceChildren(...numbers.map(({ label, value, interval }) => element("div", {},
    element("dt", {}, label),
    element("dd", {}, element("span", { class: "value" }, value), ...(interval ? [element("span", { class: "interval" }, interval)] : [])))));

// A table whose first columns, ``left`` of them, hold names and the others numbers.
export const table = (header, lines, caption = "", left = 1) => {
  const made = element("table", {}, ...(caption ? [element("caption", {}, caption)] : []));
  if (header.length)
    made.append(element("thead", {}, element("tr", {}, ...header.map((name, k) =>
      element("th", { scope: "col", class: k < left ? null : "number" }, name)))));
  made.append(element("tbody", {}, ...lines.map((line) => element("tr", {}, ...line.map((cell, k) =>
    k ? element("td", { class: k < left ? null : "number" }, cell) : element("th", { scope: "row" }, cell))))));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption || "Table" }, made);
};

// A sheet of the planner: title, table, notes.
export const sheet = ({ title, header, lines, notes }) => element("section", {},
  element("h2", {}, title), ...(lines.length ? [table(header, lines, "")] : []),
  element("ul", { class: "plain" }, ...notes.map((note) => element("li", {}, ...typeset(note)))));

// Our own sentences: powers raised, as the report sets them.
export const typeset = (text) => text.split(/\^(\([^()]*\)|-?[\w.]*\w)/).map((part, k) =>
  k % 2 ? element("sup", {}, part.replace(/^\((.*)\)$/, "$1").replace(/^-/, "−")) : part);

// What the lines of a figure are called, beside it: many names would fill the figure itself.
const DASHES = { solid: [14], dash: [7, 4], dot: [2, 3], dashdot: [7, 3, 2, 3], longdash: [13, 4] };
const dashed = (colour, lengths) => {
  let at = 0;
  const parts = lengths.map((length, k) => `${k % 2 ? "transparent" : colour} ${at}px ${(at += length)}px`);
  return `repeating-linear-gradient(to right, ${parts.join(", ")})`;
};
export const key = (list, traces) => list.replaceChildren(...traces.map(({ name, line }) => element("li", {},
  element("span", { class: "sample", style: `background: ${dashed(`var(--${line.color.slice(1)})`, DASHES[line.dash])}` }), name)));

export const figure = (id, drawn) => isoflop.draw(byId(id), drawn);
