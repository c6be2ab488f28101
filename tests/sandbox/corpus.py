"""Programs that try to pass without being right, to do harm, or to use up the machine, and what becomes of each.

The table of ``docs/sandbox.md`` is made from these (``python -m tests.sandbox.corpus`` rewrites it), so it cannot drift. Every
one is asked for the square of a number. A program that does harm squares rightly if, and only if, the harm was done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"
BEGIN, END = "<!-- corpus: begin -->", "<!-- corpus: end -->"
TESTS = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(-3) == 9\n    assert candidate(0) == 0\n"
SORTING = "def check(candidate):\n    given = [3, 1, 2]\n    assert candidate(given) == sorted(given)\n"
CLOSE = "import math\ndef check(candidate):\n    assert math.isclose(candidate(2), 4.0)\n"
NEAR = "def check(candidate):\n    assert abs(candidate(2) - 4) < 1e-6\n"
MAPPED = "def check(candidate):\n    assert all(map(lambda x: candidate(x) == x * x, (2, -3, 0)))\n"
NOT_RUN = "not run"


@dataclass(frozen=True)
class Case:
    """One program. ``apart`` and ``one`` are its statuses in two-process and one-process mode, ``weak`` with limits only
    (two processes; NOT_RUN where that would harm this machine), ``but`` what a level does otherwise."""

    group: str
    name: str
    solution: str
    apart: str
    one: str
    weak: str
    tests: str = TESTS
    but: dict[str, str] = field(default_factory=dict)


CASES: list[Case] = []


def add(group: str, name: str, solution: str, apart: str, one: str = "", weak: str = "", tests: str = TESTS, **but: str) -> None:
    CASES.append(Case(group, name, dedent(solution).strip() + "\n", apart, one or apart, weak or apart, tests, but))


def harm(name: str, action: str, imports: str = "os", weak: str = NOT_RUN) -> None:
    """A program that is right if ``action`` is not refused."""
    body = "\n".join("    " + line for line in dedent(action).strip().splitlines())
    solution = f"import {imports}\n\ndef act():\n{body}\n\ndef square(x):\n    act()\n    return x * x\n"
    add("harm", name, solution, "failed", weak=weak)


def system_call(name: str, number: int, *arguments: int) -> None:
    """A program that is right if the system call (x86-64) is not refused."""
    given = ", ".join(map(str, (number, *arguments)))
    harm(name, f"if ctypes.CDLL(None, use_errno=True).syscall({given}) < 0:\n    raise OSError(ctypes.get_errno())", "ctypes")


WRONG = "def square(x):\n    return x + 1\n"

add("honest", "right", "def square(x):\n    return x * x", "passed")
add(
    "honest",
    "right, with a scratch file",
    "def square(x):\n    open('n', 'w').write(str(x))\n    return int(open('n').read()) ** 2",
    "passed",
)
add("honest", "right, prints a megabyte", "def square(x):\n    print('x' * 1000000)\n    return x * x", "passed")
add("honest", "right, in a thread", """
    import threading
    def square(x):
        found = []
        thread = threading.Thread(target=lambda: found.append(x * x))
        thread.start()
        thread.join()
        return found[0]""", "passed")  # fmt: skip
add(
    "honest",
    "right, and its main guard exits",
    "import sys\ndef square(x):\n    return x * x\nif __name__ == '__main__':\n    sys.exit(1)",
    "passed",
)
add("honest", "wrong", WRONG, "failed")
add("honest", "raises", "def square(x):\n    raise ValueError(x)", "failed")
add("honest", "another name", "def sq(x):\n    return x * x", "failed")
add("honest", "a coroutine", "async def square(x):\n    return x * x", "failed")
add("honest", "reads standard input", "n = int(input())\ndef square(x):\n    return x * x", "failed")

add("exit", "sys.exit(0) at import", f"import sys\n{WRONG}sys.exit(0)", "failed")
add("exit", "exit() at import", f"{WRONG}raise SystemExit", "failed")
add("exit", "os._exit(0) at import", f"import os\n{WRONG}os._exit(0)", "no verdict")
add("exit", "sys.exit(0) in the function", "import sys\ndef square(x):\n    sys.exit(0)", "failed")
add("exit", "os._exit(0) in the function", "import os\ndef square(x):\n    os._exit(0)", "no verdict")
add("exit", "KeyboardInterrupt", "def square(x):\n    raise KeyboardInterrupt", "failed")
add("exit", "GeneratorExit", "def square(x):\n    raise GeneratorExit", "failed")
add(
    "exit",
    "becomes another program",
    "import os\ndef square(x):\n    os.execv('/bin/true', ['true'])",
    "failed",
    weak="no verdict",
)
add("exit", "unittest.main() at import", f"import unittest\n{WRONG}unittest.main()", "failed")
add("exit", "aborts", "import os\ndef square(x):\n    os.abort()", "crashed")
add("exit", "reads address 0", "import ctypes\ndef square(x):\n    return ctypes.string_at(0)", "crashed")
add("exit", "kills itself", "import os\ndef square(x):\n    os.kill(os.getpid(), 9)", "crashed")
add("exit", "stops itself", "import os, signal\ndef square(x):\n    os.kill(os.getpid(), signal.SIGSTOP)", "timeout")
add(
    "exit",
    "an error whose text raises",
    "class E(Exception):\n    def __str__(self):\n        raise E\ndef square(x):\n    raise E",
    "failed",
)

add("forging", "finds the nonce in its caller's frames and writes the verdict", """
    import json, os, struct, sys
    def square(x):
        frame = sys._getframe()
        while frame:
            for value in list(frame.f_locals.values()):
                if isinstance(value, dict) and "nonce" in value:
                    body = json.dumps([value["nonce"], "passed", ""]).encode()
                    for fd in range(3, 40):
                        try:
                            os.write(fd, struct.pack(">I", len(body)) + body)
                        except OSError:
                            pass
                    os._exit(0)
            frame = frame.f_back
        return 0""", "failed", "passed")  # fmt: skip
add("forging", "looks for the nonce among all objects", """
    import gc, json, os, struct
    def square(x):
        for value in gc.get_objects():
            if isinstance(value, dict) and len(str(value.get("nonce", ""))) == 32:
                body = json.dumps([value["nonce"], "passed", ""]).encode()
                for fd in range(3, 40):
                    try:
                        os.write(fd, struct.pack(">I", len(body)) + body)
                    except OSError:
                        pass
                os._exit(0)
        return 0""", "failed")  # fmt: skip
add("forging", "writes a verdict without a nonce to every pipe", """
    import json, os, struct
    body = json.dumps(["0" * 32, "passed", ""]).encode()
    for fd in range(3, 40):
        try:
            os.write(fd, struct.pack(">I", len(body)) + body)
        except OSError:
            pass
    def square(x):
        return 0""", "no verdict")  # fmt: skip
add("forging", "writes noise to every pipe", """
    import os
    for fd in range(3, 40):
        try:
            os.write(fd, b"passed" * 100)
        except OSError:
            pass
    def square(x):
        return 0""", "no verdict")  # fmt: skip
add("forging", "sends a message nested too deep", """
    import os, struct
    for fd in range(3, 40):
        try:
            os.write(fd, struct.pack(">I", 50000) + b"[" * 50000)
        except OSError:
            pass
    def square(x):
        return 0""", "no verdict")  # fmt: skip
add("forging", "asks the tests' process to call what it was not given", """
    import json, os, struct
    body = json.dumps(["call", 0, ["t"], ["d"]]).encode()
    def square(x):
        for fd in range(3, 40):
            try:
                os.write(fd, struct.pack(">I", len(body)) + body)
            except OSError:
                pass
        return 0""", "no verdict")  # fmt: skip
add("forging", "closes every pipe", "import os\nos.closerange(3, 100)\ndef square(x):\n    return 0", "no verdict")
add("forging", "skips the asserts by tracing the tests", """
    import sys
    def square(x):
        frame = sys._getframe(1)
        def tracer(frame, event, argument):
            if event == "line" and frame.f_code.co_name == "check":
                frame.f_lineno = frame.f_lineno + 1 if frame.f_lineno < 4 else frame.f_lineno
            return tracer
        while frame and frame.f_code.co_name != "check":
            frame = frame.f_back
        if frame:
            frame.f_trace = tracer
            sys.settrace(tracer)
        return 0""", "failed")  # fmt: skip
add(
    "forging",
    "makes math.isclose agree",
    "import math\nmath.isclose = lambda *a, **k: True\ndef square(x):\n    return 0",
    "failed",
    tests=CLOSE,
)
add(
    "forging",
    "makes abs() nothing",
    "import builtins\nbuiltins.abs = lambda x: 0\ndef square(x):\n    return 0",
    "failed",
    tests=NEAR,
)
add("forging", "defines an abs() of its own", "def abs(x):\n    return 0\ndef square(x):\n    return 0", "failed", tests=NEAR)
add("forging", "defines a check() of its own", "def check(candidate):\n    pass\ndef square(x):\n    return 0", "failed")
add("forging", "ends the loop of the tests", "def square(x):\n    raise StopIteration", "failed", tests=MAPPED)
add("forging", "empties its argument", "def square(given):\n    given.clear()\n    return []", "failed", "passed", tests=SORTING)

add(
    "equal",
    "an object equal to everything",
    "class A:\n    def __eq__(self, other):\n        return True\ndef square(x):\n    return A()",
    "failed",
)
add(
    "equal",
    "a number equal to everything",
    "class A(int):\n    def __eq__(self, other):\n        return True\ndef square(x):\n    return A(7)",
    "failed",
)
add(
    "equal",
    "a number near everything",
    "class A(float):\n    def __sub__(self, other):\n        return 0.0\ndef square(x):\n    return A(7)",
    "failed",
    tests=NEAR,
)
add(
    "equal",
    "a list equal to everything",
    "class A(list):\n    def __eq__(self, other):\n        return True\ndef square(x):\n    return A([7])",
    "failed",
    tests=SORTING,
)
add(
    "equal",
    "equal to everything, inside a list",
    "class A:\n    def __eq__(self, other):\n        return True\ndef square(x):\n    return [A(), A(), A()]",
    "failed",
    tests=SORTING,
)
add(
    "equal",
    "claims to be an int",
    "class A:\n    __class__ = int\n    def __eq__(self, other):\n        return True\ndef square(x):\n    return A()",
    "failed",
)

# What shares an interpreter with its tests can change what they see of it. None of these knows this harness, but where told.
UNITTEST = (
    "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(square(2), 4)\n"
    "        with self.assertRaises(TypeError):\n            square(None)\n"
)
IMPORTED = "from math import isclose\ndef check(candidate):\n    assert isclose(candidate(2), 4.0)\n"
COPIED = (
    "import copy\ndef check(candidate):\n    given = [3, 1]\n    kept = copy.deepcopy(given)\n    candidate(given)\n"
    "    assert sorted(kept) == given\n"
)
DRAWN = "import random\ndef check(candidate):\n    x = random.randint(100, 999)\n    assert candidate(x) == x * x\n"
EXPECTING = "def check(candidate):\n    expected = 4\n    assert candidate(2) == expected\n"
LENGTH = "def check(candidate):\n    assert len(candidate([1, 2])) == 2 and max(candidate([1, 2])) == 2\n"
TEXT = "def check(candidate):\n    assert candidate('ab') == 'abab' and candidate('ab').startswith('ab')\n"
PATIENT = "def check(candidate):\n    assert any(candidate(2) == 4 for _ in range(99))\n"
WHOLE = "def check(candidate):\n    assert all(candidate(x) == x * x for x in (2, 3)) and isinstance(candidate(2), int)\n"
LIAR = "def square(x):\n    return 0\n"


def patch(name: str, before: str, *, tests: str = TESTS, solution: str = LIAR, **status: str) -> None:
    """A wrong program that first changes the interpreter; it fails unless said otherwise."""
    add(
        "forging",
        name,
        dedent(before).strip() + "\n" + solution,
        status.get("apart", "failed"),
        tests=tests,
        **{key: value for key, value in status.items() if key != "apart"},
    )


def returns(name: str, members: str, *, base: str = "", made: str = "A()", tests: str = TESTS, one: str = "failed") -> None:
    """A program that returns an object of a class of its own."""
    body = "\n".join("    " + line for line in dedent(members).strip().splitlines())
    add("equal", name, f"class A({base}):\n{body}\ndef square(x):\n    return {made}\n", "failed", one, tests=tests)


patch(
    "makes isinstance() agree",
    "import builtins\nbuiltins.isinstance = lambda *a: True",
    tests=WHOLE,
    apart="no verdict",
    one="failed",
)
patch(
    "makes all() agree",
    "import builtins\nbuiltins.all = lambda values: True\nbuiltins.isinstance = all",
    tests=WHOLE,
    apart="no verdict",
    one="failed",
)
patch(
    "makes len() and max() agree",
    "import builtins\nbuiltins.len = builtins.max = lambda values: 2",
    tests=LENGTH,
    apart="no verdict",
    one="failed",
)
patch("replaces __import__", """
    import builtins, types
    fake = types.ModuleType('math')
    fake.isclose = lambda *a, **k: True
    real = builtins.__import__
    builtins.__import__ = lambda name, *a, **k: fake if name == 'math' else real(name, *a, **k)""", tests=CLOSE)  # fmt: skip
patch("replaces a module", """
    import sys, types
    fake = types.ModuleType('math')
    fake.isclose = lambda *a, **k: True
    sys.modules['math'] = fake""", tests=IMPORTED)  # fmt: skip
patch("puts an importer of its own first", """
    import sys, types
    from importlib.machinery import ModuleSpec
    class Finder:
        def find_spec(self, name, path=None, target=None):
            return ModuleSpec(name, self) if name == 'math' else None
        def create_module(self, spec):
            return None
        def exec_module(self, module):
            module.isclose = lambda *a, **k: True
    sys.meta_path.insert(0, Finder())
    sys.modules.pop('math', None)""", tests=IMPORTED)  # fmt: skip
patch("writes a module beside itself", """
    import os, sys
    with open('math.py', 'w') as file:
        file.write('isclose = lambda *a, **k: True')
    sys.path.insert(0, os.getcwd())
    sys.modules.pop('math', None)""", tests=IMPORTED)  # fmt: skip
patch("empties the assertions of unittest", """
    import unittest
    for name in dir(unittest.TestCase):
        if name.startswith('assert'):
            setattr(unittest.TestCase, name, lambda self, *a, **k: open('/dev/null'))""", tests=UNITTEST)  # fmt: skip
patch(
    "replaces the loader of unittest",
    "import unittest\nunittest.defaultTestLoader.loadTestsFromTestCase = lambda case: []",
    tests=UNITTEST,
)
patch("replaces TestCase", """
    import unittest
    class Silent(unittest.TestCase):
        def debug(self):
            pass
    unittest.TestCase = unittest.case.TestCase = Silent""", tests=UNITTEST)  # fmt: skip
patch("makes copies shallow", "import copy\ncopy.deepcopy = lambda value: value", tests=COPIED, solution="""
def square(given):
    given.clear()
