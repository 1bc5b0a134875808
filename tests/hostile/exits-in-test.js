// rejected: exit
exports.answer = () => process.exit(0);
