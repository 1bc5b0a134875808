// The files of one call, held in memory: what fs reads and writes, what modules are loaded from, and what is compared at the end to
// tell what a program wrote and removed. Nothing outside the tree exists.

export const ROOT = "/project";
const MOST_WRITTEN = 16 * 1024 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @type {Map<string, {bytes: Uint8Array | null, mode: number, time: number, inode: number}>} absolute path → file, or directory if bytes is null */
let nodes = new Map();
/** @type {Map<string, Uint8Array>} */
let original = new Map();
let written = 0;
let inodes = 0;
let stdinBytes = new Uint8Array(0);
let clock = () => 0;

/** Fills the tree with the files of the project. */
export function resetTree(files, stdin, time) {
  nodes = new Map();
  original = new Map();
  written = 0;
  inodes = 0;
  clock = time;
  stdinBytes = encoder.encode(stdin);
  for (const directory of ["/", ROOT, "/tmp"]) put(directory, null);
  for (const { path, bytes } of files) {
    const full = normalize(`${ROOT}/${path}`);
    if (!full.startsWith(`${ROOT}/`)) continue;
    makeParents(full);
    put(full, bytes);
    original.set(full, bytes);
  }
}

function put(path, bytes) {
  inodes += 1;
  nodes.set(path, { bytes, mode: bytes === null ? 0o40755 : 0o100644, time: clock(), inode: inodes });
}

function makeParents(path) {
  const parent = parentOf(path);
  if (parent !== path && !nodes.has(parent)) { makeParents(parent); put(parent, null); }
}

const parentOf = (path) => path.slice(0, path.lastIndexOf("/")) || "/";

/** Resolves `.` and `..`; the result is absolute and has no slash at its end. */
export function normalize(path) {
  const parts = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
}

const NUMBERS = { ENOENT: -2, EACCES: -13, EEXIST: -17, ENOTDIR: -20, EISDIR: -21, EINVAL: -22, ENOSPC: -28, ENOTEMPTY: -39, EBADF: -9, EPERM: -1 };
const WORDS = {
  ENOENT: "no such file or directory", EACCES: "permission denied", EEXIST: "file already exists", ENOTDIR: "not a directory",
  EISDIR: "illegal operation on a directory", ENOSPC: "no space left on device", ENOTEMPTY: "directory not empty",
  EINVAL: "invalid argument", EBADF: "bad file descriptor", EPERM: "operation not permitted",
};

/** An error as node's fs throws it. */
export function systemError(code, syscall, path, dest) {
  const place = path === undefined ? "" : ` '${path}'`;
  const error = new Error(`${code}: ${WORDS[code]}, ${syscall}${place}${dest === undefined ? "" : ` -> '${dest}'`}`);
  error.errno = NUMBERS[code];
  error.code = code;
  error.syscall = syscall;
  if (path !== undefined) error.path = path;
  if (dest !== undefined) error.dest = dest;
  return error;
}

/** Absolute form of what a program passed to fs. */
export function absolute(path, cwd) {
  return normalize(path.startsWith("/") ? path : `${cwd}/${path}`);
}

const writable = (path) => path === ROOT || path.startsWith(`${ROOT}/`) || path === "/tmp" || path.startsWith("/tmp/");

export const lookup = (path) => nodes.get(path);
export const isFile = (path) => { const node = nodes.get(path); return node !== undefined && node.bytes !== null; };
export const isDirectory = (path) => { const node = nodes.get(path); return node !== undefined && node.bytes === null; };

export function readBytes(path, shown = path, syscall = "open") {
  if (path === "/dev/stdin") return stdinBytes;
  const node = nodes.get(path);
  if (!node) throw systemError("ENOENT", syscall, shown);
  if (node.bytes === null) throw systemError("EISDIR", "read");
  return node.bytes;
}

export const readText = (path) => decoder.decode(readBytes(path));

export function writeBytes(path, bytes, shown = path) {
  if (!writable(path)) throw systemError(nodes.has(parentOf(path)) ? "EACCES" : "ENOENT", "open", shown);
  const node = nodes.get(path);
  if (node && node.bytes === null) throw systemError("EISDIR", "open", shown);
  const parent = nodes.get(parentOf(path));
  if (!parent) throw systemError("ENOENT", "open", shown);
  if (parent.bytes !== null) throw systemError("ENOTDIR", "open", shown);
  const growth = bytes.length - (node ? node.bytes.length : 0);
  if (written + growth > MOST_WRITTEN) throw systemError("ENOSPC", "write");
  written += growth;
  const copy = bytes.slice();
  if (node) { node.bytes = copy; node.time = clock(); } else put(path, copy);
}