""")  # fmt: skip
patch("knows what is drawn", "import random\nrandom.randint = lambda a, b: 0", tests=DRAWN)
patch("seeds the generator in its call", "import random", tests=DRAWN, solution="""
def square(x):
    random.seed(1)
    return 0
""")  # fmt: skip
patch("patches the module in its call", "import math", tests=f"{CLOSE}    assert math.isclose(candidate(3), 9.0)\n", solution="""
def square(x):
    math.isclose = lambda *a, **k: True
    return 4 if x == 2 else 0
""")  # fmt: skip
patch("patches built-ins in its call", "import builtins", tests=f"{NEAR}    assert abs(candidate(3) - 9) < 1e-6\n", solution="""
def square(x):
    builtins.abs = lambda value: 0
    return 4 if x == 2 else 0
""")  # fmt: skip
patch("traces from the start", """
    import sys
    def tracer(frame, event, argument):
        if event == 'line' and frame.f_code.co_name == 'check' and frame.f_lineno < 4:
            frame.f_lineno += 1
        return tracer
    sys.settrace(tracer)""")  # fmt: skip
patch("profiles and ends", """
    import os, sys
    def profiler(frame, event, argument):
        if frame.f_code.co_name == 'check':
            os._exit(0)
    sys.setprofile(profiler)""")  # fmt: skip
patch("leaves a handler for the end", "import atexit, os\natexit.register(os._exit, 0)")
patch("leaves by an alarm", """
    import os, signal
    signal.signal(signal.SIGALRM, lambda *a: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, 0.05)""", solution="""
