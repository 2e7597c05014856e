"""No part of VCL is missing from the manual, or from the scenario tests.

What there is comes from the tables in include/tbl and the descriptions of
modules.  A name is tested if it is used in the VCL of a scenario: a variable
in each way that it can be used, a verdict in each sub that may return it, a
module's function by the module's name.
"""
import pathlib
import re

import pytest

from copal import BIN

TOP = pathlib.Path(__file__).resolve().parents[2]
MAN = BIN.parent / "man"
STRING = r'"(?:[^"\\]|\\.)*"'


# --------------------------------------------------------- what there is

def arguments(text):
    """Those of a record of a table: its commas outside of () and strings."""
    parts, depth = [""], 0
    for token in re.findall(STRING + r"|.", text):
        depth += (token == "(") - (token == ")")
        if token == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return [part.strip() for part in parts]


def table(name, record):
    """The arguments of each record: one a line."""
    text = (TOP / f"include/tbl/{name}.h").read_text()
    found = re.findall(rf"^{record}\((.*)\)$", text, re.M)
    assert found and len(found) == len(
        re.findall(rf"^{record}\(", text, re.M)), f"{name}.h is unreadable"
    return [arguments(record) for record in found]


def unquoted(text):
    return text[1:-1]


VARIABLES = [{"name": unquoted(name), "read": read, "set": write,
              "unset": unset}
             for _, name, _, read, write, unset, _
             in table("vcl_vars", "VCL_VAR")]
HEADS = [{"name": unquoted(name) + ".http", "read": read, "set": write,
          "unset": unset}
         for _, name, _, read, write, unset, _
         in table("vcl_heads", "VCL_HEAD")]
VERDICTS = {id_: unquoted(word)
            for id_, word, _ in table("vcl_verdicts", "VCL_VERDICT")}
SUBS = {unquoted(name): [VERDICTS[v] for v in re.findall(r"VR\((\w+)\)", may)]
        for _, name, _, may in table("vcl_subs", "VCL_SUB")}
FUNCTIONS = [unquoted(name)
             for name, *_ in table("vcl_functions", "VCL_FUNCTION")]
METHODS = [(type_, unquoted(name))
           for type_, name, *_ in table("vcl_functions", "VCL_METHOD")]
TYPES = [id_ for id_, *_ in table("vcl_types", "VCL_TYPE")]
MODULES = [name for name, in table("vmods", "VMOD")]


def module_records(module):
    """(kind, name) of a module's functions, objects and methods."""
    text = (TOP / f"vcl/vmod/{module}.vmod").read_text()
    return [(kind, name) for kind, name in
            re.findall(r"^(function|object|method)\s+(?:[A-Z_]+\s+)?(\w+)\(",
                       text, re.M)]


RECORDS = [(module, kind, name)
           for module in MODULES for kind, name in module_records(module)]


# ------------------------------------------------------- what is tested

def vcl_of(text):
    """A scenario without comments and what client and origin expect."""
    return re.sub(r"^\s*(#|expect ).*$", "", text, flags=re.M)


TESTS = "\n".join(vcl_of(path.read_text()) for path in
                  sorted((TOP / "tests/scenario").glob("*.vtc")))


def bodies_of(sub):
    """The blocks of all subs of that name."""
    for found in re.finditer(rf"\bsub\s+{sub}\s*{{", TESTS):
        depth, at = 1, found.end()
        while depth > 0 and at < len(TESTS):
            depth += (TESTS[at] == "{") - (TESTS[at] == "}")
            at += 1
        yield TESTS[found.end():at]


RETURNED = {sub: set(re.findall(r"\breturn\s*\(\s*(\w+)",
                                "\n".join(bodies_of(sub)))) for sub in SUBS}
USED = {"set": set(), "unset": set(), "read": set()}
for how, name in re.findall(
        r"(?:\b(set|unset)\s+)?(?<![\w.])([a-z_]\w*(?:\.[a-z_]\w*)+|now)\b",
        TESTS):
    # "req.http.x" is a use of req.http
    name = re.sub(r"^(\w+\.http)\..*", r"\1", name)
    USED[how or "read"].add(name)


def ways(variable):
    return [how for how in ("read", "set", "unset")
            if not variable[how].startswith("VS_NONE")]


def missing(found):
    assert not found, "\n".join(["not there:", *sorted(found)])


def test_subs_and_verdicts_are_tested():
    missing({f"{sub}: return ({verdict})"
             for sub, verdicts in SUBS.items() for verdict in verdicts
             if verdict not in RETURNED[sub]})


@pytest.mark.parametrize("records", [VARIABLES, HEADS],
                         ids=["variables", "heads"])
def test_variables_are_tested(records):
    missing({f"{how} {variable['name']}"
             for variable in records for how in ways(variable)
             if variable["name"] not in USED[how]})


def test_functions_are_tested():
    missing({f"{name}()" for name in FUNCTIONS
             if not re.search(rf"(?<![\w.]){name}\(", TESTS)})
    missing({f"{type_}.{name}()" for type_, name in METHODS
             if not re.search(rf"\w\.{name}\b", TESTS)})


def test_modules_are_tested():
    patterns = {"function": r"\b{module}\.{name}\(",
                "object": r"\bnew\s+\w+\s*=\s*{module}\.{name}\(",
                "method": r"\w\.{name}\("}
    missing({f"{module}: {kind} {name}" for module, kind, name in RECORDS
             if not re.search(patterns[kind].format(module=module, name=name),
                              TESTS)})


# --------------------------------------------------- what is in the manual

def page(name):
    """A page with roff's escapes undone; empty if there is none."""
    path = MAN / name
    text = path.read_text() if path.exists() else ""
    return text.replace("\\-", "-").replace("\\&", "").replace("\\e", "\\")


def items(name):
    """The first words of a page's items and sections."""
    return set(re.findall(r'^\.(?:B|BR|SS) "?([\w.*]+)', page(name), re.M))


def test_variables_are_in_the_manual():
    names = items("vcl-variables.7")
    missing({v["name"] for v in VARIABLES} - names)
    missing({v["name"] + ".*" for v in HEADS} - names)


def test_subs_and_verdicts_are_in_the_manual():
    names = items("vcl-steps.7")
    missing(set(SUBS) - names)
    returned = {v for verdicts in SUBS.values() for v in verdicts}
    missing(returned - names)
    missing({unquoted(name) for _, name, _ in table("steps", "STEP")} - names)


def test_functions_and_types_are_in_the_manual():
    text = page("vcl.7")
    missing({name for name in FUNCTIONS if f" {name}(" not in text})
    missing({f"{type_}.{name}" for type_, name in METHODS
             if f"{type_}.{name}()" not in text})
    missing(set(TYPES) - items("vcl.7"))


def test_modules_are_in_the_manual():
    missing({f"{module}: {kind} {name}" for module, kind, name in RECORDS
             if not re.search(rf"\b{name}\(", page(f"vmod_{module}.3"))})
