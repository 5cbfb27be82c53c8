"""What models write, or may write, when they call tools by text: well-formed, malformed, and no calls at all.

A row: the text, the calls that are meant in it as (name, arguments), and what the client shall read. The rows are
written from upstream.md 3.12 and 4.13.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

Calls = list[tuple[str, dict[str, Any]]]


class Row(NamedTuple):
    """One text."""

    text: str
    calls: Sequence[tuple[str, dict[str, Any]]] = ()
    said: str = ""


READ: Calls = [("read_file", {"path": "src/a.py"})]
RUN: Calls = [("execute_command", {"command": "ls -la"})]
PATCHED: Calls = [("apply_patch", {"input": "*** Begin Patch\n*** Update File: a.py\n\n-x\n+y < 1\n*** End Patch"})]
CODE = 'def f(a):\n    return "<b>" if a < 1 and a > 0 else {"x": [1]}\n'

ROWS = {
    # the JSON convention
    "json": Row('<tool_call>\n{"name": "read_file", "arguments": {"path": "src/a.py"}}\n</tool_call>', READ),
    "json, one line": Row('<tool_call>{"name":"read_file","arguments":{"path":"src/a.py"}}</tool_call>', READ),
    "prose before": Row(
        'I read it.\n\n<tool_call>\n{"name": "read_file", "arguments": {"path": "src/a.py"}}\n</tool_call>',
        READ,
        "I read it.",
    ),
    "prose before, same line": Row(
        'I read it: <tool_call>{"name": "read_file", "arguments": {"path": "src/a.py"}}</tool_call>', READ, "I read it:"
    ),
    "prose after": Row(
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "src/a.py"}}\n</tool_call>\nDone.', READ, "\nDone."
    ),
    "two blocks": Row(
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "src/a.py"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "execute_command", "arguments": {"command": "ls -la"}}\n</tool_call>',
        READ + RUN,
    ),
    "prose between": Row(
        'One:\n<tool_call>\n{"name": "read_file", "arguments": {"path": "src/a.py"}}\n</tool_call>\nTwo:\n'
        '<tool_call>\n{"name": "execute_command", "arguments": {"command": "ls -la"}}\n</tool_call>\n',
        READ + RUN,
        "One:\nTwo:",
    ),
    "two calls in one block": Row(
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "src/a.py"}}\n'
        '{"name": "execute_command", "arguments": {"command": "ls -la"}}\n</tool_call>',
        READ + RUN,
    ),
    "two calls in one block, comma": Row(
        '<tool_calls>{"name": "read_file", "arguments": {"path": "src/a.py"}},\n'
        '{"name": "execute_command", "arguments": {"command": "ls -la"}}</tool_calls>',
        READ + RUN,
    ),
    "a list in a block": Row(
        '<tool_call>[{"name": "read_file", "arguments": {"path": "src/a.py"}},'
        '{"name": "execute_command", "arguments": {"command": "ls -la"}}]</tool_call>',
        READ + RUN,
    ),
    "blocks in a block": Row(
        '<tool_calls>\n<tool_call>{"name": "read_file", "arguments": {"path": "src/a.py"}}</tool_call>\n</tool_calls>',
        READ,
    ),
    "tags in a string": Row(
        '<tool_call>{"name": "write_to_file", "arguments": {"path": "d.md", "content": "<tool_call>{}</tool_call> } ]"}}'
        "</tool_call>",
        [("write_to_file", {"path": "d.md", "content": "<tool_call>{}</tool_call> } ]"})],
    ),
    "escapes in a string": Row(
        '<tool_call>{"name": "execute_command", "arguments": {"command": "echo \\"a\\\\\\" \\u00e9 \\n"}}</tool_call>',
        [("execute_command", {"command": 'echo "a\\" é \n'})],
    ),
    "arguments as text": Row(
        '<tool_call>{"name": "read_file", "arguments": "{\\"path\\": \\"src/a.py\\"}"}</tool_call>', READ
    ),
    "parameters for arguments": Row(
        '<tool_call>{"name": "read_file", "parameters": {"path": "src/a.py"}}</tool_call>', READ
    ),
    "input for arguments": Row('<tool_call>{"name": "read_file", "input": {"path": "src/a.py"}}</tool_call>', READ),
    "function within": Row(
        '<tool_call>{"type": "function", "function": {"name": "read_file", "arguments": {"path": "src/a.py"}}}</tool_call>',
        READ,
    ),
    "arguments first": Row('<tool_call>{"arguments": {"path": "src/a.py"}, "name": "read_file"}</tool_call>', READ),
    "arguments beside the name": Row('<tool_call>{"name": "read_file", "path": "src/a.py"}</tool_call>', READ),
    "the name in another case": Row(
        '<tool_call>{"name": "ReadFile", "arguments": {"path": "src/a.py"}}</tool_call>', READ
    ),
    "the name with a prefix": Row(
        '<tool_call>{"name": "functions.read_file", "arguments": {"path": "src/a.py"}}</tool_call>', READ
    ),
    "an argument in another case": Row(
        '<tool_call>{"name": "read_file", "arguments": {"Path": "src/a.py"}}</tool_call>', READ
    ),
    "no arguments": Row('<tool_call>{"name": "get_time"}</tool_call>', [("get_time", {})]),
    "arguments null": Row('<tool_call>{"name": "get_time", "arguments": null}</tool_call>', [("get_time", {})]),
    "a function_call tag": Row(
        '<function_call>{"name": "read_file", "arguments": {"path": "src/a.py"}}</function_call>', READ
    ),
    "a fence within the block": Row(
        '<tool_call>\n```json\n{"name": "read_file", "arguments": {"path": "src/a.py"}}\n```\n</tool_call>', READ
    ),
    # broken JSON
    "the end is missing": Row('<tool_call>\n{"name": "read_file", "arguments": {"path": "src/a.py"}}', READ),
    "a bracket is missing": Row(
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "src/a.py"}\n</tool_call>', READ
    ),
    "a bracket and the end are missing": Row(
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "src/a.py"}', READ
    ),
    "a bracket too many": Row('<tool_call>{"name": "read_file", "arguments": {"path": "src/a.py"}}}</tool_call>', READ),
    "the beginning is missing": Row('{"name": "read_file", "arguments": {"path": "src/a.py"}}\n</tool_call>', READ),
    "no tags at all": Row('\n{"name": "read_file", "arguments": {"path": "src/a.py"}}', READ),
    "twice the end": Row(
        '<tool_call>{"name": "read_file", "arguments": {"path": "src/a.py"}}</tool_call>\n</tool_call>', READ
    ),
    "twice the beginning": Row(
        '<tool_call>\n<tool_call>\n{"name": "read_file", "arguments": {"path": "src/a.py"}}\n</tool_call>', READ
    ),
    "single quotes": Row("<tool_call>{'name': 'read_file', 'arguments': {'path': 'src/a.py'}}</tool_call>", READ),
    "bare keys": Row('<tool_call>{name: "read_file", arguments: {path: "src/a.py"}}</tool_call>', READ),
    "a comma too many": Row('<tool_call>{"name": "read_file", "arguments": {"path": "src/a.py",},}</tool_call>', READ),
    "a comma is missing": Row('<tool_call>{"name": "read_file" "arguments": {"path": "src/a.py"}}</tool_call>', READ),
    "Python's literals": Row(
        '<tool_call>{"name": "list_files", "arguments": {"path": ".", "recursive": True}}</tool_call>',
        [("list_files", {"path": ".", "recursive": True})],
    ),
    "lines within a string": Row(
        '<tool_call>{"name": "write_to_file", "arguments": {"path": "a", "content": "one\ntwo\n\tthree"}}</tool_call>',
        [("write_to_file", {"path": "a", "content": "one\ntwo\n\tthree"})],
    ),
    "backslashes within a string": Row(
        '<tool_call>{"name": "search_files", "arguments": {"path": "C:\\dir", "regex": "\\d+\\.py"}}</tool_call>',
        [("search_files", {"path": "C:\\dir", "regex": "\\d+\\.py"})],
    ),
    "quotes within a string": Row(
        '<tool_call>{"name": "execute_command", "arguments": {"command": "echo "hi" there"}}</tool_call>',
        [("execute_command", {"command": 'echo "hi" there'})],
    ),
    "an odd quote and a next call": Row(
        '<tool_call>{"name": "execute_command", "arguments": {"command": "ls -la}}</tool_call>\n'
        '<tool_call>{"name": "read_file", "arguments": {"path": "src/a.py"}}</tool_call>',
        RUN + READ,
    ),
    "an odd quote at the end": Row(
        '<tool_call>{"name": "execute_command", "arguments": {"command": "ls -la}}</tool_call>', RUN
    ),
    "a comment": Row(
        '<tool_call>{"name": "read_file", // the file\n"arguments": {"path": "src/a.py"}}</tool_call>', READ
    ),
    # coercion
    "numbers and booleans as words": Row(
        '<tool_call>{"name": "read_file", "arguments": {"path": "src/a.py", "start_line": "12"}}</tool_call>',
        [("read_file", {"path": "src/a.py", "start_line": 12})],
    ),
    "a number for a string": Row(
        '<tool_call>{"name": "read_file", "arguments": {"path": 7}}</tool_call>', [("read_file", {"path": "7"})]
    ),
    "null for what is optional": Row(
        '<tool_call>{"name": "read_file", "arguments": {"path": "src/a.py", "start_line": null}}</tool_call>', READ
    ),
    "nested": Row(
        '<tool_call>{"name": "update_plan", "arguments": {"todos": [{"title": "a", "done": "false", "children": '
        '[{"title": "b", "tags": "x"}]}], "mode": "Careful", "budget": "3", "options": {"x": "1.5"}}}</tool_call>',
        [
            (
                "update_plan",
                {
                    "todos": [{"title": "a", "done": False, "children": [{"title": "b", "tags": ["x"]}]}],
                    "mode": "careful",
                    "budget": 3,
                    "options": {"x": 1.5},
                },
            )
        ],
    ),
    "a list as text": Row(
        '<tool_call>{"name": "update_plan", "arguments": {"todos": "[{\\"title\\": \\"a\\"}]"}}</tool_call>',
        [("update_plan", {"todos": [{"title": "a"}]})],
    ),
    "one for a list": Row(
        '<tool_call>{"name": "update_plan", "arguments": {"todos": {"title": "a"}}}</tool_call>',
        [("update_plan", {"todos": [{"title": "a"}]})],
    ),
    "a property that nobody asked for": Row(
        '<tool_call>{"name": "update_plan", "arguments": {"todos": [{"title": "a", "colour": "red"}]}}</tool_call>',
        [("update_plan", {"todos": [{"title": "a"}]})],
    ),
    # Qwen3-Coder's form
    "coder": Row(
        "<tool_call>\n<function=read_file>\n<parameter=path>\nsrc/a.py\n</parameter>\n</function>\n</tool_call>", READ
    ),
    "coder, without the block": Row(
        "<function=read_file>\n<parameter=path>\nsrc/a.py\n</parameter>\n</function>", READ
    ),
    "coder, the beginning of the block is missing": Row(
        "<function=read_file>\n<parameter=path>\nsrc/a.py\n</parameter>\n</function>\n</tool_call>", READ
    ),
    "coder, one line": Row(
        "<tool_call><function=read_file><parameter=path>src/a.py</parameter></function></tool_call>", READ
    ),
    "coder, code": Row(
        f"<tool_call>\n<function=write_to_file>\n<parameter=path>\na.py\n</parameter>\n<parameter=content>\n{CODE}\n</parameter>\n"
        "</function>\n</tool_call>",
        [("write_to_file", {"path": "a.py", "content": CODE})],
    ),
    "coder, types": Row(
        "<tool_call>\n<function=read_file>\n<parameter=path>\nsrc/a.py\n</parameter>\n<parameter=start_line>\n12\n</parameter>\n"
        "</function>\n</tool_call>",
        [("read_file", {"path": "src/a.py", "start_line": 12})],
    ),
    "coder, nested": Row(
        '<tool_call>\n<function=update_plan>\n<parameter=todos>\n[{"title": "a", "done": true}]\n</parameter>\n'
        "<parameter=budget>\nnull\n</parameter>\n</function>\n</tool_call>",
        [("update_plan", {"todos": [{"title": "a", "done": True}], "budget": None})],
    ),
    "coder, a parameter not closed": Row(
        "<tool_call>\n<function=read_file>\n<parameter=path>\nsrc/a.py\n<parameter=start_line>\n12\n</parameter>\n</function>\n"
        "</tool_call>",
        [("read_file", {"path": "src/a.py", "start_line": 12})],
    ),
    "coder, the last parameter not closed": Row(
        "<tool_call>\n<function=read_file>\n<parameter=path>\nsrc/a.py\n</function>\n</tool_call>", READ
    ),
    "coder, the function not closed": Row(
        "<tool_call>\n<function=read_file>\n<parameter=path>\nsrc/a.py\n</parameter>\n</tool_call>", READ
    ),
    "coder, nothing closed": Row("<tool_call>\n<function=read_file>\n<parameter=path>\nsrc/a.py\n</parameter>", READ),
    "coder, attributes": Row(
        '<tool_call><function name="read_file"><parameter name="path">src/a.py</parameter></function></tool_call>', READ
    ),
    "coder, two in one block": Row(
        "<tool_call>\n<function=read_file>\n<parameter=path>\nsrc/a.py\n</parameter>\n</function>\n"
        "<function=execute_command>\n<parameter=command>\nls -la\n</parameter>\n</function>\n</tool_call>",
        READ + RUN,
    ),
    "coder, two blocks": Row(
        "<tool_call>\n<function=read_file>\n<parameter=path>\nsrc/a.py\n</parameter>\n</function>\n</tool_call>\n"
        "<tool_call>\n<function=execute_command>\n<parameter=command>\nls -la\n</parameter>\n</function>\n</tool_call>",
        READ + RUN,
    ),
    "coder, no parameters": Row("<tool_call>\n<function=get_time>\n</function>\n</tool_call>", [("get_time", {})]),
    "coder, JSON within": Row('<function=read_file>{"path": "src/a.py"}</function>', READ),
    "coder, its own tags in a value": Row(
        "<tool_call>\n<function=write_to_file>\n<parameter=path>\nd.md\n</parameter>\n<parameter=content>\n"
        "Write </parameter> behind it.\n</parameter>\n</function>\n</tool_call>",
        [("write_to_file", {"path": "d.md", "content": "Write </parameter> behind it."})],
    ),
    # seed B's convention
    "tags": Row("<read_file>\n<path>src/a.py</path>\n</read_file>", READ),
    "tags, prose before": Row("Let me look.\n\n<read_file>\n<path>src/a.py</path>\n</read_file>", READ, "Let me look."),
    "tags, one line": Row("Look: <read_file><path>src/a.py</path></read_file>", READ, "Look:"),
    "tags, line ends in values": Row("<read_file>\n<path>\nsrc/a.py\n</path>\n</read_file>", READ),
    "tags, several": Row(
        "<read_file>\n<path>src/a.py</path>\n</read_file>\n\n<execute_command>\n<command>ls -la</command>\n</execute_command>",
        READ + RUN,
    ),
    "tags, code": Row(
        f"<write_to_file>\n<path>a.py</path>\n<content>\n{CODE}\n</content>\n<line_count>2</line_count>\n</write_to_file>",
        [("write_to_file", {"path": "a.py", "content": CODE, "line_count": 2})],
    ),
    "tags, HTML with the parameter's own tag": Row(
        "<write_to_file>\n<path>a.html</path>\n<content>\n<content>x</content> and <path>\n</content>\n</write_to_file>",
        [("write_to_file", {"path": "a.html", "content": "<content>x</content> and <path>"})],
    ),
    "tags, a call in a value": Row(
        "<write_to_file>\n<path>d.md</path>\n<content>\n<read_file>\n<path>x</path>\n</read_file>\n</content>\n</write_to_file>",
        [("write_to_file", {"path": "d.md", "content": "<read_file>\n<path>x</path>\n</read_file>"})],
    ),
    "tags, escaped": Row(
        "<execute_command>\n<command>a &amp;&amp; b &lt; c</command>\n</execute_command>",
        [("execute_command", {"command": "a && b < c"})],
    ),
    "tags, CDATA": Row(
        "<write_to_file><path>a</path><content><![CDATA[<x>&amp;</x>]]></content></write_to_file>",
        [("write_to_file", {"path": "a", "content": "<x>&amp;</x>"})],
    ),
    "tags, indentation stays": Row(
        "<edit_file>\n<path>a.py</path>\n<old>    return 1</old>\n<new>\n    return 2\n</new>\n</edit_file>",
        [("edit_file", {"path": "a.py", "old": "    return 1", "new": "    return 2"})],
    ),
    "tags, an empty value": Row(
        "<edit_file>\n<path>a.py</path>\n<old>x</old>\n<new></new>\n</edit_file>",
        [("edit_file", {"path": "a.py", "old": "x", "new": ""})],
    ),
    "tags, booleans": Row(
        "<list_files>\n<path>.</path>\n<recursive>true</recursive>\n</list_files>",
        [("list_files", {"path": ".", "recursive": True})],
    ),
    "tags, nested tags": Row(
        "<update_plan>\n<todos>\n<todo><title>a</title><done>false</done><tags><tag>x</tag><tag>y</tag></tags></todo>\n"
        "<todo><title>b</title></todo>\n</todos>\n<mode>fast</mode>\n</update_plan>",
        [
            (
                "update_plan",
                {"todos": [{"title": "a", "done": False, "tags": ["x", "y"]}, {"title": "b"}], "mode": "fast"},
            )
        ],
    ),
    "tags, JSON in tags": Row(
        '<update_plan>\n<todos>[{"title": "a", "tags": ["x"]}]</todos>\n<options>{"x": 1}</options>\n</update_plan>',
        [("update_plan", {"todos": [{"title": "a", "tags": ["x"]}], "options": {"x": 1}})],
    ),
    "tags, broken JSON in tags": Row(
        "<update_plan>\n<todos>[{'title': 'a', done: True}]</todos>\n</update_plan>",
        [("update_plan", {"todos": [{"title": "a", "done": True}]})],
    ),
    "tags, the end is missing": Row("<read_file>\n<path>src/a.py</path>\n", READ),
    "tags, the parameter is not closed": Row("<read_file>\n<path>src/a.py\n</read_file>", READ),
    "tags, nothing but the value": Row("<execute_command>ls -la</execute_command>", RUN),
    "tags, JSON in place of tags": Row('<read_file>\n{"path": "src/a.py"}\n</read_file>', READ),
    "tags, no parameters": Row("<get_time>\n</get_time>", [("get_time", {})]),
    "tags, an empty tag": Row("Now: <get_time/>", [("get_time", {})], "Now:"),
    "tags in a block": Row("<tool_call>\n<read_file>\n<path>src/a.py</path>\n</read_file>\n</tool_call>", READ),
    "tags, an argument in another case": Row("<read_file><Path>src/a.py</Path></read_file>", READ),
    # no calls
    "plain": Row("Just an answer, 1 < 2 and 3 > 2.", (), "Just an answer, 1 < 2 and 3 > 2."),
    "blanks": Row("  \n indented \n\n", (), "  \n indented \n\n"),
    "HTML": Row("<div>\n<p>a</p>\n</div>", (), "<div>\n<p>a</p>\n</div>"),
    "talk of a tool": Row("Use the <read_file> tool for it.", (), "Use the <read_file> tool for it."),
    "talk of the tag": Row("I write <tool_call> to call.", (), "I write <tool_call> to call."),
    "quoted": Row(
        'Write "<read_file><path>x</path></read_file>" then.', (), 'Write "<read_file><path>x</path></read_file>" then.'
    ),
    "escaped": Row(
        "&lt;tool_call&gt;{}&lt;/tool_call&gt; \\<tool_call>{}",
        (),
        "&lt;tool_call&gt;{}&lt;/tool_call&gt; \\<tool_call>{}",
    ),
    "inline code": Row(
        "Like `<read_file><path>x</path></read_file>`, or ``<tool_call>{}</tool_call>``.",
        (),
        "Like `<read_file><path>x</path></read_file>`, or ``<tool_call>{}</tool_call>``.",
    ),
    "a fence": Row(
        '```xml\n<tool_call>\n{"name": "read_file", "arguments": {"path": "x"}}\n</tool_call>\n```\nSo it is done.',
        (),
        '```xml\n<tool_call>\n{"name": "read_file", "arguments": {"path": "x"}}\n</tool_call>\n```\nSo it is done.',
    ),
    "a fence, then a call": Row(
        "For example:\n~~~\n<read_file>\n<path>x</path>\n</read_file>\n~~~\nNow:\n<read_file>\n<path>src/a.py</path>\n</read_file>",
        READ,
        "For example:\n~~~\n<read_file>\n<path>x</path>\n</read_file>\n~~~\nNow:",
    ),
    "a fence in a fence": Row(
        "````\n```\n<read_file><path>x</path></read_file>\n```\n<read_file><path>y</path></read_file>\n````",
        (),
        "````\n```\n<read_file><path>x</path></read_file>\n```\n<read_file><path>y</path></read_file>\n````",
    ),
    "a lone backtick": Row("It's ` odd.\n<read_file><path>src/a.py</path></read_file>", READ, "It's ` odd."),
    "an unknown tag": Row("<read_files><path>x</path></read_files>", (), "<read_files><path>x</path></read_files>"),
    "an unknown function": Row("<function=nothing>\n</function>", (), "<function=nothing>\n</function>"),
    "JSON that is no call": Row('{"name": "Ann", "arguments": 2}', (), '{"name": "Ann", "arguments": 2}'),
    "JSON of a person": Row('{"name": "read_file", "age": 2}', (), '{"name": "read_file", "age": 2}'),
    "thoughts": Row(
        "<think>\nI could <read_file><path>x</path></read_file> it.\n</think>\n<read_file><path>src/a.py</path></read_file>",
        READ,
        "<think>\nI could <read_file><path>x</path></read_file> it.\n</think>",
    ),
    "a grammar": Row("<tool_call>{NAME, ARGUMENTS...}</tool_call>", (), "<tool_call>{NAME, ARGUMENTS...}</tool_call>"),
    # what models do beside
    "a fence that is never closed": Row(
        'Reading:\n```xml\n<tool_call>\n{"name": "read_file", "arguments": {"path": "src/a.py"}}\n</tool_call>',
        READ,
        "Reading:\n```xml",
    ),
    "a fence of tags that is never closed": Row("```\n<read_file>\n<path>src/a.py</path>\n</read_file>\n", READ, "```"),
    "a fence that is closed at the end": Row(
        "```xml\n<read_file>\n<path>x</path>\n</read_file>\n```",
        (),
        "```xml\n<read_file>\n<path>x</path>\n</read_file>\n```",
    ),
    "HTML in a fence": Row("```html\n<p>\n<b>x</b>\n</p>\n```\nx", (), "```html\n<p>\n<b>x</b>\n</p>\n```\nx"),
    "a fence within thoughts": Row(
        "<think>\n```\nhm `\n</think>\n\n<read_file><path>src/a.py</path></read_file>",
        READ,
        "<think>\n```\nhm `\n</think>",
    ),
    "the tool's answer invented": Row(
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "src/a.py"}}\n</tool_call>\n<tool_response>\nx = 1\n'
        '</tool_response>\nNow:\n<tool_call>\n{"name": "execute_command", "arguments": {"command": "rm -rf x"}}\n</tool_call>',
        READ,
    ),
    "the tool's answer invented, tags": Row(
        "<read_file>\n<path>src/a.py</path>\n</read_file>\n\nTool Result from read_file:\nx = 1\n\n"
        "<execute_command>\n<command>rm -rf x</command>\n</execute_command>",
        READ,
    ),
    "something like a tool's answer": Row(
        "<read_file><path>src/a.py</path></read_file>\nTool Results are next.", READ, "\nTool Results are next."
    ),
    "behind a closing quote": Row(
        'I run "ls"<tool_call>{"name": "read_file", "arguments": {"path": "src/a.py"}}</tool_call>', READ, 'I run "ls"'
    ),
    "an apostrophe": Row("It's Ann's<read_file><path>src/a.py</path></read_file>", READ, "It's Ann's"),
    "single quotes around": Row(
        "Write '<read_file><path>x</path></read_file>'.", (), "Write '<read_file><path>x</path></read_file>'."
    ),
    "the one text that a tool takes": Row(
        '<tool_call>\n{"name": "apply_patch", "arguments": "*** Begin Patch\\n*** Update File: a.py\\n\\n-x\\n+y < 1\\n*** End Patch"}\n</tool_call>',
        PATCHED,
    ),
    "the one text, between tags": Row(
        "<apply_patch>\n*** Begin Patch\n*** Update File: a.py\n\n-x\n+y < 1\n*** End Patch\n</apply_patch>", PATCHED
    ),
    "the one text, Qwen3-Coder's form": Row(
        "<tool_call>\n<function=apply_patch>\n<parameter=input>\n*** Begin Patch\n*** Update File: a.py\n\n-x\n+y < 1\n*** End Patch\n</parameter>\n</function>\n</tool_call>",
        PATCHED,
    ),
    "talk of a tool on a line, then a call": Row(
        "<execute_command> is what I need.\n\n<execute_command>\n<command>ls -la</command>\n</execute_command>",
        RUN,
        "<execute_command> is what I need.",
    ),
}
