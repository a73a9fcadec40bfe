// A table that is dropped or chosen: sent to the server on this machine, its report shown in a frame of its own.
import { ask, Refused } from "/static/ask.js";
import { byId, element } from "/static/show.js";

const NEEDED = { params: "parameters N", tokens: "training tokens D", loss: "the loss" };
let file = null;

const chosenColumns = () => [...byId("columns").querySelectorAll("select")].map((select) => [select.name, select.value]);

const showReport = ({ report, name, n_runs }) => {
  byId("status").textContent = `${name}: ${n_runs} runs.`;
  byId("result").hidden = false;
  byId("report").src = report;
  byId("whole").href = byId("save").href = report;
  byId("save").download = `${name.replace(/\.\w+$/, "")}.html`;
};

const askColumns = ({ missing, columns }) => {
  const near = (name) => columns.find((one) => one.toLowerCase().includes(name.replace(/s$/, ""))) ?? columns[0];
  byId("columns").replaceChildren(element("legend", {}, "Which column is which?"), ...missing.map((name) => element("p", {},
    element("label", { for: `column-${name}` }, `${NEEDED[name]} `),
    element("select", { id: `column-${name}`, name }, ...columns.map((one) => element("option", { value: one, selected: one === near(name) }, one))))));
  byId("columns").hidden = byId("again").hidden = false;
  byId(`column-${missing[0]}`).focus();
};

const list = async () => {
  const { tables } = await ask("/api/tables");
  byId("earlier").hidden = tables.length === 0;
  byId("tables").replaceChildren(...tables.reverse().map((one) => {
    const button = element("button", { type: "button" }, `${one.name}, ${one.n_runs} runs`);
    button.addEventListener("click", () => showReport(one));
    return element("li", {}, button);
  }));
  return tables;
};

const send = async () => {
  const query = new URLSearchParams({ name: file.name });
  chosenColumns().forEach(([name, column]) => query.set(name, column));
  if (byId("target").value.trim()) query.set("target", byId("target").value.trim());
  byId("error").textContent = "";
  byId("result").hidden = true;
  byId("status").textContent = `Reading ${file.name}, fitting, and asking the fit what it is worth …`;
  byId("status").classList.add("busy");
  try {
    const answer = await ask(`/api/tables?${query}`, { method: "POST", body: file, headers: { "Content-Type": "text/csv" } });
    if (answer.missing) {
      byId("status").textContent = answer.says;
      return askColumns(answer);
    }
    byId("columns").hidden = byId("again").hidden = true;
    showReport(answer);
    await list();
  } catch (error) {
    byId("status").textContent = "";
    byId("error").textContent = error instanceof Refused ? error.message : "The server does not answer: is isoflop serve still running?";
    byId("again").hidden = false;
  } finally {
    byId("status").classList.remove("busy");
  }
};
const take = (given) => {
  file = given;
  byId("columns").replaceChildren(element("legend", {}, "Which column is which?"));
  byId("columns").hidden = true;
  send();
};

const drop = byId("drop");
byId("file").addEventListener("change", ({ target }) => { if (target.files.length) take(target.files[0]); });
for (const kind of ["dragover", "dragenter"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
});
drop.addEventListener("submit", (event) => { event.preventDefault(); if (file) send(); });
// What the server was started with is shown at once.
list().then((tables) => { if (tables.length && !file) showReport(tables[0]); });
