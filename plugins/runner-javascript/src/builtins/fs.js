// node's fs over the in-memory tree. Everything is written once, as the synchronous function; callbacks and promises wrap it.

import { Buffer } from "buffer";
import stream from "readable-stream";
import * as tree from "../tree.js";
import * as clock from "../clock.js";
import { sandboxProcess, print, printError } from "./process.js";

const constants = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, COPYFILE_EXCL: 1, O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_EXCL: 128, O_TRUNC: 512, O_APPEND: 1024 };

function shown(path) {
  if (path instanceof URL) return decodeURIComponent(path.pathname);
  if (path instanceof Uint8Array) return Buffer.from(path).toString();
  if (typeof path === "string") {
    if (path.includes("\0")) throw Object.assign(new TypeError("The argument 'path' must be a string, Uint8Array, or URL without null bytes."), { code: "ERR_INVALID_ARG_VALUE" });
    return path;
  }
  throw Object.assign(new TypeError(`The "path" argument must be of type string or an instance of Buffer or URL. Received ${path === undefined ? "undefined" : path === null ? "null" : `type ${typeof path}`}`), { code: "ERR_INVALID_ARG_TYPE" });
}

const full = (path) => tree.absolute(shown(path), sandboxProcess().cwd());
const encodingOf = (options) => (typeof options === "string" ? options : options?.encoding);
const bytesOf = (data, options) => {
  if (typeof data === "string") return Buffer.from(data, encodingOf(options) ?? "utf8");
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  throw Object.assign(new TypeError(`The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received ${data === null ? "null" : data === undefined ? "undefined" : `type ${typeof data}`}`), { code: "ERR_INVALID_ARG_TYPE" });
};

class Stats {
  constructor(node) {
    const time = new Date(clock.timeOrigin + node.time);
    Object.assign(this, { dev: 1, mode: node.mode, nlink: 1, uid: 1000, gid: 1000, rdev: 0, blksize: 4096, ino: node.inode, size: node.bytes === null ? 4096 : node.bytes.length, blocks: 8 });
    Object.assign(this, { atimeMs: +time, mtimeMs: +time, ctimeMs: +time, birthtimeMs: +time, atime: time, mtime: time, ctime: time, birthtime: time });
  }
  isFile() { return (this.mode & 0o170000) === 0o100000; }
  isDirectory() { return (this.mode & 0o170000) === 0o40000; }
  isSymbolicLink() { return false; }
  isFIFO() { return false; }
  isSocket() { return false; }
  isBlockDevice() { return false; }
  isCharacterDevice() { return false; }
}

class Dirent extends Stats {
  constructor(name, parent, node) {
    super(node);
    for (const key of Object.keys(this)) if (key !== "mode") delete this[key];
    Object.defineProperty(this, "mode", { enumerable: false });
    Object.assign(this, { name, parentPath: parent, path: parent });
  }
}

