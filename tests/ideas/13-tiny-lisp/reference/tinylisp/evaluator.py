"""From expressions to values."""

from .values import LispError, Symbol


class Environment:
    """Names with their values, inside of an outer environment."""

    def __init__(self, values, outer=None):
        self.values = values
        self.outer = outer

    def look_up(self, name):
        environment = self
        while environment is not None:
            if name in environment.values:
                return environment.values[name]
            environment = environment.outer
        raise LispError(f"unknown name: {name}")


class Function:
    """A function of the program, with the environment that it was made in."""

    def __init__(self, parameters, body, environment):
        self.parameters = parameters
        self.body = body
        self.environment = environment

    def __call__(self, *arguments):
        return evaluate_body(self.body, self.bind(arguments))

    def bind(self, arguments):
        if len(arguments) != len(self.parameters):
            raise LispError("wrong number of arguments")
        return Environment(dict(zip(self.parameters, arguments)), self.environment)


def evaluate_body(body, environment):
    value = None
    for expression in body:
        value = evaluate(expression, environment)
    return value


def evaluate(expression, environment):
    """A last step does not go deeper: the loop goes on with it."""
    while True:
        if isinstance(expression, Symbol):
            return environment.look_up(expression)
        if not isinstance(expression, list):
            return expression
        head = expression[0] if expression else None
        form = FORMS.get(head) if isinstance(head, Symbol) else None
        if form:
            is_last, value = form(expression, environment)
            if not is_last:
                return value
            expression, environment = value
            continue
        function = evaluate(head, environment)
        if not callable(function):
            raise LispError("not a function")
        arguments = [evaluate(argument, environment) for argument in expression[1:]]
        if not isinstance(function, Function):
            return function(*arguments)
        inner = function.bind(arguments)
        for step in function.body[:-1]:
            evaluate(step, inner)
        expression, environment = function.body[-1], inner


# Each form returns (False, value), or (True, (expression, environment)) for the last step that is left to do.


def quote(expression, environment):
    return False, expression[1]


def define(expression, environment):
    target = expression[1]
    if isinstance(target, list):
        environment.values[target[0]] = Function(target[1:], expression[2:], environment)
    else:
        environment.values[target] = evaluate(expression[2], environment)
    return False, None


def make_function(expression, environment):
    return False, Function(expression[1], expression[2:], environment)


def choose(expression, environment):
    if evaluate(expression[1], environment) is not False:
        return True, (expression[2], environment)
    return (True, (expression[3], environment)) if len(expression) > 3 else (False, None)


def let(expression, environment):
    values = {name: evaluate(value, environment) for name, value in expression[1]}
    return last_of(expression[2:], Environment(values, environment))


def begin(expression, environment):
    return last_of(expression[1:], environment)


def last_of(body, environment):
    if not body:
        return False, None
    for step in body[:-1]:
        evaluate(step, environment)
    return True, (body[-1], environment)


FORMS = {
    "quote": quote,
    "define": define,
    "lambda": make_function,
    "if": choose,
    "let": let,
    "begin": begin,
}
