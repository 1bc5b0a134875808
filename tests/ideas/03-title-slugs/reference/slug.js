"use strict";

const PLAIN = {
  ä: "ae", ö: "oe", ü: "ue", ß: "ss",
  à: "a", á: "a", â: "a",
  è: "e", é: "e", ê: "e", ë: "e",
  ç: "c", ñ: "n",
};

function slugify(title, { maxLength = Infinity } = {}) {
  const plain = Array.from(title.toLowerCase(), (character) => PLAIN[character] ?? character).join("");
  const slug = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "untitled";
  return slug.slice(0, maxLength).replace(/-$/, "");
}

function uniqueSlugs(titles) {
  const seen = new Map();
  return titles.map((title) => {
    const slug = slugify(title);
    const count = (seen.get(slug) ?? 0) + 1;
    seen.set(slug, count);
    return count === 1 ? slug : `${slug}-${count}`;
  });
}

module.exports = { slugify, uniqueSlugs };
