// rejected: recursion | stack
exports.answer = () => exports.answer() + 1;
