// The modules a test file judges with (assert, node:test) are handed to the project as well, which may try to replace their functions.
// Each property is an accessor that always gives the genuine function and remembers that somebody tried.

import { ObjectDefineProperty, ownKeys, getOwnPropertyDescriptor, NativeString } from "../primordials.js";

let touched;
export const resetTamper = () => { touched = undefined; };
/** What the project tried to change, or nothing. */
export const tamperedWith = () => touched;
export const markTampered = (what) => { touched ??= what; };

/** Makes every property of the object genuine for good. */
export function guard(object, label) {
  const keys = ownKeys(object);
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index];
    const descriptor = getOwnPropertyDescriptor(object, key);
    if (!descriptor.configurable || key === "prototype") continue;
    const { value } = descriptor;
    ObjectDefineProperty(object, key, {
      get: () => value,
      set: () => { markTampered(`${label}.${NativeString(key)}`); },
      enumerable: descriptor.enumerable,
      configurable: false,
    });
  }
  return object;
}
