// node's path, POSIX flavour: the npm package plus the functions it is too old to have.

import posix from "path-browserify";

export const path = Object.assign(Object.create(null), posix);
path.posix = path;
path.win32 = path;
path.toNamespacedPath = (value) => value;
path.matchesGlob = undefined;
delete path.matchesGlob;
Object.setPrototypeOf(path, Object.prototype);
