// The syntax check: one problem per file at most, and none of the project's code is run.

import { readSource, SourceError } from "./language/source.js";
import { checkHtml } from "./language/html.js";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The line of a JSON problem; the engine's message says it, or gives a position. */
function jsonLine(text, message) {
  const named = /line (\d+) column/.exec(message);
  if (named) return Number(named[1]);
  const position = /position (\d+)/.exec(message);
  return position ? text.slice(0, Number(position[1])).split("\n").length : text.trimEnd().split("\n").length;
}

/** @param {{path: string, bytes: Uint8Array}[]} files */
export function findProblems(files) {
  const paths = new Set(files.map((file) => file.path));
  const texts = new Map();
  const problems = [];
  const kindOf = (path) => {
    for (let directory = path; directory !== "";) {
      directory = directory.includes("/") ? directory.slice(0, directory.lastIndexOf("/")) : "";
      const text = texts.get(directory ? `${directory}/package.json` : "package.json");
      if (text === undefined) continue;
      try { const { type } = JSON.parse(text); return type === "module" || type === "commonjs" ? type : undefined; } catch { return undefined; }
    }
    return undefined;
  };
  for (const file of files) {
    if (!/\.([mc]?[jt]s|json|html?)$/.test(file.path)) continue;
    try {
      texts.set(file.path, decoder.decode(file.bytes));
    } catch {
      problems.push({ path: file.path, line: 0, message: "the file is not UTF-8 text" });
    }
  }
  for (const [path, text] of texts) {
    if (/(^|\/)node_modules\//.test(path)) continue;
    const problem = check(path, text, kindOf, (target) => paths.has(target));
    if (problem) problems.push({ path, line: problem.line, message: problem.message.split("\n")[0] });
  }
  return problems;
}

function check(path, text, kindOf, exists) {
  if (/\.html?$/.test(path)) return checkHtml(path, text, exists);
  if (path.endsWith(".json")) {
    try {
      JSON.parse(/(^|\/)[tj]sconfig[^/]*\.json$/.test(path) ? withoutComments(text) : text.replace(/^\uFEFF/, ""));
      return undefined;
    } catch (error) {
      return { line: jsonLine(text, error.message), message: error.message };
    }
  }
  if (/\.d\.[mc]?ts$/.test(path)) return undefined;
  try {
    readSource(path, text, kindOf(path));
    return undefined;
  } catch (error) {
    return { line: error instanceof SourceError ? error.line : 0, message: error.message };
  }
}

/** tsconfig.json may hold comments and commas at the end of lists. */
function withoutComments(text) {
  return text.replace(/("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (found, string) => string ?? found.replace(/[^\n]/g, " ")).replace(/,(\s*[\]}])/g, "$1");
}
