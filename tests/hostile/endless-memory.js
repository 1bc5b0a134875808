// rejected: memory | limit memory_mib
exports.answer = () => {
  const taken = [];
  for (;;) taken.push(new Uint8Array(16 * 1024 * 1024).fill(1));
};
