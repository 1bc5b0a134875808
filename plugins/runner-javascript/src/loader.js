// Finds, transforms and runs modules of the in-memory tree, CommonJS and ES modules alike, in the order node runs them.

import { readSource, SourceError } from "./language/source.js";
import { transform } from "./language/transform.js";
import { ROOT, normalize, isFile, isDirectory, readText } from "./tree.js";
import { float } from "./clock.js";
import { PromiseThen } from "./primordials.js";
import { builtin, isBuiltin } from "./builtins/index.js";

const indirectEval = globalThis.eval;
const ENDINGS = [".js", ".json", ".cjs", ".mjs", ".ts", ".cts", ".mts"];
const TYPED = { ".js": ".ts", ".mjs": ".mts", ".cjs": ".cts" };

/** @type {Map<string, object>} */
let cache = new Map();
let requireCache = {};
let main;

export function resetLoader() {
  cache = new Map();
  requireCache = Object.create(null);
  main = undefined;
}

const directoryOf = (path) => path.slice(0, path.lastIndexOf("/")) || "/";

function coded(error, code) {
  error.code = code;
  return error;
}

function readPackage(directory) {
  const path = `${directory === "/" ? "" : directory}/package.json`;
  if (!isFile(path)) return undefined;
  try {
    return JSON.parse(readText(path));
  } catch (error) {
    throw coded(new Error(`Error parsing ${path}: ${error.message}`), "ERR_INVALID_PACKAGE_CONFIG");
  }
}

/** The nearest package.json upwards, with its directory. */
function packageOf(path) {
  for (let directory = directoryOf(path); ; directory = directoryOf(directory)) {
    const found = readPackage(directory);
    if (found) return { directory, found };
    if (directory === "/") return undefined;
  }
}

/** What package.json says about the `.js` files beside it. */
export function kindOf(path) {
  const type = packageOf(path)?.found.type;
  return type === "module" || type === "commonjs" ? type : undefined;
}

function asFile(path, strict) {
  if (isFile(path)) return path;
  const ending = /\.[mc]?js$/.exec(path)?.[0];
  if (ending && isFile(path.slice(0, -ending.length) + TYPED[ending])) return path.slice(0, -ending.length) + TYPED[ending];
  if (strict) return undefined;
  return ENDINGS.map((candidate) => path + candidate).find(isFile);
}

function asPath(path, strict) {
  const file = asFile(path, strict);
  if (file || strict || !isDirectory(path)) return file;
  const entry = readPackage(path)?.main;
  if (typeof entry === "string") {
    const target = normalize(`${path}/${entry}`);
    const found = asFile(target) ?? asFile(`${target}/index`);
    if (found) return found;
  }
  return asFile(`${path}/index`);
}

function conditional(target, conditions) {
  if (typeof target === "string") return target;
  if (Array.isArray(target)) return target.map((entry) => conditional(entry, conditions)).find(Boolean);
  if (target === null || typeof target !== "object") return undefined;
  for (const key of Object.keys(target)) {
    if (key === "default" || conditions.includes(key)) {
      const found = conditional(target[key], conditions);
      if (found) return found;
    }
  }
  return undefined;
}

