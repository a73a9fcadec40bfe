// The planner: controls to a question, the answer to numbers and figures; the address holds the settings.
import { ask, follow, sentenceOf } from "/static/ask.js";
import { dialOf, read, writeSi } from "/static/controls.js";
import { byId, element, figure, key, sheet, table, tiles, typeset } from "/static/show.js";

const USUAL = {
  besiroglu2024: "Chinchilla’s runs, refitted (Besiroglu et al. 2024)",
  hoffmann2022: "Chinchilla as published (Hoffmann et al. 2022)",
  kaplan2020: "Kaplan et al. 2020",
};
const form = byId("settings");
let most = Infinity;
const dials = Object.fromEntries([...form.querySelectorAll(".dial")].map((place) => [place.dataset.name, dialOf(place, () => changed())]));
const chosen = (name) => form.elements.namedItem(name).value;
const ticked = (name) => byId(name).checked;
const laws = () => [...form.querySelectorAll("input[name=law]:checked")].map((box) => box.value);

// Empty for an accelerator without a price, until one is given: that of another is not its own.
const priced = () => dials.price.text() !== "";

const money = (dollars) => { const short = writeSi(dollars); return `$${read(short) === dollars ? short : dollars}`; };
const budget = () => {
  const on = `${chosen("hardware")} @ ${Number((100 * dials.mfu.value()).toPrecision(6))}%`;
  const price = priced() ? ` at $${dials.price.text()} per ${chosen("hardware")}-hour` : "";
  if (chosen("by") === "time") return `${dials.devices.text()}x${on} for ${dials.days.text()} days${price}`;
  if (chosen("by") === "money") return `${money(dials.dollars.value())} on ${dials.devices.text()}x${on}${price}`;
  return dials.flops.text();
};

const question = (deep) => {
  const query = new URLSearchParams({ budget: budget(), level: chosen("level") });
  laws().forEach((law) => query.append("law", law));
  if (chosen("by") === "flops") {
    query.set("hardware", chosen("hardware"));
    for (const name of ["devices", "mfu", ...(priced() ? ["price"] : [])]) query.set(name, dials[name].text());
  }
  if (!deep) return query;
  query.set("figures", "no");
  if (ticked("serves")) query.set("inference_tokens", dials.inference_tokens.text());
  if (ticked("scarce")) query.set("unique_tokens", dials.unique_tokens.text());
  if (ticked("whole")) query.set("architecture", chosen("architecture"));
  return query;
};

const COSTS = [
  ["days", "days", (x) => (x < 10 ? x.toPrecision(3) : x.toFixed(1))],
  ["gpu_hours", "device-hours", (x) => large(x)],
  ["cost_usd", "price", (x) => "$" + large(x)],
  ["energy_kwh", "energy", (x) => (x >= 1000 ? large(x / 1000) + " MWh" : large(x) + " kWh")],
];
const large = (x) => new Intl.NumberFormat("en", { notation: x < 1e4 ? "standard" : "compact", maximumSignificantDigits: 3 }).format(x);

const TICKED = ["inference_tokens", "unique_tokens"], QUICK = Object.keys(dials).filter((name) => !TICKED.includes(name));
const refuse = (names, is) => names.forEach((name) => dials[name].refuse(is));
let asked = null;  // what of the ticked was asked last

const show = (answer, query) => {
  byId("error").textContent = "";
  byId("outcome").classList.remove("refused");
  refuse(QUICK, false);
  byId("reading").textContent = answer.budget.reading + (asked ? ". Training alone, with text enough; what you ticked is answered beneath." : "");
  tiles(byId("headline"), answer.headline);
  byId("bar").textContent = answer.headline.filter((_, k) => k !== 2).map(({ label, value }) => `${label.replace(/^training /, "")} ${value}`).join(" · ");
  const cost = answer.hardware;
  tiles(byId("cost"), cost ? COSTS.filter(([key]) => cost[key] !== null).map(([key, label, text]) => ({ label, value: text(cost[key]), interval: "" })) : []);
  byId("assumed").textContent = cost ? `Assumed: ${cost.assumptions.join("; ")}.` : "";
  byId("figure-loss").parentElement.hidden = !answer.figures.loss;
  for (const [name, drawn] of Object.entries(answer.figures)) figure(`figure-${name}`, drawn);
  key(byId("key"), answer.plans.length > 1 ? answer.figures.params.data.filter((one) => one.name) : []);
  const side = answer.sheets.laws;
  byId("sheet-laws").replaceChildren(table(side.header, side.lines, "What each law advises"));
  byId("notes").replaceChildren(...side.notes.map((note) => element("li", {}, ...typeset(note))));
  byId("json").href = `/api/plan?${asked ?? query}`;
  document.body.dataset.shown = query;
};
const FURTHER = ["architecture", "lifecycle", "data_limited"];
// While the hand moves, what is shown is an answer to where it was: busy until its own has come.
const showFurther = (answer, query) => {
  if (query === asked) byId("sheets").removeAttribute("aria-busy");
  refuse(TICKED, false);
  byId("sheets").replaceChildren(...FURTHER.filter((name) => answer.sheets[name]).map((name) => {
    const made = sheet(answer.sheets[name]);
    made.id = `sheet-${name}`;
    return made;
  }));
};
// What was refused has no answer: the last one would be read as its own.
const fail = (sentence) => {
  byId("error").textContent = sentence;
  byId("outcome").classList.add("refused");
  byId("bar").textContent = "";
  refuse(QUICK, true);
};
const failFurther = (sentence) => {
  refuse(TICKED, true);
  byId("sheets").removeAttribute("aria-busy");
  byId("sheets").replaceChildren(element("p", { class: "error" }, sentence));
};

