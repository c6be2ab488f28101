"""Faulty files in every text format, each with exactly what has to be said about it: (line, field, what, remedy).

A ``what`` that ends in * goes on in words that are the Python version's.
"""

from __future__ import annotations

Said = tuple[int, str, str, str]

OK = '{"id": "ok", "question": "What?", "answer": "this"}\n'
MC = '"question": "W?", "choices": {"A": "x", "B": "y"}'

ANSWER = "write the right answer, a list of aliases, or for multiple choice one of the labels"
CHOICES = 'write at least two options as {"A": "text", "B": "text"}'
LABELS = "write a list of labels that are among the choices"
QUESTION = "write the question, or messages"
ID = "give every record its own id as a text"
TESTS = "write the tests as Python text"
SPLIT = "write dev or test, or leave it out"
MESSAGES = 'write [{"role": "user", "content": "text"}]'
TOLERANCE = "write a relative tolerance of 0 or more, or leave it out"
META = 'write an object, {"key": "value"}'
OBJECT = 'write {"id": ..., "question": ..., "answer": ...}'
LINES = "write one JSON object a line"
ONE = "keep one of them"
LISTED = f"{CHOICES}, or read the list as it is: --map choices=choices"
KNOWN = (
    "known: answer, choices, context, entry_point, group, id, kind, labels, messages, meta, question, "
    "source, split, tests, tolerance"
)