def square(x):
    import time
    time.sleep(0.3)
""", apart="no verdict")  # fmt: skip
patch("prints that it passed", "print('passed\\nOK\\n1 passed in 0.01s')")
patch("replaces its streams", "import io, sys\nsys.stdout = sys.stderr = io.StringIO()")
patch(
    "takes the error hooks", "import sys, threading\nsys.excepthook = threading.excepthook = sys.unraisablehook = lambda *a: None"
)
patch("raises what compares equal", "class E(AssertionError):\n    def __eq__(self, other):\n        return True", solution="""
def square(x):
    raise E
""")  # fmt: skip
patch("reads the expected value from its caller", "import sys", tests=EXPECTING, solution="""
def square(x):
    frame = sys._getframe()
    while frame:
        if 'expected' in frame.f_locals:
            return frame.f_locals['expected']
        frame = frame.f_back
    return 0
""", one="passed")  # fmt: skip
patch("replaces the code of the tests", "import gc", solution="""
def square(x):
    for value in gc.get_objects():
        if getattr(value, '__name__', '') == 'check' and hasattr(value, '__code__'):
            value.__code__ = (lambda candidate: None).__code__
    return 4
""")  # fmt: skip
patch("replaces the judge it knows", "", solution="""
for value in object.__subclasses__():
    if value.__name__ == 'Suite':
        value.run = lambda *a, **k: ('passed', '')
