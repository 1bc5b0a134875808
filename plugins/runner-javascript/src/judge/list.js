// The tests of a file, read from its syntax tree: what is listed here is what must be reported, whatever happens when the file runs.

import { walk } from "../language/source.js";

const TESTS = new Set(["test", "it"]);
const SUITES = new Set(["describe", "suite"]);

/** Local names under which the file knows node:test's functions; without an import the usual global names count. */
function bindings(ast) {
  const names = new Map();
  const spaces = new Set();
  const take = (pattern) => {
    if (pattern.type === "Identifier") { names.set(pattern.name, "test"); spaces.add(pattern.name); }
    if (pattern.type !== "ObjectPattern") return;
    for (const property of pattern.properties) {
      const key = property.key?.name ?? property.key?.value;
      const local = property.value?.name ?? property.value?.left?.name;
      if (local) bind(key, local);
    }
  };
  const bind = (imported, local) => {
    if (TESTS.has(imported) || imported === "default") names.set(local, "test");
    if (SUITES.has(imported)) names.set(local, "suite");
    if (imported === "default") spaces.add(local);
  };
  walk(ast, (node) => {
    if (node.type === "ImportDeclaration" && node.source.value === "node:test") {
      for (const specifier of node.specifiers) {
        if (specifier.type === "ImportSpecifier") bind(specifier.imported.name ?? specifier.imported.value, specifier.local.name);
        else if (specifier.type === "ImportDefaultSpecifier") bind("default", specifier.local.name);
        else spaces.add(specifier.local.name);
      }
    }
    if (node.type === "VariableDeclarator" && node.init) {
      let init = node.init.type === "AwaitExpression" ? node.init.argument : node.init;
      let member;
      if (init.type === "MemberExpression" && !init.computed) { member = init.property.name; init = init.object; }
      const source = init.type === "CallExpression" && init.callee.name === "require" ? init.arguments[0]?.value : init.type === "ImportExpression" ? init.source.value : undefined;
      if (source === "node:test") { if (member && node.id.type === "Identifier") bind(member, node.id.name); else take(node.id); }
      else if (init.type === "Identifier" && spaces.has(init.name)) { if (member && node.id.type === "Identifier") bind(member, node.id.name); else if (node.id.type === "ObjectPattern") take(node.id); }
    }
  });
  if (names.size === 0 && spaces.size === 0) for (const name of [...TESTS, ...SUITES]) names.set(name, TESTS.has(name) ? "test" : "suite");
  return { names, spaces };
}

/** "test", "suite" or nothing, by what a call calls. */
function kindOfCall(callee, { names, spaces }) {
  if (callee.type === "Identifier") return names.get(callee.name);
  if (callee.type !== "MemberExpression" || callee.computed) return undefined;
  const property = callee.property.name;
  if (callee.object.type === "Identifier" && spaces.has(callee.object.name)) {
    if (TESTS.has(property)) return "test";
    if (SUITES.has(property)) return "suite";
  }
  if (["skip", "only", "todo"].includes(property)) return kindOfCall(callee.object, { names, spaces });
  return undefined;
}

function literal(node) {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type === "TemplateLiteral" && node.expressions.length === 0) return node.quasis[0].value.cooked;
  return undefined;
}

/**
 * @param {object} ast
 * @returns {{name: string, own: string | undefined, line: number, end: number}[]} in the order of the file
 */
export function listTests(ast) {
  const known = bindings(ast);
  const found = [];
  const visit = (root, prefix) => {
    walk(root, (node) => {
      if (node.type !== "CallExpression") return undefined;
      const kind = kindOfCall(node.callee, known);
      if (!kind) return undefined;
      const line = node.loc.start.line;
      const first = node.arguments[0];
      const isBody = first && /Function/.test(first.type);
      const own = isBody ? first.id?.name : literal(first);
      const label = own === undefined || own === "" ? `${kind} at line ${line}` : own;
      if (kind === "test") {
        found.push({ name: [...prefix, label].join(" > "), own: own || undefined, line, end: node.callee.loc.end.line });
        return false; // what it holds are subtests
      }
      for (const argument of node.arguments) visit(argument, [...prefix, label]);
      return false;
    });
  };
  visit(ast, []);
  return found;
}
