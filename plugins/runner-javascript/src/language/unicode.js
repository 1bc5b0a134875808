// The engine has no Unicode tables (it is built without ICU), so \p{…} in a regular expression would not even parse. The tables are made
// when the component is built and put in place of the escape.

/** @type {Record<string, string>} property → the inside of a character class, such as "a-z" with \u{…} escapes */
let tables = typeof __UNICODE_TABLES__ === "undefined" ? {} : __UNICODE_TABLES__;
export const setTables = (made) => { tables = made; };

const NICKNAMES = {
  Letter: "L", Lowercase_Letter: "Ll", Uppercase_Letter: "Lu", Mark: "M", Number: "N", Decimal_Number: "Nd", Punctuation: "P", Symbol: "S",
  Separator: "Z", Space_Separator: "Zs", Nonspacing_Mark: "Mn", Alpha: "Alphabetic", Upper: "Uppercase", Lower: "Lowercase", space: "White_Space",
  Control: "Cc", Currency_Symbol: "Sc", Math_Symbol: "Sm", punct: "P", digit: "Nd", Combining_Mark: "M",
};

function table(name) {
  const bare = name.replace(/^(General_Category|gc|Script|sc|Script_Extensions|scx)=/, "");
  return tables[NICKNAMES[bare] ?? bare];
}

/** The same pattern without \p{…}; an unknown property is left for the engine to refuse. */
export function rewriteRegExp(pattern, flags) {
  if (!/[uv]/.test(flags) || !/\\[pP]\{/.test(pattern)) return pattern;
  let result = "";
  let depth = 0;
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern[index];
    if (character === "\\") {
      const found = /^\\([pP])\{([^}]*)\}/.exec(pattern.slice(index));
      const ranges = found && table(found[2]);
      if (!ranges) { result += pattern.slice(index, index + 2); index += 1; continue; }
      const negative = found[1] === "P";
      if (depth === 0) result += `[${negative ? "^" : ""}${ranges}]`;
      else result += negative ? (tables[`!${NICKNAMES[found[2]] ?? found[2]}`] ?? complement(ranges)) : ranges;
      index += found[0].length - 1;
      continue;
    }
    if (character === "[" && (depth === 0 || flags.includes("v"))) depth += 1;
    if (character === "]" && depth > 0) depth -= 1;
    result += character;
  }
  return result;
}

function complement(ranges) {
  const points = [...ranges.matchAll(/\\u\{([0-9a-f]+)\}(?:-\\u\{([0-9a-f]+)\})?/g)].map((found) => [parseInt(found[1], 16), parseInt(found[2] ?? found[1], 16)]);
  let next = 0;
  let result = "";
  for (const [from, to] of points) {
    if (from > next) result += escapeRange(next, from - 1);
    next = to + 1;
  }
  return next <= 0x10ffff ? result + escapeRange(next, 0x10ffff) : result;
}

export const escapeRange = (from, to) => `\\u{${from.toString(16)}}${to > from ? `-\\u{${to.toString(16)}}` : ""}`;

/** A RegExp whose patterns are rewritten first; literals are rewritten when a file is loaded. */
export function makeRegExp(Native) {
  function RegExp(pattern, flags) {
    const rewritten = typeof pattern === "string" && flags !== undefined ? rewriteRegExp(pattern, String(flags)) : pattern;
    if (!new.target) return Native(rewritten, flags);
    return Reflect.construct(Native, [rewritten, flags], new.target === RegExp ? Native : new.target);
  }
  for (const key of Reflect.ownKeys(Native)) {
    const descriptor = Reflect.getOwnPropertyDescriptor(Native, key);
    if (key !== "prototype" && descriptor.configurable && key !== "length" && key !== "name") {
      try { Object.defineProperty(RegExp, key, descriptor); } catch { /* the legacy statics (RegExp.$1) stay with the native one */ }
    }
  }
  RegExp.prototype = Native.prototype;
  Native.prototype.constructor = RegExp;
  return RegExp;
}
