"""Lines of text that can be changed, and every change undone."""


class TextBuffer:
    def __init__(self, lines=[]):
        self.lines = lines
        self._undo = []
        self._redo = []

    def insert(self, number, text):
        if number < 1 or number > len(self.lines) + 1:
            raise IndexError(number)
        self._remember()
        self.lines.insert(number - 1, text)

    def delete(self, first, last):
        if first < 1 or last < first or last > len(self.lines):
            raise IndexError((first, last))
        self._remember()
        del self.lines[first - 1 : last]

    def replace(self, old, new):
        count = sum(line.count(old) for line in self.lines)
        if count:
            self._remember()
            for index, line in enumerate(self.lines):
                self.lines[index] = line.replace(old, new)
        return count

    def undo(self):
        return self._travel(self._undo, self._redo)

    def redo(self):
        return self._travel(self._redo, self._undo)

    def _remember(self):
        self._undo.append(self.lines.copy())
        self._redo.clear()

    def _travel(self, source, other):
        if not source:
            return False
        other.append(self.lines.copy())
        self.lines[:] = source.pop()
        return True
