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
export const sheet = ({ title, header, lines, notes }, heading = "h2") => element("section", {},
  element(heading, {}, title), ...(lines.length ? [table(header, lines, "")] : []),
  element("ul", { class: "plain" }, ...notes.map((note) => element("li", {}, note))));

export const figure = (id, drawn) => isoflop.draw(byId(id), drawn);
