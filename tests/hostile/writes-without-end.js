// rejected: ENOSPC | limit fuel_millions
const fs = require('node:fs');
exports.answer = () => {
  for (let i = 0; i < 10000; i++) fs.appendFileSync('big.bin', 'x'.repeat(1024 * 1024));
  return 42;
};
