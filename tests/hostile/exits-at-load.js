// rejected: exit
process.exit(0);
