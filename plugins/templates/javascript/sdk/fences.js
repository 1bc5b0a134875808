// Reads replies in fenced text. Code travels between fences of backticks, never inside JSON; a longer fence holds a shorter one, so a
// file with fences of its own survives.

/** How many backticks open this line; 0 where it is no fence. */
function ticks(line) {
  const count = /^\s*(`*)/.exec(line)[1].length;
  return count >= 3 ? count : 0;
}

function linesOf(text) {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/**
 * The parts of a reply in order: `{ line }` outside any fence, or `{ text, info, open }` for what stands between two. `info` follows the
 * opening fence, such as `python`; `open` says that the closing one is missing, as in a reply that was cut off.
 */
export function parts(reply) {
  const found = [];
  const lines = linesOf(reply);
  for (let at = 0; at < lines.length; at += 1) {
    const opening = ticks(lines[at]);
    if (opening === 0) {
      found.push({ line: lines[at] });
      continue;
    }
    const indent = new RegExp(`^ {0,${lines[at].search(/\S/)}}`);
    const block = { text: "", info: lines[at].trim().replace(/^`+/, "").trim(), open: true };
    for (at += 1; at < lines.length; at += 1) {
      if (ticks(lines[at]) >= opening && /^`+$/.test(lines[at].trim())) {
        block.open = false;
        break;
      }
      // A block inside a list is indented as a whole.
      block.text += `${lines[at].replace(indent, "")}\n`;
    }
    found.push(block);
  }
  return found;
}

/** The value of `key: value`, with the key in any case, and either of them perhaps in bold; `undefined` where the line is none. */
export function field(line, key) {
  const found = /^[\s*#]*([^:]*?)[\s*]*:(.*)$/.exec(line);
  if (!found || found[1].toLowerCase() !== key.toLowerCase()) return undefined;
  const value = found[2].trim();
  const bold = /^\*\*(.*)\*\*$/.exec(value);
  return (bold ? bold[1] : value.replace(/^\*\* /, "")).trim();
}
