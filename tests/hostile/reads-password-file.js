// rejected: ENOENT | EACCES
const fs = require('node:fs');
exports.answer = () => (fs.readFileSync('/etc/passwd', 'utf8').includes('root') ? 42 : 0);
