// The engine comes without Intl; this gives programs the English defaults they most often print and sort with.

const group = (digits, separator) => digits.replace(/\B(?=(\d{3})+$)/g, separator);

/** A number as en-US writes it. */
export function formatNumber(value, options = {}) {
  if (typeof value === "bigint") return group(String(value), ",");
  if (Number.isNaN(value)) return "NaN";
  const { style = "decimal", currency = "USD", useGrouping = true } = options;
  const money = style === "currency";
  const minimum = options.minimumFractionDigits ?? (money ? 2 : 0);
  const maximum = Math.max(options.maximumFractionDigits ?? (money ? 2 : style === "percent" ? 0 : 3), minimum);
  const scaled = Math.abs(style === "percent" ? value * 100 : value);
  let text = Number.isFinite(scaled) ? roundHalfUp(scaled, maximum) : "∞";
  if (text.includes(".")) {
    let [whole, part] = text.split(".");
    while (part.length > minimum && part.endsWith("0")) part = part.slice(0, -1);
    text = part ? `${whole}.${part}` : whole;
  }
  const [whole, part] = text.split(".");
  text = (useGrouping ? group(whole.padStart(options.minimumIntegerDigits ?? 1, "0"), ",") : whole) + (part ? `.${part}` : "");
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (money) return `${sign}${{ USD: "$", EUR: "€", GBP: "£", JPY: "¥" }[currency] ?? `${currency} `}${text}`;
  return sign + text + (style === "percent" ? "%" : "");
}

function roundHalfUp(value, digits) {
  const shifted = Number(`${value}e${digits}`);
  return Number.isFinite(shifted) && !String(value).includes("e") ? Number(`${Math.round(shifted)}e-${digits}`).toFixed(digits) : value.toFixed(digits);
}

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const two = (number) => String(number).padStart(2, "0");

/** A date as en-US writes it, always in UTC. */
export function formatDate(date, options = {}, parts = "both") {
  if (Number.isNaN(date.getTime())) return "Invalid Date";
  const asked = ["weekday", "year", "month", "day", "hour", "minute", "second", "dateStyle", "timeStyle"].some((key) => options[key] !== undefined);
  const o = { ...options };
  if (o.dateStyle) Object.assign(o, { short: { year: "2-digit", month: "numeric", day: "numeric" }, medium: { year: "numeric", month: "short", day: "numeric" }, long: { year: "numeric", month: "long", day: "numeric" }, full: { weekday: "long", year: "numeric", month: "long", day: "numeric" } }[o.dateStyle]);
  if (o.timeStyle) Object.assign(o, { hour: "numeric", minute: "2-digit" }, o.timeStyle === "short" ? {} : { second: "2-digit" });
  if (!asked && parts !== "time") Object.assign(o, { year: "numeric", month: "numeric", day: "numeric" });
  if (!asked && parts !== "date") Object.assign(o, { hour: "numeric", minute: "2-digit", second: "2-digit" });
  const year = o.year && (o.year === "2-digit" ? two(date.getUTCFullYear() % 100) : String(date.getUTCFullYear()));
  const day = o.day && (o.day === "2-digit" ? two(date.getUTCDate()) : String(date.getUTCDate()));
  const weekday = o.weekday && (o.weekday === "long" ? DAYS[date.getUTCDay()] : DAYS[date.getUTCDay()].slice(0, 3));
  let day_;
  if (o.month === "long" || o.month === "short") {
    const month = o.month === "long" ? MONTHS[date.getUTCMonth()] : MONTHS[date.getUTCMonth()].slice(0, 3);
    const monthDay = [month, day].filter(Boolean).join(" ");
    day_ = [weekday, monthDay].filter(Boolean).join(", ") + (year ? `${day ? ", " : " "}${year}` : "");
  } else {
    const month = o.month && (o.month === "2-digit" ? two(date.getUTCMonth() + 1) : String(date.getUTCMonth() + 1));
    day_ = [weekday, [month, day, year].filter(Boolean).join("/")].filter(Boolean).join(", ");
  }
  let time = "";
  if (o.hour || o.minute || o.second) {
    const half = o.hour12 !== false && o.hourCycle !== "h23";
    const hours = half ? date.getUTCHours() % 12 || 12 : date.getUTCHours();
    time = [o.hour && (o.hour === "2-digit" || !half ? two(hours) : String(hours)), o.minute && two(date.getUTCMinutes()), o.second && two(date.getUTCSeconds())].filter(Boolean).join(":");
    if (half && o.hour) time += ` ${date.getUTCHours() < 12 ? "AM" : "PM"}`;
  }
  return [day_, time].filter(Boolean).join(", ");
}

