// Deep equality as node's assert has it, built on captured built-ins only: a project that replaces Object.is or Array.prototype.every
// must not be able to make two values equal.

import {
  ObjectIs, ArrayIsArray, getPrototypeOf, ownKeys, hasOwn, isEnumerable, objectTag, dateValue, regexpSource, regexpFlags, append,
  mapHas, mapGet, mapEach, mapSize, setHas, setEach, setSize, NativeMap, NativeSet, NativeDate, NativeError, NativePromise,
} from "../primordials.js";

const isView = ArrayBuffer.isView;
const NativeRegExp = RegExp;
const hasInstance = (type, value) => { for (let proto = getPrototypeOf(value), depth = 0; proto !== null && depth < 50; proto = getPrototypeOf(proto), depth += 1) if (proto === type.prototype) return true; return false; };

const BOXES = ["[object Number]", "[object String]", "[object Boolean]", "[object BigInt]", "[object Symbol]"];

/** @param {boolean} strict deepStrictEqual rather than deepEqual */
export function deepEqual(left, right, strict) {
  return compare(left, right, strict, []);
}

function compare(left, right, strict, trail) {
  if (left === right && (left !== 0 || !strict || ObjectIs(left, right))) return true;
  const bothObjects = typeof left === "object" && left !== null && typeof right === "object" && right !== null;
  if (!bothObjects) {
    if (strict || typeof left === "function" || typeof right === "function") return ObjectIs(left, right);
    if ((typeof left === "object" && left !== null) || (typeof right === "object" && right !== null)) return false;
    return left == right || (left !== left && right !== right); // eslint-disable-line eqeqeq
  }
  if (strict && getPrototypeOf(left) !== getPrototypeOf(right)) return false;
  const tag = objectTag(left);
  if (tag !== objectTag(right)) return false;
  if (ArrayIsArray(left) !== ArrayIsArray(right)) return false;

  for (let index = 0; index < trail.length; index += 1) {
    if (trail[index][0] === left) return trail[index][1] === right;
  }
  append(trail, [left, right]);
  const equal = inside(left, right, strict, trail, tag);
  trail.length -= 1;
  return equal;
}

function inside(left, right, strict, trail, tag) {
  if (hasInstance(NativeDate, left) !== hasInstance(NativeDate, right)) return false;
  if (hasInstance(NativeDate, left) && !ObjectIs(dateValue(left), dateValue(right))) return false;
  if (hasInstance(NativeRegExp, left) || hasInstance(NativeRegExp, right)) {
    if (!hasInstance(NativeRegExp, left) || !hasInstance(NativeRegExp, right)) return false;
    if (regexpSource(left) !== regexpSource(right) || regexpFlags(left) !== regexpFlags(right) || left.lastIndex !== right.lastIndex) return false;
  }
  if (hasInstance(NativeError, left) || hasInstance(NativeError, right)) {
    if (left.message !== right.message || left.name !== right.name) return false;
    if (!compare(left.cause, right.cause, strict, trail) || !compare(left.errors, right.errors, strict, trail)) return false;
  }
  if (hasInstance(NativePromise, left)) return false;
  for (let index = 0; index < BOXES.length; index += 1) {
    if (tag === BOXES[index] && typeof left.valueOf === "function" && !ObjectIs(left.valueOf(), right.valueOf())) return false;
  }
  if (isView(left) || isView(right)) {
    if (!isView(left) || !isView(right) || left.byteLength !== right.byteLength || left.length !== right.length) return false;
    for (let index = 0; index < (left.length ?? 0); index += 1) {
      if (strict ? !ObjectIs(left[index], right[index]) : left[index] !== right[index] && !(left[index] !== left[index] && right[index] !== right[index])) return false;
    }
    return true;
  }
  if (hasInstance(NativeSet, left) || hasInstance(NativeSet, right)) {
    if (!hasInstance(NativeSet, left) || !hasInstance(NativeSet, right) || !sameSets(left, right, strict, trail)) return false;
  }
  if (hasInstance(NativeMap, left) || hasInstance(NativeMap, right)) {
    if (!hasInstance(NativeMap, left) || !hasInstance(NativeMap, right) || !sameMaps(left, right, strict, trail)) return false;
  }
  const keys = enumerable(left, strict);
  const others = enumerable(right, strict);
  if (keys.length !== others.length) return false;
  if (ArrayIsArray(left) && left.length !== right.length) return false;
  for (let index = 0; index < keys.length; index += 1) {
    if (!hasOwn(right, keys[index]) || !isEnumerable(right, keys[index])) return false;
  }
  for (let index = 0; index < keys.length; index += 1) {
    if (!compare(left[keys[index]], right[keys[index]], strict, trail)) return false;
  }
  return true;
}

function enumerable(object, strict) {
  const all = ownKeys(object);
  const found = [];
  for (let index = 0; index < all.length; index += 1) {
    if (isEnumerable(object, all[index]) && (strict || typeof all[index] === "string")) append(found, all[index]);
  }
  return found;
}

function sameSets(left, right, strict, trail) {
  if (setSize(left) !== setSize(right)) return false;
  const others = [];
  setEach(right, (value) => append(others, value));
  let equal = true;
  setEach(left, (value) => {
    if (!equal) return;
    if (setHas(right, value)) { drop(others, (other) => ObjectIs(other, value) || other === value); return; }
    equal = drop(others, (other) => (strict ? typeof other === "object" : true) && compare(value, other, strict, trail));
  });
  return equal;
}

function sameMaps(left, right, strict, trail) {
  if (mapSize(left) !== mapSize(right)) return false;
  const others = [];
  mapEach(right, (value, key) => append(others, [key, value]));
  let equal = true;
  mapEach(left, (value, key) => {
    if (!equal) return;
    if (mapHas(right, key) && compare(value, mapGet(right, key), strict, trail)) { drop(others, (other) => other[0] === key || ObjectIs(other[0], key)); return; }
    equal = drop(others, (other) => compare(key, other[0], strict, trail) && compare(value, other[1], strict, trail));
  });
  return equal;
}

/** Takes the first element that fits out of the list. */
function drop(list, fits) {
  for (let index = 0; index < list.length; index += 1) {
    if (!fits(list[index])) continue;
    for (let at = index; at + 1 < list.length; at += 1) list[at] = list[at + 1];
    list.length -= 1;
    return true;
  }
  return false;
}