/** Looks a subpath up in `exports` or `imports` of a package.json. */
function mapped(map, subpath, conditions) {
  if (typeof map === "string" || Array.isArray(map) || !Object.keys(map).some((key) => /^[.#]/.test(key))) return subpath === "." ? conditional(map, conditions) : undefined;
  if (subpath in map) return conditional(map[subpath], conditions);
  for (const key of Object.keys(map)) {
    const star = key.indexOf("*");
    if (star < 0) continue;
    const [head, tail] = [key.slice(0, star), key.slice(star + 1)];
    if (subpath.startsWith(head) && subpath.endsWith(tail) && subpath.length >= key.length) {
      return conditional(map[key], conditions)?.replaceAll("*", subpath.slice(head.length, subpath.length - tail.length));
    }
  }
  return undefined;
}

/**
 * The absolute path of a module, or `node:x` for a built-in one.
 * @param {string} specifier @param {string} from path of the module that asks @param {boolean} isImport
 */
export function resolve(specifier, from, isImport) {
  if (isBuiltin(specifier)) return `node:${specifier.replace(/^node:/, "")}`;
  const conditions = ["node", isImport ? "import" : "require"];
  const missing = (what) => {
    const code = isImport ? "ERR_MODULE_NOT_FOUND" : "MODULE_NOT_FOUND";
    return coded(new Error(`Cannot find module '${what}'${isImport ? ` imported from ${from}` : `\nRequire stack:\n- ${from}`}`), code);
  };
  if (specifier.startsWith("node:")) throw coded(new Error(`No such built-in module: ${specifier}`), "ERR_UNKNOWN_BUILTIN_MODULE");
  let wanted = specifier;
  if (wanted.startsWith("file://")) wanted = decodeURIComponent(wanted.slice(7));
  if (/^\.{0,2}\//.test(wanted) || wanted === "." || wanted === "..") {
    const full = wanted.startsWith("/") ? normalize(wanted) : normalize(`${directoryOf(from)}/${wanted}`);
    const path = isImport ? wanted.replace(/[?#].*$/, "") : wanted;
    const clean = path === wanted ? full : normalize(path.startsWith("/") ? path : `${directoryOf(from)}/${path}`);
    const found = asPath(clean, isImport && !/\.[mc]?ts$/.test(from));
    if (!found) {
      if (isImport && isDirectory(clean)) throw coded(new Error(`Directory import '${clean}' is not supported resolving ES modules imported from ${from}`), "ERR_UNSUPPORTED_DIR_IMPORT");
      throw missing(isImport ? clean : specifier);
    }
    return found;
  }
  const owner = packageOf(from);
  if (wanted.startsWith("#")) {
    const target = owner?.found.imports && mapped(owner.found.imports, wanted, conditions);
    if (!target) throw coded(new Error(`Package import specifier "${wanted}" is not defined`), "ERR_PACKAGE_IMPORT_NOT_DEFINED");
    return target.startsWith(".") ? normalize(`${owner.directory}/${target}`) : resolve(target, from, isImport);
  }
  const [name, ...rest] = wanted.split("/");
  const packageName = name.startsWith("@") ? `${name}/${rest.shift()}` : name;
  const subpath = rest.length > 0 ? `./${rest.join("/")}` : ".";
  const within = (directory, found) => {
    if (found?.exports) {
      const target = mapped(found.exports, subpath, conditions);
      if (!target) throw coded(new Error(`Package subpath '${subpath}' is not defined by "exports" in ${directory}/package.json`), "ERR_PACKAGE_PATH_NOT_EXPORTED");
      return normalize(`${directory}/${target}`);
    }
    return asPath(normalize(`${directory}/${subpath}`), false);
  };
  if (owner?.found.name === packageName && owner.found.exports) return within(owner.directory, owner.found);
  for (let directory = directoryOf(from); ; directory = directoryOf(directory)) {
    const place = `${directory === "/" ? "" : directory}/node_modules/${packageName}`;
    if (isDirectory(place)) {
      const found = within(place, readPackage(place));
      if (found) return found;
    }
    if (directory === "/") break;
  }
  throw coded(new Error(`Cannot find module '${specifier}': it is not available in the sandbox (third-party package)`), isImport ? "ERR_MODULE_NOT_FOUND" : "MODULE_NOT_FOUND");
}

/** Evaluates text that the transformer wrote; the name appears in stacks. */
function evaluate(code, path) {
  return indirectEval(`${code}\n//# sourceURL=${path}`);
}

function syntaxError(error) {
  if (!(error instanceof SourceError)) return error;
  const made = new SyntaxError(`${error.message} (${error.path}:${error.line})`);
  made.line = error.line;
  return made;
}

/** Reads a module without running it. */
function open(path) {
  const known = cache.get(path);
  if (known) return known;
  const record = { path, state: "new", isModule: false, namespace: undefined, module: undefined };
  cache.set(path, record);
  try {
    if (path.startsWith("node:")) {
      record.exports = builtin(path.slice(5));
      record.state = "done";
    } else if (path.endsWith(".json")) {
      record.isJson = true;
    } else {
      const source = readSource(path, readText(path), kindOf(path));
      Object.assign(record, transform(source));
      record.isModule = source.isModule;
      record.run = evaluate(record.code, path);
    }
  } catch (error) {
    cache.delete(path);
    throw syntaxError(error);
  }
  return record;
}

/** The namespace of what module.exports holds now. */
function commonNamespace(value) {
  const namespace = Object.create(null);
  if (value !== null && (typeof value === "object" || typeof value === "function")) {
    for (const key of Object.keys(value)) if (key !== "default") Object.defineProperty(namespace, key, { get: () => value[key], enumerable: true });
  }
  Object.defineProperty(namespace, "default", { get: () => value, enumerable: true });
  return Object.defineProperty(namespace, Symbol.toStringTag, { value: "Module" });
}

/** Links a module and all it imports: namespaces exist and functions are hoisted, nothing has run. */
function link(record) {
  if (record.state !== "new" || !record.isModule) return;
  record.state = "linking";
  record.namespace = Object.create(null);
  Object.defineProperty(record.namespace, Symbol.toStringTag, { value: "Module" });
  record.dependencies = record.imports.map(({ specifier }) => open(resolve(specifier, record.path, true)));
  record.slots = record.dependencies.map((dependency) => dependency.namespace);
  for (const [index, dependency] of record.dependencies.entries()) {
    link(dependency);
    record.slots[index] = dependency.namespace;
  }
  const publish = (getters) => {
    for (const name of Object.keys(getters)) Object.defineProperty(record.namespace, name, { get: getters[name], set() { throw new TypeError(`Cannot assign to read only property '${name}' of object '[object Module]'`); }, enumerable: true });
  };
  const importer = (specifier) => importModule(specifier, record.path);
  record.task = record.run.call(undefined, publish, record.slots, importer, metaOf(record), float);
  const first = record.task.next();
  if (record.isAsync) PromiseThen(first, undefined, () => {});
  for (const specifier of record.stars) shareStar(record, open(resolve(specifier, record.path, true)));
  record.state = "linked";
}

function shareStar(record, source) {
  if (!source.isModule) { (record.lateStars ??= []).push(source); return; }
  link(source);
  for (const name of namesOf(source)) {
    if (name !== "default" && !(name in record.namespace)) Object.defineProperty(record.namespace, name, { get: () => source.namespace[name], enumerable: true, configurable: true });
  }
}

function namesOf(record, seen = new Set()) {
  if (seen.has(record)) return [];
  seen.add(record);
  const names = [...record.exportNames];
  for (const specifier of record.stars) {
    const source = open(resolve(specifier, record.path, true));
    if (source.isModule) names.push(...namesOf(source, seen));
    else if (source.namespace) names.push(...Object.keys(source.namespace));
  }
  return names;
}

function checkNames(record) {
  for (const [index, { specifier, names }] of record.imports.entries()) {
    const dependency = record.dependencies[index];
    const known = dependency.isModule ? [...namesOf(dependency), ...Object.keys(dependency.namespace ?? {})] : undefined;
    const has = (name) => (known ? known.includes(name) : dependency.namespace === undefined || name in dependency.namespace || hasProperty(dependency, name));
    const missing = names.find((name) => !has(name));
    if (missing !== undefined) throw new SyntaxError(`The requested module '${specifier}' does not provide an export named '${missing}' (imported by ${record.path})`);
  }
}

function hasProperty(dependency, name) {
  const value = dependency.exports ?? dependency.module?.exports;
  if (value === null || (typeof value !== "object" && typeof value !== "function") || !(name in value)) return false;
  Object.defineProperty(dependency.namespace, name, { get: () => value[name], enumerable: true, configurable: true });
  return true;
}

function metaOf(record) {
  const meta = Object.create(null);
  meta.dirname = directoryOf(record.path);
  meta.filename = record.path;
  meta.url = `file://${encodeURI(record.path)}`;
  meta.resolve = (specifier) => { const path = resolve(specifier, record.path, true); return path.startsWith("node:") ? path : `file://${encodeURI(path)}`; };
  meta.main = main === record;
  return meta;
}

/** Runs a module after its dependencies. Returns a promise only if something on the way awaits at its top. */
function run(record) {
  if (record.state === "failed") throw record.error;
  if (record.state === "done" || record.state === "running") {
    if (!record.namespace) record.namespace = commonNamespace(record.exports ?? record.module?.exports);
    return record.pending;
  }
  if (!record.isModule) {
    requirePath(record);
    record.namespace ??= commonNamespace(record.module.exports);
    return undefined;
  }
  link(record);
  record.state = "running";
  const fail = (error) => { record.state = "failed"; record.error = error; throw error; };
  const finish = () => { record.state = "done"; record.pending = undefined; };
  const body = () => {
    for (const [index, dependency] of record.dependencies.entries()) record.slots[index] = dependency.namespace;
    for (const source of record.lateStars ?? []) shareLate(record, source);
    checkNames(record);
    const result = record.task.next();
    if (record.isAsync) return PromiseThen(result, finish, fail);
    return finish();
  };
  const step = (index) => {
    for (let at = index; at < record.dependencies.length; at += 1) {
      const pending = run(record.dependencies[at]);
      if (pending) return PromiseThen(pending, () => step(at + 1));
    }
    return body();
  };
  try {
    const pending = step(0);
    if (pending) record.pending = PromiseThen(pending, undefined, fail);
    return record.pending;
  } catch (error) {
    return fail(error);
  }
}

function shareLate(record, source) {
  run(source);
  for (const name of Object.keys(source.namespace)) {
    if (name !== "default" && !(name in record.namespace)) Object.defineProperty(record.namespace, name, { get: () => source.namespace[name], enumerable: true });
  }
}

/** import() */
export async function importModule(specifier, from) {
  const record = open(resolve(String(specifier), from, true));
  await run(record);
  return record.namespace;
}

function requirePath(record) {
  if (record.module) return record.module.exports;
  const { path } = record;
  const module = { id: main === record ? "." : path, path: directoryOf(path), exports: {}, filename: path, loaded: false, children: [], paths: [], parent: null };
  record.module = module;
  if (path.startsWith("node:")) { module.exports = record.exports; return module.exports; }
  record.state = "running";
  module.require = makeRequire(path);
  requireCache[path] = module;
  try {
    if (record.isJson) {
      try {
        module.exports = JSON.parse(readText(path).replace(/^\uFEFF/, ""));
      } catch (error) {
        throw new SyntaxError(`${path}: ${error.message}`);
      }
    } else {
      record.run.call(module.exports, module.exports, module.require, module, path, module.path, (specifier) => importModule(specifier, path), float);
    }
  } catch (error) {
    cache.delete(path);
    delete requireCache[path];
    throw error;
  }
  module.loaded = true;
  record.state = "done";
  return module.exports;
}

/** The `require` of a module. */
export function makeRequire(from) {
  const require = (specifier) => {
    if (typeof specifier !== "string") throw coded(new TypeError(`The "id" argument must be of type string. Received ${typeof specifier}`), "ERR_INVALID_ARG_TYPE");
    const path = resolve(specifier, from, false);
    const known = requireCache[path];
    if (known) return known.exports;
    if (cache.get(path)?.module && !path.startsWith("node:")) cache.delete(path); // the project took it out of require.cache
    const record = open(path);
    if (!record.isModule) return requirePath(record);
    const pending = run(record);
    if (pending) throw coded(new Error(`require() cannot be used on an ES module that awaits at its top: ${path}`), "ERR_REQUIRE_ASYNC_MODULE");
    return "module.exports" in record.namespace ? record.namespace["module.exports"] : record.namespace;
  };
  require.resolve = (specifier) => resolve(specifier, from, false).replace(/^node:/, (prefix) => (specifier.startsWith(prefix) ? prefix : ""));
  require.cache = requireCache;
  require.extensions = {};
  require.main = main?.module;
  return require;
}

/** Runs a file as the program. */
export async function runMain(path) {
  const record = open(path);
  main = record;
  if (record.isModule) await run(record);
  else requirePath(record);
}

/** Reads and transforms a file now, before any project code runs. */
export function prepare(path) {
  main = open(path);
}

/** Runs text that belongs to no file (`node -e`); with `wantsValue` its last expression is the result. */
export async function runText(text, wantsValue) {
  const path = `${ROOT}/[eval]`;
  const { ast, text: code, isModule } = (() => { try { return readSource(path, text, undefined); } catch (error) { throw syntaxError(error); } })();
  let source = code;
  const last = ast.body.at(-1);
  if (wantsValue && !isModule && last?.type === "ExpressionStatement") source = `${code.slice(0, last.start)}return (${code.slice(last.expression.start, last.expression.end)})`;
  const parsed = source === code ? { ast, text: code, isModule } : readSource(path, source, "commonjs");
  const record = { path, state: "new", isModule, ...transform(parsed) };
  record.run = evaluate(record.code, "[eval]");
  cache.set(path, record);
  if (isModule) { await run(record); return undefined; }
  const module = { exports: {}, filename: path, children: [], paths: [] };
  return record.run.call(globalThis, module.exports, makeRequire(path), module, "[eval]", ".", (specifier) => importModule(specifier, path), float);
}
