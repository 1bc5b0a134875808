// Reads one source file: strips TypeScript's types, parses, and says whether it is a module. The parser's answer serves the syntax check,
// the list of tests and the loader alike, so that all three agree.

import { parse as acornParse } from "acorn";
import { transform as sucrase } from "sucrase";

/** A file that does not parse. */
export class SourceError extends Error {
  constructor(message, line, path) {
    super(message);
    this.name = "SyntaxError";
    this.line = line;
    this.path = path;
  }
}

const clean = (message) => message.replace(/ \(\d+:\d+\)$/, "").replace(/^Error transforming [^:]*: /, "").split("\n")[0];

function lineOf(error) {
  return error.loc?.line ?? Number(/\((\d+):\d+\)/.exec(error.message)?.[1] ?? 0);
}

const OPTIONS = { ecmaVersion: "latest", locations: true, allowHashBang: true };

const asScript = (text) =>
  acornParse(text, { ...OPTIONS, sourceType: "script", allowReturnOutsideFunction: true, allowAwaitOutsideFunction: false, allowSuperOutsideMethod: false });
const asModule = (text) => acornParse(text, { ...OPTIONS, sourceType: "module", allowAwaitOutsideFunction: true });

/**
 * @param {string} path decides the language by its ending
 * @param {string} text
 * @param {"module" | "commonjs" | undefined} kind what package.json says of `.js` files
 * @returns {{text: string, ast: object, isModule: boolean}} the text without types, line by line where it was
 */
export function readSource(path, text, kind) {
  let code = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  const typed = /\.[mc]?tsx?$/.test(path);
  if (typed) {
    try {
      code = sucrase(code, { transforms: path.endsWith("x") ? ["typescript", "jsx"] : ["typescript"], disableESTransforms: true, filePath: path }).code;
    } catch (error) {
      throw new SourceError(clean(error.message), lineOf(error), path);
    }
  }
  let wanted = kind;
  if (/\.m[jt]s$/.test(path)) wanted = "module";
  if (/\.c[jt]s$/.test(path)) wanted = "commonjs";
  const attempt = (parser) => {
    try {
      return { ast: parser(code) };
    } catch (error) {
      return { error };
    }
  };
  const fail = (error) => {
    throw new SourceError(clean(error.message), lineOf(error), path);
  };
  if (wanted === "module") {
    const { ast, error } = attempt(asModule);
    if (error) fail(error);
    return { text: code, ast, isModule: true };
  }
  const script = attempt(asScript);
  if (!script.error) return { text: code, ast: script.ast, isModule: false };
  const module = attempt(asModule);
  const isModule = !module.error && (hasModuleSyntax(module.ast) || /await/.test(script.error.message) || /await/.test(code));
  if (isModule && wanted !== "commonjs") return { text: code, ast: module.ast, isModule: true };
  if (isModule) fail({ message: "Cannot use import statement outside a module", loc: { line: lineOf(script.error) } });
  // A file with import or export is meant as a module; the module parser's complaint is then the one that helps.
  fail(/^\s*(import|export)\b/m.test(code) && module.error ? module.error : script.error);
}

/** Whether the program has import, export or import.meta at its top. */
export function hasModuleSyntax(ast) {
  return ast.body.some((node) => /^(Import|Export)/.test(node.type)) || usesMeta(ast);
}

function usesMeta(node) {
  let found = false;
  walk(node, (child) => { if (child.type === "MetaProperty" && child.meta.name === "import") found = true; });
  return found;
}

/** Visits every node; a visitor that returns false keeps its children from being visited. */
export function walk(node, visit, parent = undefined, key = undefined) {
  if (visit(node, parent, key) === false) return;
  for (const name of Object.keys(node)) {
    if (name === "loc" || name === "type") continue;
    const value = node[name];
    if (Array.isArray(value)) {
      for (const child of value) if (child && typeof child.type === "string") walk(child, visit, node, name);
    } else if (value && typeof value.type === "string") {
      walk(value, visit, node, name);
    }
  }
}

/** Calls `found` with each name that a pattern binds. */
export function boundNames(pattern, found) {
  if (!pattern) return;
  if (pattern.type === "Identifier") found(pattern.name);
  else if (pattern.type === "ObjectPattern") for (const property of pattern.properties) boundNames(property.value ?? property.argument, found);
  else if (pattern.type === "ArrayPattern") for (const element of pattern.elements) boundNames(element, found);
  else if (pattern.type === "AssignmentPattern") boundNames(pattern.left, found);
  else if (pattern.type === "RestElement") boundNames(pattern.argument, found);
}
