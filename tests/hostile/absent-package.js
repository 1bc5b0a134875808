// rejected: lodash
const _ = require('lodash');
exports.answer = () => _.identity(42);
