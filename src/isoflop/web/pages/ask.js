// Questions to the server.

export class Refused extends Error {}

// What went wrong, in one sentence.
export const sentenceOf = (error) => error instanceof Refused ? error.message : "The server does not answer: is isoflop serve still running?";

// The answer as an object; what is refused is thrown with the sentence that the server gave.
export const ask = async (address, options = {}) => {
  const response = await fetch(address, options);
  const answer = await response.json();
  if (!response.ok) throw new Refused(answer.error);
  return answer;
};

// A slider asks faster than anybody can answer. One question is on its way at a time, and of those that came
// meanwhile only the newest is asked; so an answer is shown as often as one can be had, and the last one wins.
// null: nothing is asked any more.
export const follow = (address, show, fail) => {
  let busy = false, waiting = null, wanted = true;
  const next = async () => {
    busy = true;
    while (waiting !== null) {
      const query = waiting;
      waiting = null;
      try {
        const answer = await ask(address(query));
        if (wanted) show(answer, query);
      } catch (error) {
        if (wanted && waiting === null) fail(sentenceOf(error));
      }
      await new Promise(requestAnimationFrame);
    }
    busy = false;
  };
  return (query) => {
    waiting = query;
    wanted = query !== null;
    if (wanted && !busy) next();
  };
};