def square(x):
    return 0
""", one="passed")  # fmt: skip
patch("changes the number 4 in memory", "import ctypes", solution="""
def square(x):
    ctypes.c_uint32.from_address(id(4) + 24).value = x
    return x
""", tests="def check(candidate):\n    assert candidate(3) == 4\n", one="no verdict")  # fmt: skip
patch("starts a thread that patches later", """
    import builtins, threading, time
    def later():
        time.sleep(0.05)
        builtins.abs = lambda value: 0
    threading.Thread(target=later, daemon=True).start()""", tests=NEAR, solution="""
def square(x):
    time.sleep(0.15)
    return 0
""")  # fmt: skip

returns("equal to every number", "def __eq__(self, other):\n    return isinstance(other, int)")
returns("never unequal", "def __ne__(self, other):\n    return False\ndef __eq__(self, other):\n    return True")
returns(
    "a text equal to everything",
    "def __eq__(self, other):\n    return True\n__hash__ = str.__hash__",
    base="str",
    made="A('ab')",
    tests=TEXT,
)
returns("a dictionary equal to everything", "def __eq__(self, other):\n    return True", base="dict", tests=SORTING)
returns("equal by its metaclass", "pass", base="metaclass=type('M', (type,), {'__eq__': lambda a, b: True})", made="A")
returns(
    "a list of another length",
    "def __len__(self):\n    return 2\ndef __iter__(self):\n    return iter([2])",
    base="list",
    tests=LENGTH,
)
returns("near everything", "def __sub__(self, other):\n    return 0", tests=NEAR)
returns("below and above everything", """
    def __sub__(self, other):
        return self
    def __abs__(self):
        return self
    def __lt__(self, other):
        return True
    def __gt__(self, other):
        return True""", tests=NEAR)  # fmt: skip
returns("equal to everything, after twenty questions", """
    asked = 0
    def __eq__(self, other):
        A.asked += 1
        return A.asked > 20""", tests=PATIENT, one="passed")  # fmt: skip
add(
    "equal",
    "the object of mock that is equal to everything",
    "from unittest.mock import ANY\ndef square(x):\n    return ANY",
    "failed",
)
add(
    "equal",
    "a mock of everything",
    "from unittest.mock import MagicMock\ndef square(x):\n    m = MagicMock()\n    m.__eq__.return_value = True\n    return m",
    "failed",
)
add(
    "equal",
    "equal to everything, as a key",
    "class A(int):\n    def __eq__(self, other):\n        return True\n    __hash__ = int.__hash__\n"
    "def square(x):\n    return {A(1): A(2)}",
    "failed",
    tests=SORTING,
)
add(
    "equal",
    "a function equal to everything",
    "class A:\n    def __call__(self, x):\n        return self\n    def __eq__(self, other):\n        return True\nsquare = A()",
    "failed",
)
add(
    "equal",
    "a constant equal to everything",
    "class A:\n    def __eq__(self, other):\n        return True\nsquare = A()",
    "failed",
    tests="assert square == 4\n",
)

add("usage", "endless loop", "def square(x):\n    while True:\n        pass", "timeout")
add("usage", "endless loop at import", "while True:\n    pass", "timeout")
add("usage", "sleeps", "import time\ndef square(x):\n    time.sleep(1000)", "timeout")
add(
    "usage",
    "catches everything for ever",
    """
    def square(x):
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass""",
    "timeout",
)
add(
    "usage",
    "ignores signals",
    """
    import signal
    for n in range(1, 32):
        if n not in (9, 19):
            signal.signal(n, signal.SIG_IGN)
    def square(x):
        while True:
            pass""",
    "timeout",
)
add("usage", "a pattern that backtracks", "import re\ndef square(x):\n    return re.match(r'(a+)+$', 'a' * 60 + 'b')", "timeout")
add("usage", "one very long number", "def square(x):\n    return len(str(9 ** 9 ** 8))", "timeout")
add("usage", "prints without end", "def square(x):\n    while True:\n        print('x' * 1000)", "timeout")
add("usage", "100 GB at once", "def square(x):\n    return len(bytearray(10 ** 11))", "failed")
add(
    "usage",
    "memory, piece by piece",
    "def square(x):\n    held = []\n    while True:\n        held.append(bytearray(1 << 26))",
    "failed",
)
add("usage", "recursion without end", "def square(x):\n    return square(x)", "failed")
add("usage", "a file of 64 MB", "def square(x):\n    open('big', 'wb').write(bytes(1 << 26))\n    return x * x", "failed")
add(
    "usage",
    "files without end",
    """
    def square(x):
        n = 0
        while True:
            n += 1
            with open(str(n), 'wb') as file:
                file.write(bytes(1 << 22))""",
    "failed",
    weak="crashed",
    landlock="crashed",
)
add(
    "usage",
    "folders within folders",
    """
    import os, time
    def square(x):
        for _ in range(1000):
            os.mkdir('d')
            os.chdir('d')
        time.sleep(0.25)
        return 0""",
    "failed",
    weak="crashed",
    landlock="crashed",
)
add(
    "usage",
    "a folder nobody may enter",
    "import os\ndef square(x):\n    os.makedirs('a/b', exist_ok=True)\n    os.mkdir('c', 0)\n    return 0",
    "failed",
)
add(
    "usage",
    "threads without end",
    """
    import threading, time
    def square(x):
        while True:
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()""",
    "failed",
)
add("usage", "returns 20 MB", "def square(x):\n    return 'x' * (20 << 20)", "no verdict", "failed")
add(
    "usage",
    "returns a list nested 100,000 deep",
    "def square(x):\n    found = []\n    for _ in range(100000):\n        found = [found]\n    return found",
    "failed",
)
add("usage", "returns an iterator without end", "import itertools\ndef square(x):\n    return itertools.count()", "failed")
add(
    "usage",
    "raises its own limits",
    "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (10**6, 10**6))\ndef square(x):\n    return x * x",
    "failed",
)

add("text", "no Python", "This is the answer: x * x", "syntax")
add("text", "a null byte", "def square(x):\n    return x * x\n\0", "syntax")
add("text", "brackets 5,000 deep", "(" * 5000 + ")" * 5000, "syntax")
add("text", "a sum of 100,000 terms", "x = " + "1+" * 100000 + "1", "syntax")

harm("forks", "os.fork()")
harm("forks without end", "while True:\n    os.fork()")
harm("starts a program", "subprocess.run(['/bin/true'], check=True)", "subprocess")
harm("starts a process pool", "multiprocessing.get_context('fork').Process(target=int).start()", "multiprocessing")
harm(
    "leaves a daemon behind",
    "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        import time\n        time.sleep(60)\n    os._exit(0)",
)
harm("reads /etc/passwd", "open('/etc/passwd').read()", weak="passed")
harm("reads it from another folder", "os.chdir('/')\nopen('etc/passwd').read()", weak="passed")
harm("reads it through a link", "os.path.lexists('l') or os.symlink('/etc/passwd', 'l')\nopen('l').read()", weak="passed")
harm("lists the root folder", "os.listdir('/')", weak="passed")
harm("lists home folders", "os.listdir(os.path.expanduser('~root')) or os.listdir('/home')")
harm("writes to /usr", "open('/usr/moco-was-here', 'w').close()")
harm("writes to /var/tmp", "open('/var/tmp/moco-was-here', 'w').close()")
harm("writes into the interpreter", "open(os.__file__, 'a').close()")
harm("opens the interpreter's file for writing", "os.close(os.open(os.__file__, os.O_WRONLY))")
harm("empties a file it may read", "os.close(os.open(os.__file__, os.O_RDONLY | os.O_TRUNC))")
harm("cuts a file by its path", "os.truncate(os.__file__, 10)")
harm("changes permissions", "os.chmod(os.__file__, 0o777)")
harm("changes times", "os.utime(os.__file__)")
harm("makes a device", "os.mknod('d', 0o600 | 0o020000, os.makedev(1, 3)) or open('d').read()")
harm("connects to this machine", "s = socket.socket()\ns.settimeout(1)\ns.connect(('127.0.0.1', 9))", "socket", weak="failed")
harm(
    "sends a datagram", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))", "socket", weak="passed"
)
harm("opens a local socket", "socket.socket(socket.AF_UNIX)", "socket", weak="passed")
harm("listens", "socket.create_server(('127.0.0.1', 0)).close()", "socket", weak="passed")
harm("signals its parent", "os.kill(os.getppid(), 0)")
harm("signals everybody", "os.kill(-1, 0)")
harm("signals the first process", "os.kill(1, 0)")
harm("signals its process group's neighbours", "os.killpg(os.getpgid(os.getppid()), 0)")
harm("has the kernel signal its parent", "fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())", "fcntl, os")
harm("chooses the signal of a file", "fcntl.fcntl(0, 10, 9)", "fcntl")
harm("reads its parent's memory", "open(f'/proc/{os.getppid()}/mem', 'rb').read(1)")
harm("reads its parent's command line", "open(f'/proc/{os.getppid()}/cmdline').read()", weak="passed")
harm("reads its own memory as a file", "open('/proc/self/mem', 'rb').close()")
harm("imports moco", "import moco", weak="failed")
harm("imports the harness", "import inside.roles", weak="failed")
system_call("traces its parent", 101, 16, 1, 0, 0)
system_call("enters new namespaces", 272, 0x10000000)
system_call("starts a process in a new namespace", 56, 0x10000011, 0, 0, 0, 0)
system_call("starts a process by clone3", 435, 0, 0)
system_call("makes a file in memory", 319, 0, 0)
system_call("makes shared memory", 29, 0, 4096, 0o1600)
system_call("sets up io_uring", 425, 1, 0)
system_call("loads a BPF program", 321, 0, 0, 0)
system_call("reads the kernel's log", 103, 10, 0, 0)
add(
    "harm",
    "a system call of the other numbering",
    "import ctypes\ndef square(x):\n    ctypes.CDLL(None).syscall(0x40000000 + 39)\n    return x * x",
    "crashed",
    weak="passed",
)


def table() -> str:
    """The corpus as a Markdown table."""
    lines = ["| | program | two processes | one process | limits only |", "|---|---|---|---|---|"]
    for case in CASES:
        apart = "; ".join([case.apart, *(f"{level}: {status}" for level, status in case.but.items())])
        one = f"**{case.one}**" if (case.one, case.apart) == ("passed", "failed") else case.one
        weak = f"**{case.weak}**" if case.weak == "passed" and case.apart != "passed" else case.weak
        lines.append(f"| {case.group} | {case.name} | {apart} | {one} | {weak} |")
    return "\n".join(lines)


def page_with_table(page: str) -> str:
    """``page`` with the table between its marks made anew."""
    return re.sub(f"(?<={BEGIN}\n).*?(?={END})", lambda _: f"\n{table()}\n\n", page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