/** A fresh fs module. */
export function makeFs() {
  const open = new Map();
  let nextFd = 10;
  const describe = (fd) => { const found = open.get(fd); if (!found) throw tree.systemError("EBADF", "fd"); return found; };
  const sync = {
    readFile(path, options) {
      const bytes = path === 0 ? tree.readBytes("/dev/stdin") : typeof path === "number" ? tree.readBytes(describe(path).path) : tree.readBytes(full(path), shown(path));
      const encoding = encodingOf(options);
      return encoding && encoding !== "buffer" ? Buffer.from(bytes).toString(encoding) : Buffer.from(bytes.slice());
    },
    writeFile(path, data, options) {
      if (path === 1) return print(bytesOf(data, options));
      if (path === 2) return printError(bytesOf(data, options));
      if (typeof path === "number") { sync.write(path, data); return undefined; }
      const flag = options?.flag ?? "w";
      if (flag.startsWith("a")) { sync.appendFile(path, data, options); return undefined; }
      if (flag.includes("x") && tree.lookup(full(path))) throw tree.systemError("EEXIST", "open", shown(path));
      tree.writeBytes(full(path), bytesOf(data, options), shown(path));
      return undefined;
    },
    appendFile(path, data, options) {
      const place = typeof path === "number" ? describe(path).path : full(path);
      const before = tree.isFile(place) ? tree.readBytes(place) : new Uint8Array(0);
      tree.writeBytes(place, Buffer.concat([before, bytesOf(data, options)]), typeof path === "number" ? place : shown(path));
    },
    mkdir(path, options) { return tree.makeDirectory(full(path), Boolean(options?.recursive), shown(path)); },
    mkdtemp(prefix) { const name = `${shown(prefix)}${String(nextFd).padStart(6, "a")}`; nextFd += 1; tree.makeDirectory(full(name), false, name); return name; },
    readdir(path, options) {
      const place = full(path);
      let names = tree.listDirectory(place, shown(path));
      if (options?.recursive) {
        const all = [];
        const collect = (directory, prefix) => { for (const name of tree.listDirectory(directory)) { all.push(prefix + name); if (tree.isDirectory(`${directory}/${name}`)) collect(`${directory}/${name}`, `${prefix}${name}/`); } };
        collect(place, "");
        names = all;
      }
      if (!options?.withFileTypes) return names;
      return names.map((name) => { const at = name.lastIndexOf("/"); return new Dirent(name.slice(at + 1), at < 0 ? shown(path) : `${shown(path)}/${name.slice(0, at)}`, tree.lookup(`${place === "/" ? "" : place}/${name}`)); });
    },
    stat(path, options) {
      const node = tree.lookup(full(path));
      if (node && shown(path).endsWith("/") && node.bytes !== null) throw tree.systemError("ENOTDIR", "stat", shown(path));
      if (node) return new Stats(node);
      if (options?.throwIfNoEntry === false) return undefined;
      throw tree.systemError("ENOENT", "stat", shown(path));
    },
    access(path, mode = 0) {
      const place = full(path);
      if (!tree.lookup(place)) throw tree.systemError("ENOENT", "access", shown(path));
      void mode;
    },
    unlink(path) { tree.removeFile(full(path), shown(path)); },
    rmdir(path, options) { tree.removeDirectory(full(path), Boolean(options?.recursive), shown(path)); },
    rm(path, options) {
      const place = full(path);
      if (!tree.lookup(place)) { if (options?.force) return; throw tree.systemError("ENOENT", "rm", shown(path)); }
      if (!tree.isDirectory(place)) { tree.removeFile(place, shown(path), "rm"); return; }
      if (!options?.recursive) throw Object.assign(new Error(`Path is a directory: rm returned EISDIR (is a directory) ${shown(path)}`), { code: "ERR_FS_EISDIR" });
      tree.removeDirectory(place, true, shown(path));
    },
    rename(from, to) { tree.rename(full(from), full(to), shown(from), shown(to)); },
    copyFile(from, to, mode = 0) {
      if (mode & 1 && tree.lookup(full(to))) throw tree.systemError("EEXIST", "copyfile", shown(from), shown(to));
      tree.writeBytes(full(to), tree.readBytes(full(from), shown(from), "copyfile"), shown(to));
    },
    cp(from, to, options) {
      if (!tree.isDirectory(full(from))) { tree.makeDirectory(tree.normalize(`${full(to)}/..`), true); sync.copyFile(from, to); return; }
      if (!options?.recursive) throw Object.assign(new Error(`Recursive option not enabled, cannot copy a directory: ${shown(from)}`), { code: "ERR_FS_EISDIR" });
      tree.makeDirectory(full(to), true);
      for (const name of tree.listDirectory(full(from))) sync.cp(`${full(from)}/${name}`, `${full(to)}/${name}`, options);
    },
    realpath(path) { if (!tree.lookup(full(path))) throw tree.systemError("ENOENT", "realpath", shown(path)); return full(path); },
    truncate(path, size = 0) { const bytes = tree.readBytes(full(path), shown(path)); const cut = new Uint8Array(size); cut.set(bytes.slice(0, size)); tree.writeBytes(full(path), cut); },
    chmod(path, mode) { const node = tree.lookup(full(path)); if (!node) throw tree.systemError("ENOENT", "chmod", shown(path)); node.mode = (node.mode & 0o170000) | (Number(mode) & 0o7777); },
    utimes(path) { if (!tree.lookup(full(path))) throw tree.systemError("ENOENT", "utime", shown(path)); },
    symlink(target, path) { throw tree.systemError("EPERM", "symlink", shown(target), shown(path)); },
    open(path, flags = "r") {
      const place = full(path);
      const text = typeof flags === "number" ? (flags & 1024 ? "a" : flags & 512 ? "w" : flags & 3 ? "r+" : "r") : flags;
      if (text.startsWith("w")) sync.writeFile(path, "", { flag: text });
      else if (text.startsWith("a") && !tree.isFile(place)) sync.writeFile(path, "");
      else if (!tree.lookup(place)) throw tree.systemError("ENOENT", "open", shown(path));
      nextFd += 1;
      open.set(nextFd, { path: place, at: 0, append: text.startsWith("a") });
      return nextFd;
    },
    close(fd) { if (fd > 2) { describe(fd); open.delete(fd); } },
    fstat(fd) { return new Stats(tree.lookup(describe(fd).path)); },
    read(fd, buffer, offset = 0, length = buffer.length - offset, position = null) {
      if (typeof offset === "object" && offset !== null) return sync.read(fd, buffer, offset.offset, offset.length, offset.position);
      const found = fd === 0 ? (open.get(0) ?? open.set(0, { path: "/dev/stdin", at: 0 }).get(0)) : describe(fd);
      const bytes = tree.readBytes(found.path);
      const from = position ?? found.at;
      const part = bytes.slice(from, from + length);
      buffer.set(part, offset);
      if (position === null || position === undefined) found.at += part.length;
      return part.length;
    },
    write(fd, data, ...rest) {
      let bytes = bytesOf(data, typeof data === "string" ? rest[1] : undefined);
      if (typeof data !== "string" && typeof rest[0] === "number") bytes = bytes.subarray(rest[0], rest[1] === undefined ? undefined : rest[0] + rest[1]);
      if (fd === 1) print(bytes);
      else if (fd === 2) printError(bytes);
      else {
        const found = describe(fd);
        const before = tree.readBytes(found.path);
        const position = typeof data === "string" ? rest[0] : rest[2];
        const from = found.append ? before.length : position ?? found.at;
        const made = new Uint8Array(Math.max(before.length, from + bytes.length));
        made.set(before);
        made.set(bytes, from);
        tree.writeBytes(found.path, made);
        found.at = from + bytes.length;
      }
      return bytes.length;
    },
    fsync() {},
    lstat: undefined,
  };
  sync.lstat = sync.stat;

  const fs = { constants, Stats, Dirent, ...constants };
  const promises = { constants };
  for (const name of Object.keys(sync)) {
    fs[`${name}Sync`] = sync[name];
    promises[name] = async (...args) => sync[name](...args);
    fs[name] = (...args) => {
      const callback = args.pop();
      if (typeof callback !== "function") throw Object.assign(new TypeError('The "cb" argument must be of type function. Received undefined'), { code: "ERR_INVALID_ARG_TYPE" });
      let outcome;
      try { outcome = [null, sync[name](...args)]; } catch (error) { outcome = [error]; }
      clock.setImmediate(() => callback(...outcome));
    };
  }
  fs.existsSync = (path) => { try { return tree.lookup(full(path)) !== undefined; } catch { return false; } };
  fs.exists = (path, callback) => { clock.setImmediate(() => callback(fs.existsSync(path))); };
  fs.realpathSync.native = fs.realpathSync;
  promises.open = async (path, flags) => {
    const fd = sync.open(path, flags);
    return {
      fd, close: async () => sync.close(fd), readFile: async (options) => sync.readFile(fd, options), writeFile: async (data) => { sync.write(fd, data); },
      appendFile: async (data) => { sync.appendFile(fd, data); }, stat: async () => sync.fstat(fd),
      write: async (data, ...rest) => ({ bytesWritten: sync.write(fd, data, ...rest), buffer: data }),
      read: async (buffer, ...rest) => ({ bytesRead: sync.read(fd, buffer, ...rest), buffer }),
      async *readLines() { for (const line of sync.readFile(fd, "utf8").replace(/\n$/, "").split("\n")) yield line; },
      [Symbol.asyncDispose ?? Symbol("asyncDispose")]: async () => sync.close(fd),
    };
  };
  fs.promises = promises;
  fs.createReadStream = (path, options) => {
    const made = new stream.Readable({
      encoding: encodingOf(options),
      read() {
        try {
          const bytes = sync.readFile(path);
          this.push(bytes.subarray(options?.start ?? 0, options?.end === undefined ? undefined : options.end + 1));
          this.push(null);
        } catch (error) { this.destroy(error); }
      },
    });
    made.path = path;
    return made;
  };
  fs.createWriteStream = (path, options) => {
    const flag = options?.flags ?? "w";
    let failure;
    try { if (flag.startsWith("a")) sync.appendFile(path, ""); else sync.writeFile(path, ""); } catch (error) { failure = error; }
    const made = new stream.Writable({
      write(chunk, encoding, done) { try { sync.appendFile(path, chunk); this.bytesWritten += chunk.length; done(); } catch (error) { done(error); } },
    });
    made.bytesWritten = 0;
    made.path = path;
    if (failure) clock.nextTick(() => made.destroy(failure));
    return made;
  };
  fs.watch = () => { throw new Error("fs.watch is not available in the sandbox"); };
  fs.watchFile = fs.watch;
  return fs;
}
