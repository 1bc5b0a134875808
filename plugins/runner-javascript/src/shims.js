// What the bundled packages take for node's process: they are loaded before any program has one.

import { nextTick } from "./clock.js";

export { nextTick };
export const env = {};
export const version = "v20.20.0";
export const versions = {};
export const platform = "linux";
export const stdout = undefined;
export const stderr = undefined;
