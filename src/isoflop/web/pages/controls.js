// Sliders with a number beside them, made from a description; the number may be typed.
import { element } from "/static/show.js";

const SUFFIXES = { k: 1e3, m: 1e6, b: 1e9, t: 1e12 };
const STEPS = 400;

// "2T", "70B", "5.76e23", "1,000" as a number; NaN for what is none.
export const read = (text) => {
  const found = /^\s*\$?([\d.,]+(?:e[+-]?\d+)?)\s*([kmbt])?\s*$/i.exec(text);
  return found ? Number(found[1].replace(/,/g, "")) * (SUFFIXES[found[2]?.toLowerCase()] ?? 1) : NaN;
};

// A number as it is typed: three digits, and no more zeros than one reads at a glance.
export const write = (value, digits = 3) => {
  const rounded = Number(value.toPrecision(digits));
  if (rounded !== 0 && (Math.abs(rounded) >= 1e6 || Math.abs(rounded) < 1e-3)) return rounded.toExponential().replace("e+", "e");
  return String(rounded);
};

// The same in thousands, millions, billions and trillions: tokens and dollars are said so.
export const writeSi = (value) => {
  const rounded = Number(value.toPrecision(3));
  const found = Object.entries({ T: 1e12, B: 1e9, M: 1e6, K: 1e3 }).find(([, scale]) => rounded >= scale);
  return found ? String(Number((rounded / found[1]).toPrecision(3))) + found[0] : String(rounded);
};

// name, label, low, high, value; si: it is written as 2T; log: the slider runs in log10; step, whole: what the slider rounds to.
// free: a text that is no such number is asked as it is, for the server reads more than we do ("3640 PF-days").
export const dial = (place, { name, label, low, high, value, step = 0, log = false, whole = false, si = false, free = false, help = "" }, changed) => {
  const forward = log ? Math.log10 : (x) => x, back = log ? (x) => 10 ** x : (x) => x;
  const span = { min: forward(low), max: forward(high), step: log || !step ? (forward(high) - forward(low)) / STEPS : step };
  const digits = log ? 3 : 4, written = si ? writeSi : (x) => write(x, digits);
  const rounded = (x) => Math.min(high, Math.max(low, whole ? Math.round(x) : log || !step ? Number(x.toPrecision(digits)) : Number((low + Math.round((x - low) / step) * step).toPrecision(9))));
  const slider = element("input", { type: "range", id: `${name}-slider`, "aria-label": label, ...span });
  const number = element("input", { type: "text", id: name, name, inputmode: "text", autocomplete: "off", spellcheck: "false" });
  const wrong = element("p", { class: "error", id: `${name}-wrong`, role: "status" });
  number.setAttribute("aria-describedby", help ? `${name}-wrong ${name}-help` : `${name}-wrong`);
  let current = value, raw = null;

  const mark = (sentence) => {
    wrong.textContent = sentence;
    if (sentence) number.setAttribute("aria-invalid", "true");
    else number.removeAttribute("aria-invalid");
  };

  const show = (x, typed = false) => {
    current = x;
    raw = null;
    slider.value = forward(x);
    slider.setAttribute("aria-valuetext", written(x));
    if (!typed) number.value = written(x);
    mark("");
  };
  const say = (text) => {
    raw = number.value = text;
    mark("");
  };
  slider.addEventListener("input", () => {
    const to = Number(slider.value), x = rounded(back(to));
    // A press of a key moves a whole number by one at least.
    show(whole && x === current ? rounded(current + Math.sign(to - forward(current))) : x);
    changed();
  });
  number.addEventListener("input", () => {
    const x = read(number.value);
    const fits = x >= low && x <= high && (!whole || Number.isInteger(x));
    if (!fits && !free) return mark(`Give a ${whole ? "whole " : ""}number from ${written(low)} to ${written(high)}${raw === "" ? "" : `; the answer is still for ${written(current)}`}.`);
    if (fits) show(x, true);
    else raw = number.value;
    changed();
  });
  number.addEventListener("blur", () => { if (raw === null) show(current); });

  place.append(element("label", { for: name }, label), element("div", { class: "slide" }, slider, number));
  place.append(wrong);
  if (help) place.append(element("p", { class: "quiet", id: `${name}-help` }, help));
  show(value);
  return {
    name, free, say, has: (x) => x >= low && x <= high, value: () => current, text: () => raw ?? String(current).replace("e+", "e"), set: (x) => show(Math.min(high, Math.max(low, x))),
    refuse: (is) => { if (raw !== null) number[is ? "setAttribute" : "removeAttribute"]("aria-invalid", "true"); },
  };
};

// The same from the attributes of an element, as a page writes them.
export const dialOf = (place, changed) => {
  const given = place.dataset;
  return dial(place, {
    name: given.name, label: given.label, help: given.help, low: Number(given.low), high: Number(given.high),
    value: Number(given.value), step: Number(given.step ?? 0), log: "log" in given, whole: "whole" in given, si: "si" in given, free: "free" in given,
  }, changed);
};
