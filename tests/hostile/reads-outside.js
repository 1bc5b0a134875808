// rejected: ENOENT | EACCES
const fs = require('node:fs');
exports.answer = () => (fs.readFileSync('../../../etc/hostname', 'utf8') ? 42 : 0);
