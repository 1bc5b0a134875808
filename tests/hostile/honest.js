// verified
exports.answer = () => 42;
