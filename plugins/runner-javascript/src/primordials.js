// The judge must not share its fate with the judged: every built-in it relies on is captured here before project code runs, and a
// snapshot of the built-ins a test framework rests on tells afterwards whether the project changed them.

const { apply, ownKeys, getOwnPropertyDescriptor, defineProperty, getPrototypeOf } = Reflect;

/** Turns a method into a function whose first argument is `this`. */
const uncurry = (method) => (self, ...rest) => apply(method, self, rest);

export const ObjectIs = Object.is;
export const ObjectFreeze = Object.freeze;
export const ObjectDefineProperty = Object.defineProperty;
export const ObjectPrototype = Object.prototype;
export const hasOwn = uncurry(Object.prototype.hasOwnProperty);
export const isEnumerable = uncurry(Object.prototype.propertyIsEnumerable);
export const objectTag = uncurry(Object.prototype.toString);
export const ArrayIsArray = Array.isArray;
export const PromiseThen = uncurry(Promise.prototype.then);
export const NativePromise = Promise;
export const NativeError = Error;
export const NativeDate = Date;
export const NativeString = String;
export const dateValue = uncurry(Date.prototype.getTime);
export const regexpTest = uncurry(RegExp.prototype.exec);
export const regexpSource = uncurry(getOwnPropertyDescriptor(RegExp.prototype, "source").get);
export const regexpFlags = uncurry(getOwnPropertyDescriptor(RegExp.prototype, "flags").get);
export const mapHas = uncurry(Map.prototype.has);
export const mapGet = uncurry(Map.prototype.get);
export const mapSet = uncurry(Map.prototype.set);
export const mapDelete = uncurry(Map.prototype.delete);
export const mapEach = uncurry(Map.prototype.forEach);
export const mapSize = uncurry(getOwnPropertyDescriptor(Map.prototype, "size").get);
export const setHas = uncurry(Set.prototype.has);
export const setAdd = uncurry(Set.prototype.add);
export const setEach = uncurry(Set.prototype.forEach);
export const setSize = uncurry(getOwnPropertyDescriptor(Set.prototype, "size").get);
export const weakHas = uncurry(WeakSet.prototype.has);
export const weakAdd = uncurry(WeakSet.prototype.add);
export const slice = uncurry(String.prototype.slice);
export const NativeMap = Map;
export const NativeSet = Set;
export { apply, ownKeys, getOwnPropertyDescriptor, defineProperty, getPrototypeOf };

/** Appends without touching `Array.prototype`, whose setters and methods a project can replace. */
export function append(list, value) {
  defineProperty(list, list.length, { value, writable: true, enumerable: true, configurable: true });
}

/** Whether the value is a promise of this realm, without calling anything that the project could have replaced. */
export function isPromise(value) {
  if (typeof value !== "object" || value === null) return false;
  let proto = value;
  for (let depth = 0; depth < 8 && proto !== null; depth += 1) {
    if (proto === NativePromise.prototype) return true;
    proto = getPrototypeOf(proto);
  }
  return false;
}

// A project may well replace these (tests stub the clock, chance and what is printed); no verdict rests on them.
const FREE = ["Date", "Math", "console", "process", "fetch", "performance", "crypto"];

const WATCHED = [
  "Object", "Function", "Array", "Boolean", "JSON", "Number", "String", "RegExp", "Error", "AggregateError", "EvalError", "RangeError",
  "ReferenceError", "SyntaxError", "TypeError", "URIError", "Proxy", "Reflect", "Map", "Set", "WeakMap", "WeakSet", "Symbol", "Promise",
  "ArrayBuffer", "Uint8Array", "BigInt", "eval", "parseInt", "parseFloat", "isNaN",
];

/** Records every property of the built-ins that exist now; properties added later are nobody's concern. */
export function takeSnapshot() {
  const rows = [];
  const add = (label, object, key) => {
    const found = getOwnPropertyDescriptor(object, key);
    if (found) append(rows, { label, object, key, value: found.value, get: found.get, set: found.set });
  };
  const addAll = (label, object) => {
    append(rows, { label, object, key: null, proto: getPrototypeOf(object) });
    for (const key of ownKeys(object)) {
      if (label === "RegExp" && key !== "prototype") continue;
      if (key === "stackTraceLimit" || key === "prepareStackTrace") continue;
      add(`${label}.${NativeString(key)}`, object, key);
    }
  };
  for (const name of WATCHED) {
    if (FREE.includes(name)) continue;
    const value = globalThis[name];
    add(name, globalThis, name);
    if (typeof value === "object" || typeof value === "function") {
      addAll(name, value);
      if (typeof value === "function" && value.prototype) addAll(`${name}.prototype`, value.prototype);
    }
  }
  const asyncFunction = getPrototypeOf(async () => {});
  const arrayIterator = getPrototypeOf([][Symbol.iterator]());
  addAll("AsyncFunction.prototype", asyncFunction);
  addAll("ArrayIterator.prototype", arrayIterator);
  return rows;
}

/** The label of the first built-in that is no longer what it was, or nothing. */
export function changedSince(rows) {
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index];
    if (row.key === null) {
      if (getPrototypeOf(row.object) !== row.proto) return row.label;
      continue;
    }
    const now = getOwnPropertyDescriptor(row.object, row.key);
    if (!now || !ObjectIs(now.value, row.value) || now.get !== row.get || now.set !== row.set) return row.label;
  }
  return undefined;
}
