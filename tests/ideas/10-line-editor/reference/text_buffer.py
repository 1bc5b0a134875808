"""Lines of text that can be changed, and every change undone."""


class TextBuffer:
    def __init__(self, lines=None):
        self.lines = list(lines or [])
        self._undo = []
        self._redo = []

    def insert(self, number, text):
        if not 1 <= number <= len(self.lines) + 1:
            raise IndexError(number)
        self._change(self.lines[: number - 1] + [text] + self.lines[number - 1 :])

    def delete(self, first, last):
        if not 1 <= first <= last <= len(self.lines):
            raise IndexError((first, last))
        self._change(self.lines[: first - 1] + self.lines[last:])

    def replace(self, old, new):
        count = sum(line.count(old) for line in self.lines)
        if count:
            self._change([line.replace(old, new) for line in self.lines])
        return count

    def undo(self):
        return self._travel(self._undo, self._redo)

    def redo(self):
        return self._travel(self._redo, self._undo)

    def _change(self, lines):
        self._undo.append(self.lines)
        self._redo.clear()
        self.lines = lines

    def _travel(self, source, other):
        if not source:
            return False
        other.append(self.lines)
        self.lines = source.pop()
        return True