export function removeFile(path, shown = path, syscall = "unlink") {
  const node = nodes.get(path);
  if (!node) throw systemError("ENOENT", syscall, shown);
  if (node.bytes === null) throw systemError("EISDIR", syscall, shown);
  if (!original.has(path)) written -= node.bytes.length;
  nodes.delete(path);
}

export function makeDirectory(path, recursive, shown = path) {
  if (nodes.has(path)) {
    if (recursive && nodes.get(path).bytes === null) return undefined;
    throw systemError("EEXIST", "mkdir", shown);
  }
  if (!writable(path)) throw systemError(nodes.has(parentOf(path)) ? "EACCES" : "ENOENT", "mkdir", shown);
  const parent = nodes.get(parentOf(path));
  if (parent && parent.bytes !== null) throw systemError("ENOTDIR", "mkdir", shown);
  if (parent) { put(path, null); return path; }
  if (!recursive) throw systemError("ENOENT", "mkdir", shown);
  const first = makeDirectory(parentOf(path), true, shown);
  put(path, null);
  return first;
}

/** Names in a directory, sorted. */
export function listDirectory(path, shown = path) {
  const node = nodes.get(path);
  if (!node) throw systemError("ENOENT", "scandir", shown);
  if (node.bytes !== null) throw systemError("ENOTDIR", "scandir", shown);
  const prefix = path === "/" ? "/" : `${path}/`;
  const names = [];
  for (const other of nodes.keys()) {
    if (other.length > prefix.length && other.startsWith(prefix) && !other.includes("/", prefix.length)) names.push(other.slice(prefix.length));
  }
  return names.sort();
}

export function removeDirectory(path, recursive, shown = path) {
  const names = listDirectory(path, shown);
  if (names.length > 0 && !recursive) throw systemError("ENOTEMPTY", "rmdir", shown);
  if (path === ROOT || !writable(path)) throw systemError("EACCES", "rmdir", shown);
  for (const name of names) {
    const child = `${path}/${name}`;
    if (isDirectory(child)) removeDirectory(child, true, shown);
    else removeFile(child, shown);
  }
  nodes.delete(path);
}

export function rename(from, to, shownFrom = from, shownTo = to) {
  const node = nodes.get(from);
  if (!node) throw systemError("ENOENT", "rename", shownFrom, shownTo);
  if (!writable(to) || !writable(from)) throw systemError("EACCES", "rename", shownFrom, shownTo);
  if (!isDirectory(parentOf(to))) throw systemError("ENOENT", "rename", shownFrom, shownTo);
  if (from === to) return;
  if (node.bytes !== null) {
    if (isDirectory(to)) throw systemError("EISDIR", "rename", shownFrom, shownTo);
    nodes.delete(from);
    nodes.set(to, node);
    return;
  }
  if (to.startsWith(`${from}/`)) throw systemError("EINVAL", "rename", shownFrom, shownTo);
  if (isDirectory(to) && listDirectory(to).length > 0) throw systemError("ENOTEMPTY", "rename", shownFrom, shownTo);
  for (const [path, entry] of [...nodes]) {
    if (path !== from && !path.startsWith(`${from}/`)) continue;
    nodes.delete(path);
    nodes.set(to + path.slice(from.length), entry);
  }
}

const same = (left, right) => left.length === right.length && left.every((byte, index) => byte === right[index]);

/** What the program wrote or changed in the project, and what it removed; directories and /tmp do not count. */
export function changes() {
  const files = [];
  const removed = [];
  for (const [path, node] of nodes) {
    if (node.bytes === null || !path.startsWith(`${ROOT}/`)) continue;
    const before = original.get(path);
    if (before === undefined || (before !== node.bytes && !same(before, node.bytes))) files.push({ path: path.slice(ROOT.length + 1), bytes: node.bytes });
  }
  for (const path of original.keys()) if (!isFile(path)) removed.push(path.slice(ROOT.length + 1));
  const byPath = (left, right) => (left < right ? -1 : left > right ? 1 : 0);
  return { written: files.sort((left, right) => byPath(left.path, right.path)), removed: removed.sort(byPath) };
}
