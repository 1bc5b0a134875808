// node's util: inspect and format come from a package that carries node's own code, the rest is small.

import inspected from "node-inspect-extracted";
import { deepEqual } from "../judge/equal.js";
import { isPromise } from "../primordials.js";

const { inspect, format, formatWithOptions, stripVTControlCharacters } = inspected;
inspect.custom ??= Symbol.for("nodejs.util.inspect.custom");

const tag = (name) => (value) => Object.prototype.toString.call(value) === `[object ${name}]`;
const types = {
  isPromise, isDate: tag("Date"), isRegExp: tag("RegExp"), isMap: tag("Map"), isSet: tag("Set"), isWeakMap: tag("WeakMap"), isWeakSet: tag("WeakSet"),
  isNativeError: (value) => value instanceof Error, isTypedArray: (value) => ArrayBuffer.isView(value) && !(value instanceof DataView), isUint8Array: (value) => value instanceof Uint8Array,
  isArrayBuffer: tag("ArrayBuffer"), isAnyArrayBuffer: tag("ArrayBuffer"), isDataView: tag("DataView"), isArrayBufferView: ArrayBuffer.isView,
  isAsyncFunction: tag("AsyncFunction"), isGeneratorFunction: (value) => tag("GeneratorFunction")(value) || tag("AsyncGeneratorFunction")(value), isGeneratorObject: tag("Generator"),
  isProxy: () => false, isModuleNamespaceObject: tag("Module"), isMapIterator: tag("Map Iterator"), isSetIterator: tag("Set Iterator"),
  isBoxedPrimitive: (value) => typeof value === "object" && (value instanceof Number || value instanceof String || value instanceof Boolean),
  isNumberObject: (value) => value instanceof Number, isStringObject: (value) => value instanceof String, isBooleanObject: (value) => value instanceof Boolean, isSymbolObject: () => false,
};

const custom = Symbol.for("nodejs.util.promisify.custom");
function promisify(original) {
  if (original[custom]) return original[custom];
  if (original.name === "setTimeout") return (delay, value) => new Promise((resolve) => { original(() => resolve(value), delay); });
  if (original.name === "setImmediate") return (value) => new Promise((resolve) => { original(() => resolve(value)); });
  return function promisified(...args) {
    return new Promise((resolve, reject) => { original.call(this, ...args, (error, value) => { if (error) reject(error); else resolve(value); }); });
  };
}
promisify.custom = custom;

function argumentError(code, message) {
  return Object.assign(new TypeError(message), { code });
}

/** util.parseArgs, strict and lax, with its tokens left out. */
function parseArgs({ args, options = {}, strict = true, allowPositionals = !strict, allowNegative = false } = {}) {
  const values = Object.create(null);
  const positionals = [];
  const list = [...(args ?? globalThis.process.argv.slice(2))];
  const store = (name, value) => { if (options[name]?.multiple) (values[name] ??= []).push(value); else values[name] = value; };
  const label = (name) => `'${options[name]?.short ? `-${options[name].short}, ` : ""}--${name}${options[name]?.type === "string" ? " <value>" : ""}'`;
  const take = (name, value, shown) => {
    const option = options[name];
    if (!option && allowNegative && name.startsWith("no-") && options[name.slice(3)]) { store(name.slice(3), false); return; }
    if (!option && strict) throw argumentError("ERR_PARSE_ARGS_UNKNOWN_OPTION", `Unknown option '${shown}'${allowPositionals ? `. To specify a positional argument starting with a '-', place it at the end of the command after '--', as in '-- "${shown}"` : ""}`);
    if (option?.type === "string") {
      let text = value;
      if (text === undefined && list.length > 0 && !(strict && list[0].startsWith("-") && list[0].length > 1)) text = list.shift();
      else if (text === undefined && strict && list.length > 0) throw argumentError("ERR_PARSE_ARGS_INVALID_OPTION_VALUE", `Option ${label(name)} argument is ambiguous.\nDid you forget to specify the option argument for '${shown}'?\nTo specify an option argument starting with a dash use '--${name}=-XYZ'.`);
      if (text === undefined && strict) throw argumentError("ERR_PARSE_ARGS_INVALID_OPTION_VALUE", `Option ${label(name)} argument missing`);
      store(name, text ?? true);
    } else {
      if (value !== undefined && strict && option) throw argumentError("ERR_PARSE_ARGS_INVALID_OPTION_VALUE", `Option ${label(name)} does not take an argument`);
      store(name, value ?? true);
    }
  };
  while (list.length > 0) {
    const text = list.shift();
    if (text === "--") { positionals.push(...list.splice(0)); break; }
    if (text.startsWith("--")) { const at = text.indexOf("="); if (at > 2) take(text.slice(2, at), text.slice(at + 1), text.slice(0, at)); else take(text.slice(2), undefined, text); }
    else if (text.startsWith("-") && text.length > 1) {
      for (let index = 1; index < text.length; index += 1) {
        const short = text[index];
        const name = Object.keys(options).find((key) => options[key].short === short) ?? short;
        if (options[name]?.type === "string" && index + 1 < text.length) { take(name, text.slice(index + 1), `-${short}`); break; }
        take(name, undefined, `-${short}`);
      }
    } else {
      if (!allowPositionals) throw argumentError("ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL", `Unexpected argument '${text}'. This command does not take positional arguments`);
      positionals.push(text);
    }
  }
  for (const name of Object.keys(options)) if (options[name].default !== undefined && !(name in values)) values[name] = options[name].default;
  return { values, positionals };
}

const CODES = { reset: [0, 0], bold: [1, 22], dim: [2, 22], italic: [3, 23], underline: [4, 24], inverse: [7, 27], black: [30, 39], red: [31, 39], green: [32, 39], yellow: [33, 39], blue: [34, 39], magenta: [35, 39], cyan: [36, 39], white: [37, 39], gray: [90, 39], grey: [90, 39] };

export const util = {
  inspect, format, formatWithOptions, stripVTControlCharacters, types, promisify, parseArgs,
  isDeepStrictEqual: (left, right) => deepEqual(left, right, true),
  callbackify: (original) => (...args) => { const callback = args.pop(); original(...args).then((value) => globalThis.process.nextTick(callback, null, value), (error) => globalThis.process.nextTick(callback, error)); },
  deprecate: (call) => call, debuglog: () => Object.assign(() => {}, { enabled: false }), debug: () => () => {},
  inherits(constructor, parent) { Object.defineProperty(constructor, "super_", { value: parent, writable: true, configurable: true }); Object.setPrototypeOf(constructor.prototype, parent.prototype); },
  styleText: (styles, text) => [].concat(styles).reduceRight((inner, style) => `\u001b[${CODES[style][0]}m${inner}\u001b[${CODES[style][1]}m`, text),
  TextEncoder: globalThis.TextEncoder, TextDecoder: globalThis.TextDecoder, isArray: Array.isArray,
  toUSVString: (text) => String(text).toWellFormed(), getSystemErrorName: (number) => String(number), aborted: () => new Promise(() => {}),
};