FAULTY: dict[str, tuple[str, str | bytes, list[Said]]] = {
    "no json": (
        ".jsonl",
        OK + "{id: 1}\n",
        [(2, "", "is not JSON: Expecting property name enclosed in double quotes at column 2", LINES)],
    ),
    "torn line": (
        ".jsonl",
        OK + '{"id": "b", "question": "W',
        [(2, "", "is not JSON: Unterminated string starting at column 25", LINES)],
    ),
    "list in a line": (".jsonl", OK + "[1, 2]\n", [(2, "", "is not an object", OBJECT)]),
    "number in a line": (".jsonl", OK + "7\n", [(2, "", "is not an object", OBJECT)]),
    "trailing comma": (
        ".jsonl",
        OK + '{"id": "b", "question": "W?", "answer": "x",}\n',
        [(2, "", "is not JSON: *", LINES)],
    ),
    "two objects in a line": (".jsonl", OK.strip() + " " + OK, [(1, "", "is not JSON: there is text after the value", LINES)]),
    "unknown field": (
        ".jsonl",
        '{"id": "a", "questoin": "W?", "question": "W?", "answer": "x"}',
        [(1, "questoin", "is not a known field", "did you mean 'question'?")],
    ),
    "far field": (
        ".jsonl",
        '{"id": "a", "xyzzy": 1, "question": "W?", "answer": "x"}',
        [
            (
                1,
                "xyzzy",
                "is not a known field",
                KNOWN,
            )
        ],
    ),
    "no question": (
        ".jsonl",
        '\n\n{"id": "a", "answer": "x"}',
        [(3, "question", "is empty and there are no messages", QUESTION)],
    ),
    "blank question": (
        ".jsonl",
        '{"id": "a", "question": "  ", "answer": "x"}',
        [(1, "question", "is empty and there are no messages", QUESTION)],
    ),
    "no answer": (
        ".jsonl",
        '{"id": "a", "question": "W?", "kind": "numeric"}',
        [(1, "answer", "is missing; a numeric record needs one", ANSWER)],
    ),
    "null answer": (
        ".jsonl",
        OK + '{"id": "a", "question": "W?", "answer": null}',
        [(2, "answer", "is null", "write the right answer, or leave the record out")],
    ),
    "null answer with choices": (
        ".jsonl",
        '{"id": "a", ' + MC + ', "answer": null}',
        [(1, "answer", "is missing; a multiple_choice record needs one", ANSWER)],
    ),
    "empty answer": (".jsonl", '{"id": "a", "question": "W?", "answer": ""}', [(1, "answer", "is empty", ANSWER)]),
    "empty alias": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": ["x", " "]}',
        [(1, "answer", "holds an empty alias", ANSWER)],
    ),
    "no alias": (".jsonl", '{"id": "a", "question": "W?", "answer": []}', [(1, "answer", "is empty", ANSWER)]),
    "aliases in a text": (
        ".jsonl",
        OK + '{"id": "a", "question": "W?", "answer": "[\\"US\\", \\"USA\\"]"}',
        [(2, "answer", "is a list written as a text", 'write the list itself, ["US", "USA"]')],
    ),
    "python list in a text": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "[\'US\', \'USA\']"}',
        [(1, "answer", "is a list written as a text", "write the list itself, ['US', 'USA']")],
    ),
    "answer a number": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": 5}',
        [(1, "answer", "has the wrong type number", 'write the number as a text, "5"')],
    ),
    "answer a truth value": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": true}',
        [(1, "answer", "has the wrong type boolean", ANSWER)],
    ),
    "answer an object": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": {"x": 1}}',
        [(1, "answer", "has the wrong type object", ANSWER)],
    ),
    "alias a number": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": ["x", 5]}',
        [(1, "answer", "has a wrong entry at '1': number, not a text", ANSWER)],
    ),
    "gold not a choice": (
        ".jsonl",
        OK + '{"id": "a", ' + MC + ', "answer": "C"}',
        [(2, "answer", "'C' is not among the choices A, B", ANSWER)],
    ),
    "gold is a text of a choice": (
        ".jsonl",
        '{"id": "a", ' + MC + ', "answer": "x"}',
        [(1, "answer", "'x' is not among the choices A, B", ANSWER)],
    ),
    "label not a choice": (
        ".jsonl",
        '{"id": "a", ' + MC + ', "labels": ["A", "Z"]}',
        [(1, "labels", "'Z' is not among the choices A, B", LABELS)],
    ),
    "no labels": (".jsonl", '{"id": "a", ' + MC + ', "labels": []}', [(1, "labels", "is empty", LABELS)]),
    "answer and labels differ": (
        ".jsonl",
        '{"id": "a", ' + MC + ', "answer": "A", "labels": ["B"]}',
        [(1, "labels", "does not hold the answer 'A'", "give answer or labels, not two that differ")],
    ),
    "no choices": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": {}, "answer": "A"}',
        [(1, "choices", "is empty", CHOICES), (1, "answer", "'A' is not among the choices ", ANSWER)],
    ),
    "one choice": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": {"A": "x"}, "answer": "A"}',
        [(1, "choices", "holds 1 options", CHOICES)],
    ),
    "empty choice": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": {"A": "x", "B": ""}, "answer": "A"}',
        [(1, "choices", "option 'B' is empty", CHOICES)],
    ),
    "null choice": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": {"A": "x", "B": null}, "answer": "A"}',
        [(1, "choices", "has a wrong entry at 'B': input should be a valid string", CHOICES)],
    ),
    "identical choices": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": {"A": "x y", "B": "x  y", "C": "z"}, "answer": "B"}',
        [
            (
                1,
                "choices",
                "options 'A' and 'B' are the same text, and only one of them is right",
                "correct one of the two, or name both in labels",
            )
        ],
    ),
    "choices a list": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": ["x", "y"], "answer": "x"}',
        [(1, "choices", "has the wrong type list", LISTED)],
    ),
    "choice a number": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": {"A": 1, "B": "2"}, "answer": "A"}',
        [(1, "choices", "has a wrong entry at 'A': input should be a valid string", CHOICES)],
    ),
    "label with a comma": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": {"A,B": "x", "C": "y"}, "answer": "C"}',
        [(1, "choices", "label 'A,B' is blank or holds ','", CHOICES)],
    ),
    "missing choices": (
        ".jsonl",
        '{"id": "a", "question": "W?", "kind": "multiple_choice", "answer": "A"}',
        [(1, "choices", "is missing from a multiple-choice record", CHOICES)],
    ),
    "id a number": (".jsonl", '{"id": 7, "question": "W?", "answer": "x"}', [(1, "id", "has the wrong type number", ID)]),
    "empty id": (
        ".jsonl",
        '{"id": "", "question": "W?", "answer": "x"}',
        [(1, "id", "has a wrong value: string should have at least 1 character", ID)],
    ),
    "same id": (".jsonl", OK + "\n" + OK, [(3, "id", "'ok' is also the id of line 1", ID)]),
    "unknown split": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "x", "split": "train"}',
        [(1, "split", "has a wrong value: input should be 'dev' or 'test'", SPLIT)],
    ),
    "unknown kind": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "x", "kind": "numerics"}',
        [(1, "kind", "'numerics' is not a known kind", "did you mean 'numeric'?")],
    ),
    "no tests": (
        ".jsonl",
        '{"id": "a", "question": "W?", "kind": "code"}',
        [(1, "tests", "is missing from a code record", TESTS)],
    ),
    "tests not python": (
        ".jsonl",
        '{"id": "a", "question": "W?", "tests": "assert f(1) == 2\\nassert f(2 == 3", "entry_point": "f"}',
        [(1, "tests", "is not Python in its line 2: *", TESTS)],
    ),
    "tests call another": (
        ".jsonl",
        '{"id": "a", "question": "W?", "tests": "assert g(1) == 2", "entry_point": "f"}',
        [(1, "entry_point", "'f' is never called in tests", "call it in tests, or correct the name")],
    ),
    "tests that call nothing": (
        ".jsonl",
        '{"id": "a", "question": "W?", "tests": "def check(candidate):\\n    assert candidate(1) == 2\\n"}',
        [(1, "tests", "defines check() and names no function to call it with", "add entry_point: NAME")],
    ),
    "entry point a call": (
        ".jsonl",
        '{"id": "a", "question": "W?", "tests": "assert f(1) == 2", "entry_point": "f(x)"}',
        [(1, "entry_point", "'f(x)' is not the name of a function", "write the name alone, add")],
    ),
    "negative tolerance": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "1", "tolerance": -1}',
        [(1, "tolerance", "has a wrong value: input should be greater than or equal to 0", TOLERANCE)],
    ),
    "tolerance a text": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "1", "tolerance": "1"}',
        [(1, "tolerance", "has the wrong type text", TOLERANCE)],
    ),
    "tolerance of a word": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "one", "kind": "short_text", "tolerance": 0.1}',
        [(1, "tolerance", "goes with numbers, not with short_text", "leave it out")],
    ),
    "nan": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "1", "tolerance": NaN}',
        [(1, "", "NaN is not JSON", "write a number, a text or null")],
    ),
    "infinity": (
        ".jsonl",
        OK + '{"id": "a", "question": "W?", "answer": "1", "meta": {"x": [Infinity]}}',
        [(2, "", "Infinity is not JSON", "write a number, a text or null")],
    ),
    "meta a text": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "x", "meta": "m"}',
        [(1, "meta", "has the wrong type text", META)],
    ),
    "unknown role": (
        ".jsonl",
        '{"id": "a", "messages": [{"role": "bot", "content": "W?"}], "answer": "x"}',
        [(1, "messages", "turn 0 is not a chat message", MESSAGES)],
    ),
    "turn without content": (
        ".jsonl",
        '{"id": "a", "messages": [{"role": "user", "text": "W?"}], "answer": "x"}',
        [(1, "messages", "turn 0 is not a chat message", MESSAGES)],
    ),
    "messages a text": (
        ".jsonl",
        '{"id": "a", "messages": "W?", "answer": "x"}',
        [(1, "messages", "has the wrong type text", MESSAGES)],
    ),
    "assistant has the last word": (
        ".jsonl",
        '{"id": "a", "messages": [{"role": "user", "content": "W?"}, {"role": "assistant", "content": "x"}], "answer": "x"}',
        [(1, "messages", "ends with the assistant, so there is nothing to answer", "end with what the user says")],
    ),
    "key twice": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "x", "answer": "y"}',
        [(1, "answer", "is given twice", ONE)],
    ),
    "option twice": (
        ".jsonl",
        OK + '{"id": "a", "question": "W?", "choices": {"A": "x", "A": "y"}, "answer": "A"}',
        [(2, "A", "is given twice", ONE)],
    ),
    "half a surrogate": (
        ".jsonl",
        '{"id": "a", "question": "W\\ud800?", "answer": "x"}',
        [(1, "question", "holds half of a surrogate pair", "write the whole character")],
    ),
    "nul": (
        ".jsonl",
        OK + '{"id": "a", "question": "W\\u0000?", "answer": "x"}',
        [(2, "question", "holds a NUL character", "remove it")],
    ),
    "latin-1": (
        ".jsonl",
        OK.encode() + b'{"id": "a", "question": "caf\xe9?", "answer": "x"}',
        [(2, "", "byte 0xe9 is not UTF-8", "save the file as UTF-8")],
    ),
    "utf-16": (".jsonl", OK.encode("utf-16"), [(1, "", "byte 0xff is not UTF-8: the file is UTF-16", "save the file as UTF-8")]),
    "gzip": (
        ".jsonl",
        b"\x1f\x8b\x08\x00 not unpacked \xff",
        [(0, "", "is compressed with gzip, not .jsonl", "give the file the suffix of its format, or unpack it")],
    ),
    "a spreadsheet": (
        ".csv",
        b"PK\x03\x04 not a csv \xff\xfe",
        [(0, "", "is a zip archive, as .xlsx and .ods are, not .csv", "give the file the suffix of its format, or unpack it")],
    ),
    "deep": (".jsonl", '{"id": "a", "meta": ' + "[" * 100_000, [(1, "", "is nested too deeply", "write a flat object")]),
    "blank file": (".jsonl", "\n \n", [(0, "", "the file holds no records", "write one record a line")]),
    "empty file": (".json", "", [(0, "", "the file holds no records", "write one record a line")]),
    "several": (
        ".jsonl",
        'x\n{"id": "a", "anser": "x", "question": ""}\n{"id": "b", "question": "W?", "answer": 1}',
        [
            (1, "", "is not JSON: Expecting value at column 1", LINES),
            (2, "anser", "is not a known field", "did you mean 'answer'?"),
            (2, "question", "is empty and there are no messages", QUESTION),
            (3, "answer", "has the wrong type number", 'write the number as a text, "1"'),
        ],
    ),
    "a list in jsonl": (
        ".jsonl",
        '[\n{"id": "a", "question": "W?", "answer": "x"}\n]\n',
        [(1, "", "is one JSON list, not one object a line", "give the file the suffix .json")],
    ),
    "lines in json": (
        ".json",
        OK + OK.replace("ok", "b"),
        [(1, "", "is not a list of records but one object a line", "give the file the suffix .jsonl")],
    ),
    "json object": (
        ".json",
        '{"data": []}',
        [(1, "", "is not a list of records", "write [ {...}, {...} ], or one object a line in a .jsonl file")],
    ),
    "json open": (
        ".json",
        '[\n{"id": "a", "question": "W?", "answer": "x"}\n',
        [(3, "", "is not JSON: the list is not closed", "end the file with ]")],
    ),
    "json comma": (
        ".json",
        '[{"id": "a", "question": "W?", "answer": "x"}\n{"id": "b"}]',
        [(2, "", "is not JSON: ',' is missing between records", "write a comma")],
    ),
    "json tail": (
        ".json",
        '[{"id": "a", "question": "W?", "answer": "x"}]\n]',
        [(2, "", "is not JSON: there is text after the list", "remove it")],
    ),
    "json torn": (
        ".json",
        '[\n{"id": "a", "question": "W?", "answer": "x"},\n{"id": "b", "quest',
        [(3, "", "is not JSON: Unterminated string starting at column 13", "correct the text there")],
    ),
    "json of texts": (".json", '[\n"a",\n"b"]', [(2, "", "is not an object", OBJECT), (3, "", "is not an object", OBJECT)]),
    "json record": (
        ".json",
        '[\n{"id": "a", "question": "W?", "answer": "x"},\n{"id": "b", "question": ""}]',
        [(3, "question", "is empty and there are no messages", QUESTION)],
    ),
    "csv nul": (
        ".csv",
        "id,question,answer\na,W?,x\nb,W\0?,x\n",
        [(3, "", "holds a NUL character", "save the file as UTF-8 text without NULs")],
    ),
    "csv ragged": (
        ".csv",
        "id,question,answer\na,W, really?,x\n",
        [(2, "", "has 4 cells, the header 3", "quote cells that hold commas")],
    ),
    "csv short": (
        ".csv",
        "id,question,answer\na,W?\n",
        [(2, "", "has 2 cells, the header 3", "leave a cell empty, but write its comma")],
    ),
    "csv open quote": (
        ".csv",
        'id,question,answer\na,W?,x\nb,"W?,x\n',
        [(3, "", "is not CSV: unexpected end of data", "close every quoted cell, and double the quotes inside")],
    ),
    "csv quote inside": (
        ".csv",
        'id,question,answer\na,"W"?",x\n',
        [(2, "", "is not CSV: ',' expected after '\"'", "close every quoted cell, and double the quotes inside")],
    ),
    "csv choices": (
        ".csv",
        'id,question,choices,answer\na,"two\nlines","{A: x}",A\n',
        [
            (
                2,
                "choices",
                "is not JSON: Expecting property name enclosed in double quotes",
                'write JSON in the cell, {"A": "text"} with doubled quotes',
            )
        ],
    ),
    "csv column": (
        ".csv",
        "id,quesion,answer\na,W?,x\n",
        [
            (2, "quesion", "is not a known field", "did you mean 'question'?"),
            (2, "question", "is empty and there are no messages", QUESTION),
        ],
    ),
    "csv twice": (
        ".csv",
        "id,question,answer,answer\na,W?,x,y\n",
        [(1, "answer", "is the name of two columns", "name every column once")],
    ),
    "csv semicolons": (
        ".csv",
        "id;question;answer\na;W?;x\n",
        [(1, "", "has one column: its cells are separated by semicolons", "separate cells by commas")],
    ),
    "csv tabs": (
        ".csv",
        "id\tquestion\tanswer\na\tW?\tx\n",
        [(1, "", "has one column: its cells are separated by tabs", "separate cells by commas")],
    ),
    "csv unnamed column": (".csv", ",question,answer\n0,W?,x\n", [(1, "", "column 1 has no name", "name every column")]),
    "csv no gold": (
        ".csv",
        "id,question,answer\na,W?,x\nb,V?,\n",
        [(3, "answer", "is null", "write the right answer, or leave the record out")],
    ),
    "csv header only": (".csv", "id,question,answer\n", [(0, "", "the file holds no records", "write one record a line")]),
    "csv tolerance": (
        ".csv",
        "id,question,answer,tolerance\na,W?,1,small\n",
        [(2, "tolerance", "is not JSON: Expecting value", "write a number")],
    ),
    "csv gold": (
        ".csv",
        'id,question,choices,answer\na,W?,"{""A"": ""x"", ""B"": ""y""}",C\n',
        [(2, "answer", "'C' is not among the choices A, B", ANSWER)],
    ),
    "released task type": (
        ".json",
        '{"name": "t",\n"task_type": "multiple_choise",\n"dev": [], "test": [{"id": 1, "input": "W?", "output": "x"}]}',
        [(2, "task_type", "'multiple_choise' is not a task type that moco grades", "did you mean 'multiple_choice'?")],
    ),
    "released torn": (
        ".json",
        '{"name": "t", "task_type": "exact_match",\n"dev": [],\n"test": [{"id": 1, "input": "W?", "outp',
        [(3, "", "is not JSON: Unterminated string starting at column 35", "correct the text there")],
    ),
    "released twice": (
        ".json",
        '{"name": "t", "dev": [],\n"test": [{"id": 1, "input": "W?", "output": "x"}],\n"dev": []}',
        [(3, "dev", "is given twice", ONE)],
    ),
    "released entry": (
        ".json",
        '{"name": "t", "task_type": "exact_match", "dev": [], "test": [\n{"id": 1, "input": "W?", "output": "x"},\n"W?"]}',
        [(3, "test", "entry 1 is not an object", 'write {"id": ..., "input": ...}')],
    ),
    "released mostly wrong": (
        ".json",
        '{"name": "t", "task_type": "exact_match", "dev": [], "test": [\n{"id": 1, "input": "W?", "anser": "x"},\n'
        '{"id": 2, "input": "V?", "anser": "y"}]}',
        [
            (2, "output", "is missing; a short_text record needs one", ANSWER),
            (3, "output", "is missing; a short_text record needs one", ANSWER),
        ],
    ),
    "released part": (
        ".json",
        '{"name": "t", "task_type": "exact_match", "test": [\n{"id": 1, "input": "W?", "output": "x"}],\n"dve": [{"id": 2}]}',
        [(3, "dve", "is neither dev nor test", "did you mean 'dev'?")],
    ),
}
