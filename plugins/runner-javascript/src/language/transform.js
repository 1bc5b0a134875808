// Turns a parsed file into the text of a function that the engine can evaluate, without moving a line: imports become look-ups on live
// namespaces, exports become getters, and statements that drop a promise hand it over, so that a failure nobody awaits is still seen.

import { walk, boundNames } from "./source.js";
import { rewriteRegExp } from "./unicode.js";

const nameOf = (node) => (node.type === "Literal" ? node.value : node.name);

/**
 * @returns {{code: string, imports: {specifier: string, names: string[]}[], exportNames: string[], stars: string[], isAsync: boolean}}
 */
export function transform({ text, ast, isModule }) {
  const edits = [];
  const edit = (start, end, replacement) => edits.push({ start, end, replacement, order: edits.length });
  const blank = (start, end) => edit(start, end, text.slice(start, end).replace(/[^\n]/g, "") || " ");
  const imports = [];
  /** @type {Map<string, string>} local name → expression */
  const locals = new Map();
  const getters = [];
  const stars = [];
  const request = (specifier) => {
    let index = imports.findIndex((entry) => entry.specifier === specifier);
    if (index < 0) { imports.push({ specifier, names: [] }); index = imports.length - 1; }
    return index;
  };
  const member = (index, name) => {
    if (!imports[index].names.includes(name)) imports[index].names.push(name);
    return `__rj_ns[${index}][${JSON.stringify(name)}]`;
  };

  if (isModule) {
    for (const node of ast.body) {
      if (node.type === "ImportDeclaration") {
        const index = request(node.source.value);
        for (const specifier of node.specifiers) {
          if (specifier.type === "ImportNamespaceSpecifier") locals.set(specifier.local.name, `__rj_ns[${index}]`);
          else locals.set(specifier.local.name, member(index, specifier.type === "ImportDefaultSpecifier" ? "default" : nameOf(specifier.imported)));
        }
        blank(node.start, node.end);
      }
    }
    for (const node of ast.body) {
      if (node.type === "ExportAllDeclaration") {
        const index = request(node.source.value);
        if (node.exported) getters.push([nameOf(node.exported), `__rj_ns[${index}]`]);
        else stars.push(node.source.value);
        blank(node.start, node.end);
      } else if (node.type === "ExportNamedDeclaration" && node.declaration) {
        edit(node.start, node.declaration.start, " ");
        const declared = node.declaration.declarations ? node.declaration.declarations.map((entry) => entry.id) : [node.declaration.id];
        for (const pattern of declared) boundNames(pattern, (name) => getters.push([name, name]));
      } else if (node.type === "ExportNamedDeclaration") {
        const index = node.source ? request(node.source.value) : -1;
        for (const specifier of node.specifiers) {
          const local = nameOf(specifier.local);
          getters.push([nameOf(specifier.exported), node.source ? member(index, local) : locals.get(local) ?? local]);
        }
        blank(node.start, node.end);
      } else if (node.type === "ExportDefaultDeclaration") {
        const { declaration } = node;
        if (/^(Function|Class)Declaration$/.test(declaration.type) && declaration.id) {
          edit(node.start, declaration.start, " ");
          getters.push(["default", declaration.id.name]);
        } else if (declaration.type === "FunctionDeclaration") {
          edit(node.start, declaration.start, " ");
          const open = text.indexOf("(", declaration.start);
          edit(open, open, " __rj_default");
          getters.push(["default", "__rj_default"]);
        } else {
          edit(node.start, declaration.start, "const __rj_default = ");
          getters.push(["default", "__rj_default"]);
        }
      }
    }
  }

  let isAsync = false;
  rewrite(ast, { edit, locals, isModule, onAwait: () => { isAsync = true; } });

  edits.sort((left, right) => left.start - right.start || left.order - right.order);
  let code = "";
  let position = 0;
  for (const { start, end, replacement } of edits) {
    if (start < position) continue;
    code += text.slice(position, start) + replacement;
    position = end;
  }
  code += text.slice(position);
  if (code.startsWith("#!")) code = `//${code.slice(2)}`;

  const head = getters.map(([name, expression]) => `${JSON.stringify(name)}:()=>${expression}`).join(",");
  if (isModule) code = `(${isAsync ? "async " : ""}function*(__rj_export,__rj_ns,__rj_import,__rj_meta,__rj_float,__rj_regexp){"use strict";__rj_export({__proto__:null,${head}});yield;${code}\n})`;
  else code = `(function(exports,require,module,__filename,__dirname,__rj_import,__rj_float,__rj_regexp){${code}\n})`;
  return { code, imports, exportNames: getters.map(([name]) => name), stars, isAsync };
}

const isFunction = (node) => /Function/.test(node.type);

