"use strict";

const fs = require("node:fs");
const { query } = require("./engine.js");

try {
  for (const row of query(process.argv[2] ?? "", JSON.parse(fs.readFileSync(0, "utf8")))) {
    console.log(JSON.stringify(row));
  }
} catch (error) {
  console.log(error.message);
  process.exitCode = 1;
}
