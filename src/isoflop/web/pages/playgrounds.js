// The list of playgrounds.
import { ask, sentenceOf } from "/static/ask.js";
import { byId, element } from "/static/show.js";

const card = ({ id, title, paper, sentences }) => element("li", {},
  element("h2", {}, element("a", { href: `/playgrounds/${id}` }, title)),
  element("p", {}, sentences[0]),
  element("p", { class: "quiet" }, paper));

ask("/api/playgrounds").then(
  ({ playgrounds }) => byId("playgrounds").replaceChildren(...playgrounds.map(card)),
  (error) => { byId("error").textContent = sentenceOf(error); });