const quick = follow((query) => `/api/plan?${query}`, show, fail);
const deep = follow((query) => `/api/plan?${query}`, showFurther, failFurther);

const address = () => {
  const kept = new URLSearchParams();
  for (const name of ["by", "hardware", "level", "architecture"]) kept.set(name, chosen(name));
  for (const name of ["serves", "scarce", "whole"]) if (ticked(name)) kept.set(name, "on");
  for (const one of Object.values(dials)) kept.set(one.name, one.text());
  laws().forEach((law) => kept.append("law", law));
  return `?${kept}`;
};

const changed = () => {
  form.querySelectorAll("[data-by]").forEach((one) => { one.hidden = one.dataset.by !== chosen("by"); });
  form.querySelectorAll("[data-with]").forEach((one) => { one.hidden = !ticked(one.dataset.with); });
  history.replaceState(null, "", address());
  limitLaws();
  if (!laws().length) {
    quick(null);
    deep(null);
    return fail("Tick a law: it is what the answer comes from.");
  }
  quick(question(false));
  if (["serves", "scarce", "whole"].some(ticked)) {
    if (!byId("sheets").children.length) byId("sheets").replaceChildren(element("p", { class: "quiet busy" }, "Working it out …"));
    byId("sheets").setAttribute("aria-busy", "true");
    asked = question(true);
    deep(asked);
  }
  else {
    asked = null;
    deep(null);
    byId("sheets").removeAttribute("aria-busy");
    byId("sheets").replaceChildren();
  }
};

const limitLaws = () => {
  const full = laws().length >= most;
  form.querySelectorAll("input[name=law]").forEach((box) => { box.disabled = full && !box.checked; });
  byId("laws-full").textContent = full ? `${most} laws are asked at a time: untick one to ask another.` : "";
};
const lawBox = (name, says, on) => element("label", { class: "tick" },
  element("input", { type: "checkbox", name: "law", value: name, id: `law-${name}`, checked: on }), ` ${says}`);

const restore = (accelerators) => {
  const given = new URLSearchParams(location.search);
  for (const [name, value] of given) {
    if (["by", "hardware", "level", "architecture"].includes(name)) {
      const control = form.elements.namedItem(name);
      const known = control instanceof RadioNodeList ? [...control] : [...control.options];
      if (known.some((one) => one.value === value)) control.value = value;
    } else if (["serves", "scarce", "whole"].includes(name)) byId(name).checked = value === "on";
  }
  price(accelerators.find((one) => one.id === chosen("hardware")));
  for (const [name, value] of given) {
    if (!dials[name]) continue;
    const x = value.trim() ? Number(value) : NaN;
    if (Number.isFinite(x) && (dials[name].has(x) || !dials[name].free)) dials[name].set(x);
    else if (dials[name].free) dials[name].say(value);
  }
  if (given.has("law")) {
    const wanted = given.getAll("law").slice(0, most);
    form.querySelectorAll("input[name=law]").forEach((box) => { box.checked = wanted.includes(box.value); });
    if (byId("more-laws").querySelector(":checked")) byId("more-laws").parentElement.open = true;
  }
};

const price = (one) => {
  if (one.price) dials.price.set(one.price.typical);
  else dials.price.say("");
  dials.mfu.set(one.utilisation.typical);
};

const begin = async () => {
  const [hardware, published, about] = await Promise.all([ask("/api/hardware"), ask("/api/laws"), ask("/openapi.json")]);
  const { accelerators } = hardware;
  byId("hardware").replaceChildren(...accelerators.map((one) => element("option", { value: one.id, selected: one.id === "h100-sxm" }, `${one.vendor} ${one.title}`)));
  const parameters = about.paths["/api/plan"].get.parameters;
  const kinds = parameters.find((one) => one.name === "architecture").schema.enum;
  byId("architecture").replaceChildren(...kinds.map((kind) => element("option", { value: kind, selected: kind === "llama" }, kind)));
  byId("laws").replaceChildren(...Object.entries(USUAL).map(([name, says], k) => lawBox(name, says, k < 2)));
  const splits = published.laws.filter((one) => ["split", "loss_and_split"].includes(one.kind) && !(one.id in USUAL));
  byId("more-laws").replaceChildren(...splits.map((one) => lawBox(one.id, one.title, false)));
  most = parameters.find((one) => one.name === "law").schema.maxItems;
  restore(accelerators);
  byId("hardware").addEventListener("change", () => price(accelerators.find((one) => one.id === chosen("hardware"))));
  form.addEventListener("change", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  changed();
};
begin().catch((error) => fail(sentenceOf(error)));
