"""A stranger's config: whatever it holds, it is refused at once with file and line, nothing of it runs."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from ding_cls.config import read_config
from ding_cls.config.suggestions import is_alike
from ding_cls.config.tools.inspected import inspect_config
from ding_cls.config.tools.lint import lint
from ding_cls.config.tools.show import show_config
from ding_cls.errors import ConfigError

MAX_SECONDS = 1.0
MAX_MEGABYTES = 250

# Reads each config in a process of its own, forked so that only its own time and memory count. The audit hook
# sees what Python is asked to do: the only files opened are configs, and nothing is imported or executed.
RUNNER = """
import json, os, resource, sys, time
from ding_cls.config import read_config
from ding_cls.errors import ConfigError
from ding_cls.config.reader.files import SUFFIXES

folder = sys.argv[1]
for suffix, text in ((".py", "a = f'{1}'"), (".yaml", "a: [1.5, yes, x]"), (".json", '{"a": 1}')):
    warm = os.path.join(folder, "warm" + suffix)
    with open(warm, "w") as file:
        file.write(text)
    read_config(warm)


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


for name in map(str.strip, sys.stdin):
    reading, writing = os.pipe()
    if os.fork() == 0:
        events = []

        def audit(event, arguments):
            # A number is a file that is open already.
            opened = arguments[0] if event == "open" else None
            is_config = type(opened) is int or str(opened).endswith(SUFFIXES)
            if not is_config and event not in ("compile", "builtins.id"):
                events.append(f"{event} {arguments[:1]!r}"[:200])

        before, started = peak_megabytes(), time.process_time()
        sys.addaudithook(audit)
        try:
            read_config(os.path.join(folder, name))
            message = "it was read"
        except ConfigError as error:
            message = str(error)
        except BaseException as error:
            message = f"not a ConfigError: {error!r}"
        seen = list(events)
        record = dict(
            message=message[:20000], seconds=time.process_time() - started, events=seen,
            megabytes=peak_megabytes() - before,
        )
        os.write(writing, json.dumps(record).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        print(pipe.read(), flush=True)
    os.wait()
"""


def _doubled(first: str, step: str, last: str) -> str:
    steps = [f"a{number} = {step.replace('_', f'a{number - 1}')}" for number in range(1, 60)]
    return "\n".join([f"a0 = {first}", *steps, last])


EASYDICT = "from easydict import EasyDict\n"


BIG = "A" * 150_000


def _laughs(levels: int) -> str:
    lines = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, levels)]
    return "a0: &a0 [lol, lol]\n" + "".join(lines)


PYTHON = {
    "import": "import subprocess\nsubprocess.run(['touch', 'witness'])",
    "import from": "from os import system\nsystem('touch witness')",
    "import in a name": "import os\na = os.system('touch witness')",
    "dunder import": "a = __import__('os').system('touch witness')",
    "eval": "a = eval('1')",
    "exec": "a = [exec('x = 1') for i in [1]]",
    "open": "a = open('witness', 'w').write('x')",
    "getattr": "a = getattr(dict, 'mro')",
    "builtins": "a = __builtins__['eval']('1')",
    "globals": "a = globals()['__builtins__']",
    "subclasses": "a = ().__class__.__bases__[0].__subclasses__()",
    "class of a function": "a = dict.__class__",
    "mro of a string": "a = ''.__class__.__mro__",
    "class in a format": "a = '{0.__class__.__init__.__globals__}'.format(dict(b=1))",
    "class in a keyword format": "a = '{x.__class__}'.format(x=1)",
    "item in a format": "a = '{0[0]}'.format('abc')",
    "format of a base": "a = '{0.__dict__}'.format(_base_)",
    "class in an f-string": "a = f'{().__class__}'",
    "dunder key": "a = {'__class__': 1}",
    "dunder attribute": "a = dict(b=1)\na.__class__ = 2",
    "environment": "import os\na = os.environ['HOME']",
    "environment in braces": "a = '{{$HOME:x}}'",
    "lambda": "a = (lambda: 1)()",
    "decorator": "@print\ndef f():\n    pass",
    "class body": "class A:\n    import os",
    "metaclass": "class A(metaclass=print):\n    pass",
    "loop": "while True:\n    pass",
    "walrus": "a = [b := 1, b]",
    "star import": "from os import *\na = environ",
    "with": "with open('witness', 'w') as f:\n    pass",
    "try": "try:\n    import os\nexcept ImportError:\n    pass",
    "method of a method": "a = 'x'.format.__globals__",
    "global": "global a\na = print",
    "large quotient": "a = 10 ** 600 / 3",
    "complex power": "a = 1j ** 999",
    "await": "async def f():\n    await f()",
    "power": "a = 9 ** 9 ** 9",
    "negative power of a huge number": "a = (10 ** 600) ** -1.5",
    "repeated string": "a = 'a' * 10 ** 9",
    "repeated list": "a = 10 ** 9 * [0]",
    "repeated in a format": "a = '{:>{}}'.format('x', 10 ** 9)",
    "width": "a = f'{1:1000000000d}'",
    "precision": "a = '{:.999999999f}'.format(1.0)",
    "replace": "a = 'x' * 50000\nb = a.replace('x', a)",
    "replace nothing": "a = 'x' * 50000\nb = a.replace('', a)",
    "join": "a = ['x'] * 50000\nb = ('y' * 50000).join(a)",
    "strip": "a = ('x' * 90000).strip('y' * 60000 + 'x')\nb = a * 9",
    "braces and blanks": "a = '{{" + " " * 150_000 + "'\nb = x",
    "escaped quotes": "a = 1 " + "\\'" * 90_000,
    "quotes that do not close": "a = " + "'\n\"\n" * 45_000,
    "template again and again": f"a = ['{{{{ fileBasename }}}}{BIG}' for i in range(40000)]",
    "many templates in one string": "a = ['" + "{{ fileDirname }}" * 2400 + "' for i in range(2000)]",
    "many templates in one f-string": "a = [f'" + "{{ fileDirname }}" * 2400 + "' for i in range(2000)]",
    "text again and again": f"a = [len('{'aa' * 70_000}') for i in range(30000)]",
    "long key": f"x = {{'{BIG}': {{f'{{i}}': i for i in range(12000)}}}}",
    "long key from a name": f"k = '{BIG}'\nx = {{k: {{str(i): i for i in range(2000)}}}}",
    "long keyword": f"a = dict({BIG}=1)",
    "long name": f"{BIG} = 1",
    "long name in a loop": f"a = [1 for {BIG} in [1]]",
    "long paths": "a = {f'k{i}': i for i in range(12000)}\n"
    + "".join(f"a = {{'{'K' * 200}': a}}\n" for _ in range(45)),
    "whole base again and again": "_base_ = 'many_names.py'\na = [_base_ for i in range(30000)]",
    "range": "a = range(10 ** 9)",
    "loops": "a = [i * j for i in range(10 ** 4) for j in range(10 ** 4)]",
    "round": "a = round(1, -10 ** 9)",
    "digits": "a = int('9' * 100000)",
    "doubled list": _doubled("[1]", "[_, _]", "b = 1"),
    "doubled key": _doubled("(1,)", "(_, _)", "b = {a59: 1}"),
    "doubled index": _doubled("[1]", "[_, _]", "b = 1").replace("a17 =", "x = {}[a16]\na17 ="),
    "doubled text": _doubled("'x'", "_ + _", "b = 1"),
    "doubled join": _doubled("'x'", "','.join([_, _])", "b = 1"),
    "deep brackets": "a = " + "[" * 5000 + "]" * 5000,
    "deep signs": "a = " + "-" * 50_000 + "1",
    "deep sums": "a = " + "1+" * 25_000 + "1",
    "deep dicts": "a = {}\n" + "a = dict(a=a)\n" * 2000,
    "deep call": "a = " + "dict(b=" * 150 + "1" + ")" * 150,
    "deep EasyDict": f"{EASYDICT}a = {{}}\n" + "a = dict(a=a)\n" * 2000 + "b = EasyDict(a)",
    "nested lists": "a = " + "[" * 150 + "]" * 150,
    "deep attributes": "a = " + ".".join(["x"] * 5000),
    "products": "a = 2 ** 2000\nb = a * a",
    "long number": "a = 0x" + "f" * 10_000,
    "searches": "s = 'a' * 50000\na = [s + 'b' in s for i in range(50000)]",
    "numbers from text": "s = '9' * 50000\na = [float(s) for i in range(50000)]",
    "doubled EasyDict": EASYDICT + _doubled("{}", "dict(a=_, b=_)", "b = EasyDict(a59)"),
    "doubled str": _doubled("[1]", "[_, _]", "b = str(a59)"),
    "doubled comparison": _doubled("[1]", "[_, _]", "b = a17 == [a16, a16]"),
    "towers of equal lists": _doubled(
        "[1]", "[_, _]", _doubled("[1]", "[_, _]", "c = a59 == b59").replace("a", "b")
    )
    + "\nd = a50 == b50",
    "shift": "a = 1 << 10 ** 9",
    "tower of powers": "a = 10 ** 10 ** 10",
    "power of a large number": "a = [(10 ** 600) ** 3 for i in range(10 ** 5)]",
    "width of an integer": "a = f'{1:>999999999}'",
    "computed width": "a = f'{1:>{10 ** 9}}'",
    "long message": "a = float('9' * 49000 + 'x')",
    "list of a range": "a = list(range(10 ** 12))",
    "range of large numbers": "a = range(2 ** 2000)",
    "nested comprehensions": "a = [[[i for i in range(999)] for j in range(999)] for k in range(999)]",
    "doubled concatenation": _doubled("[0]", "_ + _", "b = 1"),
    "doubled stars": _doubled("[0]", "[*_, *_]", "b = 1"),
    "keys of one hash": "a = {i * (2 ** 61 - 1): 1 for i in range(20000)}",
    "keys of one hash from pairs": "a = dict([(i * (2 ** 61 - 1), 1) for i in range(20000)])",
    "many fields of a format": "s = 'x' * 50000\na = ('{0}' * 10000).format(s)",
    "long numbers in a format": "a = ('{0:099d}' * 10000).format(1)\nb = [a for i in range(50000)]",
    "lookups in lists of long strings": "s = 'a' * 49999\nl = [s + 'b'] * 50000\n"
    "a = [s + 'c' in l for i in range(999)]",
    "slices": "a = [0] * 50000\nb = [a[1:] for i in range(50000)]",
    "unpacked again and again": "a = {str(i): i for i in range(9000)}\nb = [dict(**a) for i in range(50000)]",
    "stripped again and again": "s = 'x' * 50000\nt = 'y' * 999 + 'x'\na = [s.strip(t) for i in range(9000)]",
    "replaced again and again": "s = 'x' * 50000\nt = 'y' * 999\na = [s.replace('x',t) for i in range(9000)]",
    "split again and again": "s = 'x,' * 25000\na = [s.split(',') for i in range(50000)]",
    "pairs again and again": "s = [('a', 1)] * 50000\na = [dict(s) for i in range(50000)]",
    "fields of an f-string": "a = f'" + "{b}" * 60_000 + "'",
    "fields far into an f-string": "a = f'" + "x" * 150_000 + "{b}" * 15_000 + "'",
    "many braces": "a = [" + "{}," * 60_000 + "]",
    "names on one line": "a;" * 99_000,
    "many decorators": "@a\n" * 66_000,
    "many conditions": "a = " + "1 if a else " * 16_000 + "1",
    "calls of calls": "a = dict" + "()" * 5000,
    "targets in brackets": "(" * 150 + "a" + ",)" * 150 + " = 1",
    "doubled base": "_base_ = ['many_names.py', './many_names.py', '././many_names.py'] * 30",
    "contains itself": "a = {}\na['a'] = a\nmain_config = a",
    "list contains itself": "a = [1]\na[0] = a",
    "long": "a = 1\n" * 200_000,
    "many words": "a = [" + "1," * 99_000 + "]",
    "many statements": "1\n" * 29_000 + "a = x",
    "coding": "# -*- coding: utf-7 -*-\na = '+AGE-'\nb = x",
    "null byte": "a = 1\0",
    "not UTF-8": "a = '\udcff'",
    "base outside": "_base_ = '../../../../../../../../../../etc/passwd'",
    "base of another kind": "_base_ = ['/etc/passwd']",
    "base of the home folder": "_base_ = '~/settings.py'",
    "base on the web": "_base_ = 'https://example.org/a.py'",
    "base in a package": "_base_ = 'mmcls::resnet/a.py'",
    "base that is no string": "_base_ = [['a.py']]",
    "base with a long name": "_base_ = '" + "a" * 100_000 + ".py'",
    "base with a null byte": "_base_ = 'a\\0.py'",
    "base computed": "_base_ = open('x')",
    "base of itself": "_base_ = './{name}'",
    "base a thousand times": "_base_ = ['./{name}'] * 1000",
    "base assigned twice": "_base_ = []\n_base_ = []",
}
YAML = {
    "python object": "a: !!python/object/apply:os.system ['touch witness']",
    "python name": "a: !!python/name:os.system",
    "python tuple": "a: !!python/tuple [1, 2]",
    "own tag": "a: !include /etc/passwd",
    "standard tag": "a: !!binary aGVsbG8=",
    "tag of the document": "!!python/object:os.Foo {}",
    "a billion laughs": _laughs(9),
    "alias of itself": "a: &a [*a]",
    "merge of itself": "a: &a\n  <<: *a",
    "merges of many": "a: &a {"
    + "".join(f"k{i}: 1, " for i in range(3000))
    + "}\nb: ["
    + "{<<: *a}, " * 3000
    + "]",
    "template by alias": f"a: &a '{{{{ fileBasename }}}}{BIG}'\nb: [" + "*a," * 2000 + "]",
    "short template by alias": f"a: &a '{{{{ fileBasename }}}}{BIG[:50_000]}'\nb: [" + "*a," * 2000 + "]",
    "long key": f"? {BIG[:900]}\n: 1",
    "deep flow": "a: " + "[" * 20_000,
    "deep keys": "? " * 20_000,
    "deep block": "\n".join(" " * level + "a:" for level in range(600)),
    "sexagesimal": "a: 1" + ":59" * 10_000,
    "long hexadecimal": "a: 0x" + "f" * 10_000,
    "two documents": "a: 1\n---\nb: 2",
    "list as a key": "? [1, 2]\n: 3",
    "same key twice": "a: 1\na: 2",
    "tag of a directive": "%TAG ! tag:yaml.org,2002:python/object/apply:\n---\na: !os.system [ls]",
    "set": "a: !!set {b, c}",
    "long flow": "a: [" + "1," * 99_000 + "]",
    "many mappings": "a: [" + "{}," * 60_000 + "]",
    "many anchors": "a: [" + "".join(f"&x{i} 1," for i in range(20_000)) + "]",
    "merges of merges": "a0: &a0 {"
    + "".join(f"k{i}: 1, " for i in range(2000))
    + "}\n"
    + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}], k: 1}}\n" for i in range(1, 1500)),
    "laughs of mappings": "a0: &a0 {k: v}\n"
    + "".join(f"a{i}: &a{i} {{b: *a{i - 1}, c: *a{i - 1}, d: *a{i - 1}}}\n" for i in range(1, 40)),
    "mapping as a key": "? {a: b}\n: 3",
    "keys of one hash": "a: {" + ", ".join(f"{i * (2**61 - 1)}: 1" for i in range(6000)) + "}",
    "quotes that do not close": "a: '" + "''" * 90_000,
    "bases that are laughs": _laughs(9) + "_base_: [*a8]",
    "indentation": "a: " + " " * 150_000 + "{{ _base_.x }}",
    "base outside": "_base_: ../../../../../../../../../../../etc/hosts.yaml",
    "environment in braces": "a: '{{$HOME:x}}'",
}
JSON = {
    "many objects": '{"a": [' + "{}," * 60_000 + "{}]}",
    "escaped quotes": '{"a": "' + '\\"' * 90_000,
    "braces": '{"a": ' + "{{ " * 60_000,
    "many templates": '{"a": [' + "{{ _base_.x }}," * 12_000 + "1]}",
    "not a number": '{"a": 1e}',
    "deep objects and lists": '{"a": [' * 400 + "1" + "]}" * 400,
    "deep": '{"a": ' + "[" * 20_000 + "]" * 20_000 + "}",
    "deep dicts": '{"a": ' * 900 + "1" + "}" * 900,
    "long key": f'{{"{BIG}": 1}}',
    "long number": '{"a": ' + "9" * 4000 + "}",
    "longer number": '{"a": ' + "9" * 40_000 + "}",
    "same key twice": '{"a": 1, "a": 2}',
    "dunder key": '{"__class__": 1}',
    "base outside": '{"_base_": "../../../../../../../../../../../etc/hosts.json"}',
    "list": "[1, 2]",
}


def _cases() -> Iterator[tuple[str, str]]:
    """Yield (name of the file, text) of each hostile file."""
    for suffix, texts in ((".py", PYTHON), (".yaml", YAML), (".json", JSON)):
        for name, text in texts.items():
            file = f"{name.replace(' ', '_')}{suffix}"
            yield file, text.replace("{name}", file)


def _write_special(folder: Path) -> list[str]:
    """Write configs whose base files are no ordinary files, or are many; return their names."""
    os.mkfifo(folder / "pipe.py")
    os.mkfifo(folder / "pipe_base.yaml")
    (folder / "zero.py").symlink_to("/dev/zero")
    (folder / "linked_base.py").symlink_to("/etc/passwd")
    (folder / "process.py").symlink_to("/proc/self/environ")
    (folder / "circle_link.py").symlink_to("circle_link.py")
    (folder / "folder.py").mkdir()
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "settings.json").write_text('{"token": 1}')
    (folder / "many_names.py").write_text("".join(f"a{number} = 1\n" for number in range(9000)))
    (folder / "large_base.py").write_text("a = 1\n" * 100_000)
    for number in range(40):
        (folder / f"bomb{number}.py").write_text(
            f"_base_ = ['bomb{number + 1}.py', './bomb{number + 1}.py']\n"
        )
    for number in range(100):
        wide = [f"wide{other}.py" for other in range(number + 1, 100)] * 2
        (folder / f"wide{number}.py").write_text(f"_base_ = {wide[:100]}\n")
    for number in range(3):
        (folder / f"ring{number}.py").write_text(f"x{number} = 1\n_base_ = 'ring{(number + 1) % 3}.py'\n")
    bases = {
        "on_a_pipe.py": "pipe_base.yaml",
        "on_a_device.py": "zero.py",
        "on_a_link.py": "linked_base.py",
        "on_a_circle_of_links.py": "circle_link.py",
        "on_a_folder.py": "folder.py",
        "on_a_hidden_file.py": "./.hidden/settings.json",
        "on_a_large_file.py": "large_base.py",
        "on_a_bomb.py": "bomb0.py",
        "on_a_wide_bomb.py": "wide0.py",
        "on_a_ring.py": "ring0.py",
        "on_nothing.py": "no_such_file.py",
        "on_the_environment.py": "process.py",
        "on_itself.py": "./././on_itself.py",
    }
    for name, base in bases.items():
        (folder / name).write_text(f"\n_base_ = [\n    {base!r}]\n")
    return ["pipe.py", "zero.py", "circle_link.py", "folder.py", *bases]


NAMES = [name for name, _ in _cases()]
SPECIAL = [
    *("pipe.py", "zero.py", "circle_link.py", "folder.py", "on_a_pipe.py", "on_a_device.py", "on_a_link.py"),
    *("on_a_circle_of_links.py", "on_a_folder.py", "on_a_hidden_file.py", "on_a_large_file.py"),
    *("on_a_bomb.py", "on_a_wide_bomb.py", "on_a_ring.py", "on_nothing.py", "on_the_environment.py"),
    "on_itself.py",
]


Reads: TypeAlias = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def record_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reads]:
    """Read a hostile file, given by its name, in another process; return what became of it."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, text in _cases():
        (folder / name).write_bytes(text.encode(errors="surrogateescape"))
    assert _write_special(folder) == SPECIAL
    command = [sys.executable, "-c", RUNNER, str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=folder) as runner:
        assert runner.stdin
        assert runner.stdout

        @cache
        def read(name: str) -> dict[str, Any]:
            print(name, file=runner.stdin, flush=True)
            record: dict[str, Any] = json.loads(runner.stdout.readline())
            assert not (folder / "witness").exists()
            return record

        yield read


def test_there_are_enough_of_them() -> None:
    assert len({*NAMES, *SPECIAL}) == len(NAMES) + len(SPECIAL) > 198


@pytest.mark.parametrize("name", [*NAMES, *SPECIAL])
def test_a_hostile_config_is_refused_at_once_and_does_nothing(record_of: Reads, name: str) -> None:
    record = record_of(name)
    lines = record["message"].splitlines()
    assert lines
    # JSON's values have the file alone as their place.
    place = r" \([\w./-]+\.json(:\d+)?\)$" if name.endswith(".json") else r" \([\w./-]+:\d+\)$"
    for line in lines:
        assert len(line) < 1000
        assert re.search(place, line) or line.startswith("... and perhaps more"), line
    assert record["events"] == []
    assert record["seconds"] < MAX_SECONDS
    assert record["megabytes"] < MAX_MEGABYTES


def test_the_line_is_the_line_of_the_offence(record_of: Reads) -> None:
    offences = {
        "import_in_a_name.py": "os.system cannot be called",
        "class_in_a_format.py": "field '0.__class__.__init__.__globals__' of format()",
        "template_again_and_again.py": "the file computes too much",
        "template_by_alias.yaml": "the file computes too much",
        "text_again_and_again.py": "the file computes too much",
        "long_paths.py": "the file computes too much",
        "whole_base_again_and_again.py": "the file computes too much",
        "long_key.py": "a key has at most 200 characters, not 150000: 'AAAA",
        "long_name.py": "a key has at most 200 characters, not 150000: 'AAAA",
        "python_object.yaml": "tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed",
        "base_outside.py": "is not a config file: its name must end in",
        "base_of_itself.py": "base files inherit in a circle",
        "on_a_pipe.py": "it is a folder, a device or a pipe",
        "on_a_link.py": "is a link to what is not a config file",
        "on_a_hidden_file.py": "is hidden, or lies in a hidden folder",
        "on_a_ring.py": "circle: on_a_ring.py > ring0.py > ring1.py > ring2.py > ring0.py",
        "on_a_bomb.py": "base files inherit over more than 20 levels",
        "base_outside.yaml": "lies outside the tree of config files",
    }
    places = {
        "import_in_a_name.py": "import_in_a_name.py:2",
        "on_a_pipe.py": "on_a_pipe.py:3",
        "on_a_ring.py": "ring2.py:2",
        "on_a_link.py": "on_a_link.py:3",
    }
    for name, offence in offences.items():
        assert offence in record_of(name)["message"]
    for name, place in places.items():
        assert f"({place})" in record_of(name)["message"]


def test_too_little_memory_is_a_config_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spent(*_: object) -> None:
        raise MemoryError

    (tmp_path / "c.py").write_text("a = [1]\n")
    monkeypatch.setattr("ding_cls.config.reader.reader.interpret", spent)
    with pytest.raises(ConfigError, match=r"takes more memory than there is \(c\.py:1\)$"):
        read_config(tmp_path / "c.py")


def _keys(count: int, value: str = "i", prefix: str = "k") -> str:
    return f"{{f'{prefix}{{i}}': {value} for i in range({count})}}"


# Each is read, and then looked at by the tools: the work must not grow with the square of the size.
LARGE = {
    "a dict of the second spelling": f"model = {_keys(8000)}\n",
    "unknown keys": f"policy = {_keys(8000)}\n",
    "unknown sections": f"policy = {_keys(6000, 'dict(a=1)', 'epoch')}\n",
    "variables": "".join(f"v{number} = 1\n" for number in range(9000)) + "model = dict(type='A')\n",
    "both spellings": f"model = {_keys(4000)}\npolicy = dict(model={_keys(4000)})\n",
    "two dicts": f"data = dict(train={_keys(3000)}, val={_keys(3000)})\nrunner = {_keys(2000)}\n",
    "a list": f"model = dict(l=[dict(a=1)] + list(range(8000)), **{_keys(6000)})\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_a_large_config_is_shown_and_linted_in_no_time(tmp_path: Path, name: str) -> None:
    (tmp_path / "c.py").write_text(LARGE[name])
    started = time.process_time()
    inspected = inspect_config(tmp_path / "c.py")
    read = time.process_time()
    tree, _ = inspected.tree_as_it_is
    show_config(tree, inspected.origin)
    show_config(inspected.written, inspected.written_origin)
    lint(inspected)
    # Showing and linting read the config three times more; the square would take ten times as long.
    assert read - started < 2 * MAX_SECONDS
    assert time.process_time() - read < 3 * MAX_SECONDS


def test_a_name_of_any_length_is_like_no_other() -> None:
    assert is_alike("learning_rat", "learning_rate", 0.9)
    assert is_alike("LearningRate", "learning_rate", 0.9)
    assert not is_alike("a" * 400_000, "a" * 400_000, 0.1)
    assert not is_alike("\ud800", "lr", 0.1)


def test_after_fifty_problems_lines_make_no_guesses(tmp_path: Path) -> None:
    (tmp_path / "c.py").write_text(f"policy = {_keys(80, prefix='cuda')}\n")
    _, problems = inspect_config(tmp_path / "c.py").tree_as_it_is
    lines = problems.splitlines()
    assert len(lines) == 80
    assert lines[49] == "policy.cuda49 is not a known key; did you mean policy.cuda? (c.py:1)"
    assert lines[50] == "policy.cuda50 is not a known key (c.py:1)"
