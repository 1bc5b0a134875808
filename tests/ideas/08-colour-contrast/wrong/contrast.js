"use strict";

function parseColour(text) {
  if (/^#[0-9a-f]{6}$/i.test(text)) {
    return [1, 3, 5].map((start) => parseInt(text.slice(start, start + 2), 16));
  }
  return null;
}

function luminance(colour) {
  const [red, green, blue] = colour.map((value) => {
    const part = value / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(first, second) {
  const colours = [parseColour(first), parseColour(second)];
  if (colours.includes(null)) {
    return null;
  }
  const [darker, lighter] = colours.map(luminance).sort((one, other) => one - other);
  return Math.round(((lighter + 0.05) / (darker + 0.05)) * 100) / 100;
}

function rating(ratio) {
  if (ratio >= 7) {
    return "AAA";
  }
  if (ratio >= 4.5) {
    return "AA";
  }
  return ratio >= 3 ? "AA large" : "fail";
}

if (typeof module !== "undefined") {
  module.exports = { parseColour, contrast, rating };
}
