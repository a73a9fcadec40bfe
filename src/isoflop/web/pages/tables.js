// A table that is dropped or chosen: sent to the server on this machine, its report shown in a frame of its own.
import { ask, sentenceOf } from "/static/ask.js";
import { byId, element } from "/static/show.js";

const NEEDED = { params: "parameters N", tokens: "training tokens D", loss: "the loss" };
const LARGEST = 32 * 2 ** 20;
let file = null, under_way = null;
const runsOf = (count) => `${count.toLocaleString("en")} run${count === 1 ? "" : "s"}`;

const chosenColumns = () => [...byId("columns").querySelectorAll("select")].map((select) => [select.name, select.value]);

const showReport = ({ report, name, n_runs }) => {
  byId("status").textContent = `${name}: ${runsOf(n_runs)}.`;
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
  byId("tables").replaceChildren(...tables.toReversed().map((one) => {
    const button = element("button", { type: "button" }, `${one.name}, ${runsOf(one.n_runs)}`);
    button.addEventListener("click", () => showReport(one));
    return element("li", {}, button);
  }));
  return tables;
};

const send = async () => {
  const query = new URLSearchParams({ name: file.name });
  chosenColumns().forEach(([name, column]) => query.set(name, column));
  if (byId("target").value.trim()) query.set("target", byId("target").value.trim());
  // A table that is dropped while another is being read takes its place.
  under_way?.abort();
  const mine = (under_way = new AbortController());
  byId("error").textContent = "";
  byId("result").hidden = true;
  byId("status").textContent = `Reading ${file.name}, fitting, and asking the fit what it is worth …`;
  byId("status").classList.add("busy");
  try {
    const answer = await ask(`/api/tables?${query}`, { method: "POST", body: file, headers: { "Content-Type": "text/csv" }, signal: mine.signal });
    if (mine !== under_way) return;
    if (answer.missing) {
      byId("status").textContent = answer.says;
      return askColumns(answer);
    }
    byId("columns").hidden = byId("again").hidden = true;
    showReport(answer);
    await list();
  } catch (error) {
    if (mine !== under_way) return;
    byId("status").textContent = "";
    byId("error").textContent = sentenceOf(error);
    byId("again").hidden = false;
  } finally {
    if (mine === under_way) byId("status").classList.remove("busy");
  }
};
const take = (given) => {
  if (given.size > LARGEST) {
    byId("error").textContent = `${given.name} has ${Math.ceil(given.size / 2 ** 20)} MB, and the page reads up to 32: isoflop report, in a terminal, reads it.`;
    return;
  }
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
list().then(
  (tables) => { if (tables.length && !file) showReport(tables[0]); },
  (error) => { byId("error").textContent = sentenceOf(error); });
