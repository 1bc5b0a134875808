"""The parts of the Python runner: an in-memory tree, the system calls over it, a fixed clock, and a judge of tests."""
