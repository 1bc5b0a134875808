// A plan's checks in words, the same for whoever writes and whoever reviews.

/** What is checked, in a line (a command: a line for each step). The text of a test file is not repeated. */
export function inWords(check) {
  switch (check.tag) {
    case "parses":
      return `these files parse: ${check.val.join(", ")}`;
    case "loads":
      return `these files can be imported: ${check.val.join(", ")}`;
    case "unit-test":
      return `unit tests in ${check.val.path}`;
    case "command":
      return `these commands, in order:\n${check.val.map(step).join("\n")}`;
    case "file-present":
      return `the file ${check.val} is there`;
    default:
      return `judged by reading: ${check.val}`;
  }
}

function step({ arguments: words, stdin, stdout, exitCode }) {
  const reading = stdin === "" ? "" : ` reading ${JSON.stringify(stdin)}`;
  const printing = {
    exact: (text) => `, printing exactly ${JSON.stringify(text)}`,
    contains: (text) => `, printing something with ${JSON.stringify(text)}`,
    pattern: (text) => `, printing what matches /${text}/`,
    anything: () => "",
  }[stdout.tag](stdout.val);
  return `  ${JSON.stringify(words)}${reading}${printing}, exit code ${exitCode}`;
}
