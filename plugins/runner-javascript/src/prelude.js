// Fills in what the engine was built without and the bundled packages expect when they are loaded. It must be the first import.

import unorm from "unorm";

globalThis.Atomics ??= {};
if (typeof String.prototype.normalize !== "function") {
  Object.defineProperty(String.prototype, "normalize", {
    value: function normalize(form = "NFC") {
      if (!["NFC", "NFD", "NFKC", "NFKD"].includes(form)) throw new RangeError("The normalization form should be one of NFC, NFD, NFKC, NFKD.");
      return unorm[form.toLowerCase()](String(this));
    },
    writable: true, configurable: true,
  });
}
