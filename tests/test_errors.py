import inspect
import re

from bench import errors


def test_the_drawn_hierarchy_is_the_real_one():
    drawn = {
        name: (len(line) + 1) // 4
        for line, name in re.findall(r"^([│├└─ ]*)(\w+Error)", errors.__doc__, re.M)
    }
    classes = [
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.BenchError)
    ]
    assert drawn == {cls.__name__: cls.__mro__.index(errors.BenchError) for cls in classes}
