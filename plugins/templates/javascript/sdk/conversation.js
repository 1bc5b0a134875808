// A conversation with a model, with one repair turn for replies that do not parse. A model is a function from a request to
// `{ text, finish }`: the host's `complete` is one, and `scripted` another for tests.

/** What an export throws to give up: one of the contract's `failure`. */
export const failure = {
  /** The host refused something that the plugin can't do without. */
  refused: (refusal) => ({ tag: "refused", val: refusal }),
  /** The model's reply did not parse, not even after a repair turn. */
  unusableReply: (problem) => ({ tag: "unusable-reply", val: problem }),
  /** The plugin sees no way; the text is shown to the user. */
  impossible: (reason) => ({ tag: "impossible", val: reason }),
};

/** Thrown by a `read` function: what is wrong with a reply, in words for the model. */
export class Unreadable extends Error {}

/** Calls one of the host's imports; its refusal becomes the failure that the export gives up with. */
export function orGiveUp(call) {
  try {
    return call();
  } catch (error) {
    if (error?.payload === undefined) throw error;
    throw failure.refused(error.payload);
  }
}

/** A conversation that grows turn by turn. */
export class Conversation {
  #model;
  #request;

  /** Begins with the rules. They are the same for every call of a kind, so a provider may cache them. */
  constructor(model, modelClass, maxOutputTokens, rules) {
    this.#model = model;
    this.#request = { class: modelClass, messages: [{ role: "system", text: rules, cachePrefix: true }], maxOutputTokens, stop: [] };
  }

  /** Says something and returns the answer. */
  say(text) {
    const { messages } = this.#request;
    messages.push({ role: "user", text, cachePrefix: false });
    const answer = orGiveUp(() => this.#model({ ...this.#request, messages: [...messages] }));
    messages.push({ role: "assistant", text: answer.text, cachePrefix: false });
    return answer;
  }

  /** Says something and reads the answer; one for which `read` throws `Unreadable` is sent back once, with what is wrong. */
  ask(text, read) {
    const answer = this.say(text);
    try {
      return read(answer.text);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      const cut = answer.finish === "length" ? " (the reply was cut off: be briefer)" : "";
      const again = this.say(`That can't be used:\n${error.message}${cut}\n\nSend the whole reply again, mended, in the format asked for.`);
      return readOrGiveUp(again.text, read);
    }
  }
}

function readOrGiveUp(text, read) {
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    throw failure.unusableReply(error.message);
  }
}

/** A model that says what a test tells it to; `requests` on it is what it was asked. */
export function scripted(...replies) {
  const model = (request) => {
    model.requests.push(request);
    if (replies.length === 0) throw { payload: { tag: "unavailable", val: "the script is over" } };
    return { text: replies.shift(), finish: "complete" };
  };
  model.requests = [];
  return model;
}
