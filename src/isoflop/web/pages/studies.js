// A study, looked at every two seconds; while nothing happens the server answers "as before", which costs nothing.
import { ask, Refused, sentenceOf } from "/static/ask.js";
import { byId, element, figure, table, tiles } from "/static/show.js";

const EVERY = 2000;
const STATES = {
  pending: "not begun", queued: "queued", running: "running", done: "done", diverged: "diverged", failed: "failed", out_of_memory: "out of memory",
  killed: "killed", timed_out: "timed out", cancelled: "cancelled", stopped: "stopped", waiting: "waiting for its trunk",
};
let tag = "", shown = "", timer = 0;

const number = (x, digits = 3) => (x === null || x === undefined ? "–" : Number(x.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 6 }));
const duration = (seconds) => {
  if (seconds === null) return "not known yet";
  if (seconds < 120) return `${number(seconds, 2)} s`;
  return seconds < 7200 ? `${number(seconds / 60, 2)} min` : seconds < 172800 ? `${number(seconds / 3600)} h` : `${number(seconds / 86400)} days`;
};
const hours = (x) => duration(x === null ? null : 3600 * x);
const dollars = (x) => (x === null ? null : `$${x.toFixed(2)}`);

const show = (study) => {
  byId("spent").textContent = study.said.spent + (study.is_running ? "; running now." : "; nobody is at it now.");
  tiles(byId("states"), Object.entries(study.states).map(([state, count]) => ({ label: STATES[state] ?? state, value: String(count), interval: "" })));
  const cost = [
    { label: "so far, over all processes", value: hours(study.process_hours), interval: dollars(study.cost_usd) ?? "" },
    { label: "to go", value: hours(study.process_hours_left), interval: dollars(study.cost_usd_left) ?? "" },
  ];
  if (study.engine) cost.push({ label: `jobs with ${study.engine.name}`, value: String(study.engine.jobs), interval: "" });
  tiles(byId("cost"), cost);
  byId("refit").textContent = study.said.refit;
  const drawn = study.figures.losses.data.length > 0;
  byId("no-losses").hidden = drawn;
  byId("figure-losses").parentElement.hidden = !drawn;
  if (drawn) figure("figure-losses", study.figures.losses);
  const lines = study.runs.map((run) => [
    run.run_id, STATES[run.state] ?? run.state, run.reason, run.budget === null ? "–" : run.budget.toExponential(2).replace("e+", "e"), String(run.width),
    run.steps ? `${Math.floor((100 * run.step) / run.steps)} %` : "–", run.loss === null ? "–" : run.loss.toFixed(4), duration(run.seconds)]);
  byId("runs").replaceChildren(table(["run", "state", "why", "budget", "width", "of its steps", "loss", "time"], lines, "Every run", 3));
  byId("checks-section").hidden = !study.checks.length;
  byId("checks").replaceChildren(...study.checks.map(({ ok, message }) => element("li", { class: ok ? "ok" : "caution" }, `${ok ? "holds" : "look"}: ${message}`)));
};

const look = async () => {
  clearTimeout(timer);
  const target = byId("target").value.trim();
  const address = `/api/studies/${byId("which").value}${target ? `?${new URLSearchParams({ target })}` : ""}`;
  if (address !== shown) tag = "";
  shown = address;
  try {
    const response = await fetch(address, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (response.status !== 304) {
      const answer = await response.json();
      if (address !== shown) return;
      if (!response.ok) throw new Refused(answer.error);
      tag = response.headers.get("etag") ?? "";
      show(answer);
    }
    byId("error").textContent = "";
    document.body.dataset.shown = address;
  } catch (error) {
    byId("error").textContent = sentenceOf(error);
  }
  timer = setTimeout(look, EVERY);
};

const begin = async () => {
  const { studies } = await ask("/api/studies");
  byId("none").hidden = studies.length > 0;
  byId("study").hidden = studies.length === 0;
  if (!studies.length) return;
  const given = new URLSearchParams(location.search);
  byId("which").replaceChildren(...studies.map(({ n, name }) => element("option", { value: String(n), selected: String(n) === given.get("which") }, name)));
  byId("target").value = given.get("target") ?? "";
  const changed = () => {
    history.replaceState(null, "", `?${new URLSearchParams({ which: byId("which").value, target: byId("target").value })}`);
    look();
  };
  byId("which").addEventListener("change", changed);
  byId("target").addEventListener("change", changed);
  byId("settings").addEventListener("submit", (event) => { event.preventDefault(); changed(); });
  look();
};
begin().catch((error) => { byId("error").textContent = sentenceOf(error); });
