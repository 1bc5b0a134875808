// rejected: never finished
exports.answer = () => new Promise(() => {});
