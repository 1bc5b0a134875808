// Checks a page without a browser: tags that do not match, links to files that are not there, and scripts that do not parse.

import { readSource, SourceError } from "./source.js";

const VOID = new Set(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]);
const OPTIONAL = new Set(["html", "head", "body", "li", "dt", "dd", "p", "rt", "rp", "optgroup", "option", "colgroup", "caption", "thead", "tbody", "tfoot", "tr", "td", "th"]);
const RAW = new Set(["script", "style", "textarea", "title"]);
// Elements whose start ends an open paragraph.
const BLOCKS = new Set(["address", "article", "aside", "blockquote", "details", "dialog", "div", "dl", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "main", "menu", "nav", "ol", "p", "pre", "search", "section", "table", "ul"]);

const lineAt = (text, position) => text.slice(0, position).split("\n").length;
const decode = (text) => text.replace(/&amp;/g, "&").replace(/&quot;/g, '"').replace(/&#39;/g, "'");

/** Reads the attributes of a start tag; says where the tag ends, or -1 if it never does. */
function readTag(text, start) {
  const attributes = {};
  let at = start;
  for (;;) {
    while (/[\s/]/.test(text[at] ?? "")) at += 1;
    if (at >= text.length) return { attributes, end: -1, closed: false };
    if (text[at] === ">") return { attributes, end: at + 1, closed: text[at - 1] === "/" };
    if (text[at] === "<") return { attributes, end: -1, closed: false };
    const name = /[^\s=>/]+|=/y;
    name.lastIndex = at;
    const found = name.exec(text);
    at += found[0].length;
    const equals = /\s*=\s*/y;
    equals.lastIndex = at;
    if (!equals.test(text)) { attributes[found[0].toLowerCase()] ??= ""; continue; }
    at = equals.lastIndex;
    const quote = text[at];
    if (quote === '"' || quote === "'") {
      const close = text.indexOf(quote, at + 1);
      if (close < 0) return { attributes, end: -1, closed: false };
      attributes[found[0].toLowerCase()] ??= decode(text.slice(at + 1, close));
      at = close + 1;
    } else {
      const value = /[^\s>]*/y;
      value.lastIndex = at;
      const bare = value.exec(text)[0];
      attributes[found[0].toLowerCase()] ??= decode(bare);
      at += bare.length;
    }
  }
}

/** Resolves a link of a page; nothing if it leaves the project's files. */
export function resolveLink(page, link) {
  const target = link.trim();
  if (target === "" || /^(#|\/\/|[a-z][a-z0-9+.-]*:)/i.test(target) || /[{}$]|<%/.test(target)) return undefined;
  let path = target.replace(/[?#].*$/, "");
  if (path === "") return undefined;
  try { path = decodeURIComponent(path); } catch { /* taken as it stands */ }
  const parts = path.startsWith("/") ? [] : page.split("/").slice(0, -1);
  for (const part of path.split("/")) {
    if (part === "..") { if (parts.length === 0) return `../${path}`; parts.pop(); } else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/") + (path.endsWith("/") && parts.length > 0 ? "/" : "");
}

/**
 * The first problem of a page.
 * @param {string} path @param {string} text @param {(path: string) => boolean} exists
 * @returns {{line: number, message: string} | undefined}
 */
export function checkHtml(path, text, exists) {
  const problems = [];
  const open = [];
  const report = (position, message) => { problems.push({ line: lineAt(text, position), message }); };
  const link = (position, what, value) => {
    const target = resolveLink(path, value);
    if (target === undefined) return;
    const candidates = target === "" || target.endsWith("/") ? [`${target}index.html`] : [target, `${target}/index.html`];
    if (!candidates.some(exists)) report(position, `${what} names '${value}', which is not among the files`);
  };
  let at = 0;
  while (problems.length === 0) {
    const start = text.indexOf("<", at);
    if (start < 0) break;
    if (text.startsWith("<!--", start)) {
      const end = text.indexOf("-->", start + 4);
      if (end < 0) { report(start, "a comment is never closed"); break; }
      at = end + 3;
      continue;
    }
    if (/^<[!?]/.test(text.slice(start, start + 2))) { const end = text.indexOf(">", start); at = end < 0 ? text.length : end + 1; continue; }
    const found = /^<(\/?)([a-zA-Z][^\s/>]*)/.exec(text.slice(start, start + 200));
    if (!found) { at = start + 1; continue; }
    const name = found[2].toLowerCase();
    const tag = readTag(text, start + found[0].length);
    if (tag.end < 0) { report(start, `the tag <${found[1]}${name}> is never finished`); break; }
    at = tag.end;
    if (found[1]) { closeTag(open, name, start, report, text); continue; }
    for (const attribute of ["href", "src", "poster"]) if (tag.attributes[attribute] !== undefined && name !== "base") link(start, `<${name} ${attribute}>`, tag.attributes[attribute]);
    if (VOID.has(name) || (tag.closed && open.some((entry) => entry.name === "svg" || entry.name === "math")) || (tag.closed && (name === "svg" || name === "path"))) continue;
    if (BLOCKS.has(name) && open.at(-1)?.name === "p") open.pop();
    if (OPTIONAL.has(name) && open.at(-1)?.name === name) open.pop();
    if ((name === "dt" || name === "dd") && /^d[td]$/.test(open.at(-1)?.name ?? "")) open.pop();
    if ((name === "td" || name === "th") && /^t[dh]$/.test(open.at(-1)?.name ?? "")) open.pop();
    if (name === "tr") while (/^t[dhr]$/.test(open.at(-1)?.name ?? "")) open.pop();
    if (/^t(body|foot|head)$/.test(name)) while (/^(t[dhr]|thead|tbody|caption|colgroup)$/.test(open.at(-1)?.name ?? "")) open.pop();
    if (name === "body" && open.at(-1)?.name === "head") open.pop();
    if (RAW.has(name)) {
      const close = new RegExp(`</${name}[\\s>/]`, "ig");
      close.lastIndex = at;
      const ended = close.exec(text);
      if (!ended) { report(start, `<${name}> is never closed`); break; }
      if (name === "script" && tag.attributes.src === undefined) checkScript(path, text.slice(at, ended.index), tag.attributes.type, lineAt(text, at), problems);
      at = text.indexOf(">", ended.index) + 1 || text.length;
      continue;
    }
    open.push({ name, start });
  }
  const left = open.find((entry) => !OPTIONAL.has(entry.name));
  if (problems.length === 0 && left) report(left.start, `<${left.name}> is never closed`);
  return problems[0];
}

function closeTag(open, name, position, report, text) {
  if (VOID.has(name)) { if (name !== "br") report(position, `</${name}> closes an element that has no content`); return; }
  if (name === "p" && !open.some((entry) => entry.name === "p")) return;
  for (let index = open.length - 1; index >= 0; index -= 1) {
    if (open[index].name === name) { open.length = index; return; }
    if (!OPTIONAL.has(open[index].name)) {
      report(position, open.some((entry) => entry.name === name) ? `</${name}> comes before </${open[index].name}> (opened in line ${lineAt(text, open[index].start)})` : `</${name}> closes nothing`);
      return;
    }
  }
  report(position, `</${name}> closes nothing`);
}

function checkScript(path, code, type, line, problems) {
  const kind = (type ?? "").trim().toLowerCase();
  try {
    if (kind === "application/json" || kind === "importmap" || kind === "application/ld+json") { JSON.parse(code); return; }
    if (!["", "module", "text/javascript", "application/javascript"].includes(kind)) return;
    readSource(`${path}.js`, code, kind === "module" ? "module" : "commonjs");
  } catch (error) {
    problems.push({ line: error instanceof SourceError && error.line > 0 ? line + error.line - 1 : line, message: `a script in the page does not parse: ${error.message}` });
  }
}
