"use strict";

const TAG = /\{\{\{\s*([^{}]+?)\s*\}\}\}|\{\{\s*([^{}]+?)\s*\}\}/g;
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

function render(template, data) {
  return renderNodes(parse(template), [data]);
}

/** A tree of { kind: "text" | "value" | "raw" | "if" | "each", text or name, children }. */
function parse(template) {
  const root = { kind: "root", children: [] };
  const open = [root];
  const add = (node) => open[open.length - 1].children.push(node);
  let end = 0;
  for (const match of template.matchAll(TAG)) {
    add({ kind: "text", text: template.slice(end, match.index) });
    end = match.index + match[0].length;
    const [, raw, tag] = match;
    const block = /^#(if|each)\s+(\S+)$/.exec(tag ?? "");
    const close = /^\/(if|each)$/.exec(tag ?? "");
    if (block) {
      const node = { kind: block[1], name: block[2], children: [] };
      add(node);
      open.push(node);
    } else if (close) {
      if (open.pop().kind !== close[1]) {
        throw new Error(`closed without being open: ${close[1]}`);
      }
    } else {
      add(raw === undefined ? { kind: "value", name: tag } : { kind: "raw", name: raw });
    }
  }
  if (open.length > 1) {
    throw new Error(`never closed: ${open[open.length - 1].kind}`);
  }
  add({ kind: "text", text: template.slice(end) });
  return root.children;
}

function renderNodes(nodes, scopes) {
  return nodes.map((node) => renderNode(node, scopes)).join("");
}

function renderNode(node, scopes) {
  if (node.kind === "text") {
    return node.text;
  }
  const value = lookUp(node.name, scopes);
  switch (node.kind) {
    case "raw":
      return String(value ?? "");
    case "value":
      return String(value ?? "").replace(/[&<>]/g, (character) => ESCAPES[character]);
    case "if":
      return isShown(value) ? renderNodes(node.children, scopes) : "";
    default:
      return (value ?? []).map((element) => renderNodes(node.children, [element, ...scopes])).join("");
  }
}

function isShown(value) {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function lookUp(name, scopes) {
  if (name === "this") {
    return scopes[0];
  }
  const [first, ...rest] = name.split(".");
  const start = first === "this" ? scopes[0] : scopes.find((scope) => has(scope, first))?.[first];
  return rest.reduce((value, key) => (has(value, key) ? value[key] : undefined), start);
}

function has(value, key) {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key);
}

module.exports = { render };
