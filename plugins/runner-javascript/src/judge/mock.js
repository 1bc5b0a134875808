// node:test's mock in its plain form: functions that remember their calls, and methods replaced for a while.

class MockContext {
  constructor(implementation, restore) { this._calls = []; this._implementation = implementation; this._once = new Map(); this._restore = restore; }
  get calls() { return [...this._calls]; }
  callCount() { return this._calls.length; }
  resetCalls() { this._calls = []; }
  mockImplementation(implementation) { this._implementation = implementation; }
  mockImplementationOnce(implementation, at = this._calls.length) { this._once.set(at, implementation); }
  restore() { this._restore?.(); }
}

/** A tracker, one for the file and one for each test. */
export function makeMock(timers) {
  let contexts = [];
  const wrap = (original, implementation, restore) => {
    const context = new MockContext(implementation ?? original, restore);
    contexts.push(context);
    const mocked = function mocked(...args) {
      const at = context._calls.length;
      const call = { arguments: args, error: undefined, result: undefined, stack: new Error("mock"), target: new.target, this: this };
      const chosen = context._once.get(at) ?? context._implementation;
      context._once.delete(at);
      context._calls.push(call);
      try {
        call.result = new.target ? Reflect.construct(chosen, args, new.target === mocked ? chosen : new.target) : Reflect.apply(chosen, this, args);
        return call.result;
      } catch (error) {
        call.error = error;
        throw error;
      }
    };
    Object.defineProperty(mocked, "mock", { value: context });
    Object.defineProperty(mocked, "length", { value: original.length, configurable: true });
    Object.defineProperty(mocked, "name", { value: original.name, configurable: true });
    return mocked;
  };
  const fn = (original = function mocked() {}, implementation = original, options) => {
    const [first, second] = typeof original === "function" ? [original, typeof implementation === "function" ? implementation : original] : [function mocked() {}, undefined];
    const made = wrap(first, second, () => { made.mock.mockImplementation(first); });
    if (options?.times) for (let at = options.times; at < options.times + 1; at += 1) made.mock._once.set(at, first);
    return made;
  };
  const method = (object, name, implementation, options) => {
    const settings = typeof implementation === "object" && implementation !== null ? implementation : options ?? {};
    let owner = object;
    let descriptor;
    while (owner && !(descriptor = Object.getOwnPropertyDescriptor(owner, name))) owner = Object.getPrototypeOf(owner);
    const part = settings.getter ? "get" : settings.setter ? "set" : "value";
    const original = descriptor?.[part];
    if (typeof original !== "function") throw Object.assign(new TypeError(`The argument 'methodName' must be a method. Received ${typeof original}`), { code: "ERR_INVALID_ARG_VALUE" });
    const own = owner === object;
    const restore = () => { if (own) Object.defineProperty(object, name, descriptor); else delete object[name]; };
    const made = wrap(original, typeof implementation === "function" ? implementation : undefined, restore);
    Object.defineProperty(object, name, { ...descriptor, [part]: made, configurable: true });
    return made;
  };
  const restoreAll = () => { for (const context of contexts) context.restore(); };
  return {
    fn, method, restoreAll, timers,
    getter: (object, name, implementation) => method(object, name, implementation, { getter: true }),
    setter: (object, name, implementation) => method(object, name, implementation, { setter: true }),
    reset() { restoreAll(); contexts = []; },
    module() { throw new Error("mock.module is not available in the sandbox"); },
  };
}
