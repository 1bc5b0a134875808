// rejected: printed without end | limit fuel_millions
exports.answer = () => {
  for (let i = 0; i < 20000; i++) console.log('x'.repeat(10000));
  return 42;
};
