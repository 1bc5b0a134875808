// rejected: limit fuel_millions | limit guest_seconds
exports.answer = () => {
  for (;;) {}
};
