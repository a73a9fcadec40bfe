// One playground, whichever it is: its description says what can be moved, its answer what to show.
import { ask, follow, sentenceOf } from "/static/ask.js";
import { dial } from "/static/controls.js";
import { byId, element, figure, tiles, typeset } from "/static/show.js";

const id = byId("playground").dataset.id;
const form = byId("settings");

const choice = ({ name, label, choices, default: value, help }, changed) => {
  const select = element("select", { name, id: name, "aria-describedby": help ? `${name}-help` : null },
    ...choices.map((one) => element("option", { value: one, selected: one === value }, one.replaceAll("_", " "))));
  select.addEventListener("change", changed);
  form.append(element("div", { class: "dial" }, element("label", { for: name }, label), select,
    ...(help ? [element("p", { class: "quiet", id: `${name}-help` }, help)] : [])));
  return { name, text: () => select.value, set: (to) => { if (choices.includes(to)) select.value = to; } };
};
const slider = (control, changed) => {
  const place = element("div", { class: "dial" });
  form.append(place);
  const made = dial(place, { ...control, value: control.default }, changed);
  return { ...made, set: (to) => { if (Number.isFinite(Number(to))) made.set(Number(to)); } };
};

// A paper's arXiv number leads to it, and so does an address.
const paperLine = (paper) => paper.split(/(arXiv[ :]\d{4}\.\d{4,5}|https:\/\/[^\s,]+)/).map((part, k) => {
  if (k % 2 === 0) return part;
  const href = part.startsWith("https") ? part : `https://arxiv.org/abs/${part.slice(6)}`;
  return element("a", { href, rel: "noreferrer" }, part.replace("https://", ""));
});

const show = (answer, query) => {
  byId("error").textContent = "";
  byId("outcome").classList.remove("refused");
  byId("sentence").replaceChildren(...typeset(answer.sentence));
  tiles(byId("numbers"), answer.numbers.map(({ label, text }) => ({ label, value: text, interval: "" })));
  for (const [name, drawn] of Object.entries(answer.figures)) {
    if (!byId(`figure-${name}`))
      byId("figures").append(element("figure", { class: "small" }, element("div", { class: "plot", id: `figure-${name}` }), element("figcaption", { id: `caption-${name}` })));
    byId(`caption-${name}`).replaceChildren(...typeset(drawn.caption ?? ""));
    figure(`figure-${name}`, drawn);
  }
  byId("json").href = `/api/playgrounds/${id}?${query}`;
  document.body.dataset.shown = query;
};
const fail = (sentence) => {
  byId("error").textContent = sentence;
  byId("outcome").classList.add("refused");
};
const question = follow((query) => `/api/playgrounds/${id}?${query}`, show, fail);

const begin = async () => {
  const { playgrounds } = await ask("/api/playgrounds");
  const about = playgrounds.find((one) => one.id === id);
  byId("sentences").replaceChildren(...about.sentences.map((sentence) => element("p", {}, ...typeset(sentence))));
  byId("paper").replaceChildren(...paperLine(about.paper));
  const changed = () => {
    const query = new URLSearchParams(controls.map((one) => [one.name, one.text()]));
    history.replaceState(null, "", `?${query}`);
    question(query);
  };
  const controls = about.controls.map((control) => (control.choices.length ? choice : slider)(control, changed));
  for (const [name, value] of new URLSearchParams(location.search)) controls.find((one) => one.name === name)?.set(value);
  byId("reset").addEventListener("click", () => {
    about.controls.forEach((control, k) => controls[k].set(String(control.default)));
    changed();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  changed();
};
begin().catch((error) => fail(sentenceOf(error)));