/** Names declared in a scope that hide imports. */
function declaredIn(node, locals) {
  const hidden = new Set();
  const add = (name) => { if (locals.has(name)) hidden.add(name); };
  const lexical = (statements) => {
    for (const statement of statements) {
      if (statement.type === "VariableDeclaration" && statement.kind !== "var") for (const entry of statement.declarations) boundNames(entry.id, add);
      if (/^(Function|Class)Declaration$/.test(statement.type) && statement.id) add(statement.id.name);
    }
  };
  if (isFunction(node)) {
    for (const parameter of node.params) boundNames(parameter, add);
    if (node.id && node.type === "FunctionExpression") add(node.id.name);
    walk(node.body, (child) => {
      if (child !== node.body && (isFunction(child) || /^Class/.test(child.type) || child.type === "StaticBlock")) return false;
      if (child.type === "VariableDeclaration" && child.kind === "var") for (const entry of child.declarations) boundNames(entry.id, add);
      return undefined;
    });
    if (node.body.type === "BlockStatement") lexical(node.body.body);
  } else if (node.type === "BlockStatement" || node.type === "StaticBlock") lexical(node.body);
  else if (/^For/.test(node.type)) lexical([node.init ?? node.left].filter((entry) => entry?.type === "VariableDeclaration"));
  else if (node.type === "CatchClause") boundNames(node.param, add);
  else if (node.type === "SwitchStatement") for (const entry of node.cases) lexical(entry.consequent);
  else if (node.type === "ClassExpression" && node.id) add(node.id.name);
  return hidden;
}

function leftmost(node) {
  for (;;) {
    const next = node.callee ?? node.object ?? node.tag ?? node.left ?? node.test ?? node.expressions?.[0] ?? (node.type === "UpdateExpression" && !node.prefix ? node.argument : undefined);
    if (!next || node.type === "NewExpression" || node.type === "TemplateLiteral") return node;
    node = next;
  }
}

function rewrite(ast, { edit, locals, isModule, onAwait }) {
  const scopes = [];
  const isImport = (name) => locals.has(name) && !scopes.some((scope) => scope.has(name));
  let depth = 0;

  const visit = (node, parent, key) => {
    if (node.type === "ImportDeclaration" || node.type === "ExportAllDeclaration") return;
    if (node.type === "ExportNamedDeclaration" && !node.declaration) return;
    const scope = locals.size > 0 && parent ? declaredIn(node, locals) : undefined;
    if (scope && scope.size > 0) scopes.push(scope);
    const inner = isFunction(node) || node.type === "PropertyDefinition" || node.type === "StaticBlock";
    if (inner) depth += 1;
    if (depth === 0 && isModule && (node.type === "AwaitExpression" || (node.type === "ForOfStatement" && node.await))) onAwait();

    let close = false;
    if (node.type === "ExpressionStatement" && !node.directive) {
      const { expression } = node;
      const first = leftmost(expression);
      close = expression.type === "CallExpression" || (expression.type === "UnaryExpression" && expression.operator === "void") ||
        (first.type === "Identifier" && isImport(first.name));
      if (close) edit(expression.start, expression.start, expression.type === "UnaryExpression" ? "__rj_float((" : "__rj_float(");
      if (close && expression.type === "UnaryExpression") { edit(expression.start, expression.argument.start, " "); }
    }
    if (node.type === "Identifier") reference(node, parent, key);
    else if (node.type === "ImportExpression") edit(node.start, node.start + 6, "__rj_import");
    else if (node.type === "MetaProperty" && node.meta.name === "import") edit(node.start, node.end, "__rj_meta");
    else if (node.type === "Literal" && node.regex) {
      const pattern = rewriteRegExp(node.regex.pattern, node.regex.flags);
      if (pattern !== node.regex.pattern) edit(node.start, node.end, `/${pattern}/${node.regex.flags}`);
    }
    for (const name of Object.keys(node)) {
      if (name === "loc" || name === "type") continue;
      const value = node[name];
      if (Array.isArray(value)) {
        for (const child of value) if (child && typeof child.type === "string") visit(child, node, name);
      } else if (value && typeof value.type === "string" && !(node.shorthand && name === "key")) visit(value, node, name);
    }
    if (close) edit(node.expression.end, node.expression.end, node.expression.type === "UnaryExpression" ? "))" : ")");
    if (inner) depth -= 1;
    if (scope && scope.size > 0) scopes.pop();
  };

  const reference = (node, parent, key) => {
    if (!isImport(node.name) || !parent) return;
    if ((key === "property" || key === "key") && !parent.computed) return;
    if (key === "label" || parent.type === "MetaProperty" || key === "id") return;
    if (key === "exported" || key === "imported") return;
    const expression = locals.get(node.name);
    if (parent.type === "Property" && parent.shorthand) edit(node.start, node.end, `${node.name}: ${expression}`);
    else if ((parent.type === "CallExpression" && key === "callee") || (parent.type === "TaggedTemplateExpression" && key === "tag")) {
      edit(node.start, node.end, `(0,${expression})`);
    } else edit(node.start, node.end, expression);
  };
  visit(ast, undefined, undefined);
}
