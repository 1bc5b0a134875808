// rejected: not available
const net = require('node:net');
exports.answer = () => (net.connect(80, '127.0.0.1'), 42);
