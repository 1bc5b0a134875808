"use strict";

const PARTS = [
  [1000, "M"], [900, "CM"], [500, "D"], [400, "CD"], [100, "C"], [90, "XC"],
  [50, "L"], [40, "XL"], [10, "X"], [9, "IX"], [5, "V"], [4, "IV"], [1, "I"],
];

function toRoman(number) {
  if (!Number.isInteger(number) || number < 1 || number > 3999) {
    throw new RangeError(`not a whole number from 1 to 3999: ${String(number)}`);
  }
  let rest = number;
  let text = "";
  for (const [value, letters] of PARTS) {
    while (rest >= value) {
      text += letters;
      rest -= value;
    }
  }
  return text;
}

function fromRoman(text) {
  const capitals = String(text).toUpperCase();
  let rest = capitals;
  let number = 0;
  for (const [value, letters] of PARTS) {
    while (rest.startsWith(letters)) {
      number += value;
      rest = rest.slice(letters.length);
    }
  }
  // Only the spelling that toRoman would choose is right.
  if (rest !== "" || number < 1 || number > 3999 || toRoman(number) !== capitals) {
    throw new Error(`not a Roman numeral: ${text}`);
  }
  return number;
}

function main(text) {
  try {
    console.log(/^[0-9]+$/.test(text) ? toRoman(Number(text)) : fromRoman(text));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}

module.exports = { toRoman, fromRoman };

if (require.main === module) {
  main(process.argv[2] ?? "");
}