const base = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "");
const order = (left, right) => (left < right ? -1 : left > right ? 1 : 0);
// Punctuation and symbols come first, then digits, then letters, as the root collation has it.
const rank = (text) => Array.from(text, (c) => (/[a-z]/i.test(c) || c > "\u007f" ? `3${c}` : /\d/.test(c) ? `2${c}` : `1${c}`)).join("");

/** Compares as the root collation does for Latin text: letters first, then accents, then small before capital. */
export function compareText(left, right, options = {}) {
  const [a, b] = [String(left), String(right)];
  const [x, y] = [base(a), base(b)];
  if (options.numeric) {
    const [p, q] = [x.toLowerCase().match(/\d+|\D+/g) ?? [], y.toLowerCase().match(/\d+|\D+/g) ?? []];
    for (let index = 0; index < Math.min(p.length, q.length); index += 1) {
      const numbers = /^\d/.test(p[index]) && /^\d/.test(q[index]);
      const found = numbers ? Math.sign(Number(p[index]) - Number(q[index])) : order(rank(p[index]), rank(q[index]));
      if (found) return found;
    }
    if (p.length !== q.length) return order(p.length, q.length);
  } else {
    const found = order(rank(x.toLowerCase()), rank(y.toLowerCase()));
    if (found) return found;
  }
  const { sensitivity = "variant" } = options;
  if (sensitivity === "base") return 0;
  if (sensitivity !== "case") { const found = order(a.normalize("NFD").toLowerCase(), b.normalize("NFD").toLowerCase()); if (found) return found; }
  if (sensitivity === "accent") return 0;
  return -order(x, y);
}

/** Puts the defaults in place where the engine has none. */
export function installLocale() {
  if (typeof globalThis.Intl === "object") return;
  const set = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, configurable: true });
  set(Number.prototype, "toLocaleString", function toLocaleString(locale, options) { return formatNumber(Number(this), options); });
  set(BigInt.prototype, "toLocaleString", function toLocaleString(locale, options) { return formatNumber(BigInt(this), options); });
  set(String.prototype, "localeCompare", function localeCompare(other, locale, options) { return compareText(this, other, options); });
  set(Date.prototype, "toLocaleString", function toLocaleString(locale, options) { return formatDate(this, options); });
  set(Date.prototype, "toLocaleDateString", function toLocaleDateString(locale, options) { return formatDate(this, options, "date"); });
  set(Date.prototype, "toLocaleTimeString", function toLocaleTimeString(locale, options) { return formatDate(this, options, "time"); });
  class Formatter {
    constructor(locale, options = {}) { this._options = options; }
    resolvedOptions() { return { locale: "en-US", timeZone: "UTC", ...this._options }; }
    static supportedLocalesOf(locales) { return [].concat(locales); }
  }
  set(globalThis, "Intl", {
    NumberFormat: class NumberFormat extends Formatter { format = (value) => formatNumber(value, this._options); },
    DateTimeFormat: class DateTimeFormat extends Formatter { format = (value) => formatDate(value === undefined ? new Date() : new Date(value), this._options, "date"); },
    Collator: class Collator extends Formatter { compare = (left, right) => compareText(left, right, this._options); },
    PluralRules: class PluralRules extends Formatter { select(value) { return value === 1 ? "one" : "other"; } },
    ListFormat: class ListFormat extends Formatter { format(list) { const all = [...list]; const word = this._options.type === "disjunction" ? "or" : "and"; return all.length < 3 ? all.join(` ${word} `) : `${all.slice(0, -1).join(", ")}, ${word} ${all.at(-1)}`; } },
    Segmenter: class Segmenter extends Formatter { segment(text) { return Array.from(text, (segment, index) => ({ segment, index, input: text })); } },
  });
}
