// verified
const fs = require('node:fs');
exports.answer = () => {
  fs.writeFileSync('data.bin', Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
  return fs.statSync('data.bin').size === 256 ? 42 : 0;
};
