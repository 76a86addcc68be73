"""The strict reader and the canonical form (spec/envelope.md, RFC 8785)."""

from __future__ import annotations

from collections.abc import Iterator

from vectors.generate.common import Vector, raw, text

ASTRAL = "the v1 core sorts keys by code point, RFC 8785 by UTF-16 code unit"
INTEGERS = "the v1 core writes integers beyond 2^53 as they are; no other number format agrees on them"


def vectors() -> Iterator[Vector]:
    yield _ok("empty_object", "the smallest object", "{}", "{}")
    yield _ok("white_space", "white space is not kept", ' { "a" : [ 1 , 2 ] }\r\n', '{"a":[1,2]}')
    yield _ok("key_order", "keys are sorted", '{"b":1,"a":2,"B":3,"":4}', '{"":4,"B":3,"a":2,"b":1}')
    yield _ok(
        "key_order_utf16",
        "U+1F600 is D83D DE00 in UTF-16 and sorts before U+FB33",
        '{"\\ufb33":1,"\\ud83d\\ude00":2}',
        '{"\U0001f600":2,"\ufb33":1}',
        v1_deviates=ASTRAL,
    )
    yield _ok("nested_order", "the keys of inner objects too", '{"a":{"d":1,"c":2}}', '{"a":{"c":2,"d":1}}')
    yield _ok("literals", "null, true and false", '{"a":[null,true,false]}', '{"a":[null,true,false]}')
    yield _ok(
        "escapes",
        "the short escapes, hex in lower case, and nothing else escaped",
        '{"a":"\\u0008\\u0009\\u000a\\u000c\\u000d\\u0022\\u005c\\u002f\\u001F\\u007f\\u00e9"}',
        '{"a":"\\b\\t\\n\\f\\r\\"\\\\/\\u001f\x7f\u00e9"}',
    )
    yield _ok("surrogate_pair", "an escaped pair is one character", '{"a":"\\ud83d\\ude00"}', '{"a":"😀"}')
    yield _ok(
        "no_normalisation",
        "composed and decomposed characters stay apart",
        '{"\u00e9":1,"e\u0301":2}',
        '{"e\u0301":2,"\u00e9":1}',
    )
    yield _ok("integer_limits", "the largest exact integers", *[f'{{"a":[{2**53 - 1},-{2**53 - 1}]}}'] * 2)
    yield _ok("minus_zero", "minus zero is zero", '{"a":[-0,-0.0,0.0]}', '{"a":[0,0,0]}')
    yield _ok(
        "float_forms",
        "floats as ECMAScript writes them",
        '{"a":[1.0,1e2,0.1,0.000001,1e-7,1.5E-10,5e-324,-4.50,9007199254740991.0,1234567890123.25]}',
        '{"a":[1,100,0.1,0.000001,1e-7,1.5e-10,5e-324,-4.5,9007199254740991,1234567890123.25]}',
    )
    yield _ok("depth_32", "the deepest nesting", *['{"a":' + "[" * 31 + "]" * 31 + "}"] * 2)

    yield _bad("depth_33", "one level too deep", '{"a":' + "[" * 32 + "]" * 32 + "}", "too-deep", looser=True)
    yield _bad("depth_20000", "deep enough to break a recursive reader", "[" * 20000, "too-deep")
    yield _bad("duplicate_key", "a key twice in one object", '{"a":1,"a":1}', "duplicate-key", looser=True)
    yield _bad(
        "duplicate_key_escaped", "twice, once escaped", '{"a":1,"\\u0061":2}', "duplicate-key", looser=True
    )
    yield _bad(
        "duplicate_key_nested",
        "twice in an inner object",
        '{"b":{"a":1,"a":2}}',
        "duplicate-key",
        looser=True,
    )
    yield _bad(
        "integer_2_53", "2^53 is the first integer refused", f'{{"a":{2**53}}}', "bad-number", deviates=True
    )
    yield _bad("integer_minus_2_53", "and -2^53", f'{{"a":-{2**53}}}', "bad-number", deviates=True)
    yield _bad("integer_10000_digits", "too long for int()", '{"a":' + "9" * 10000 + "}", "bad-number")
    for name, comment, number in (
        ("float_2_53", "a float that would be written as a refused integer", "9007199254740992.0"),
        ("float_1e21", "a float that would be written with an exponent", "1e21"),
    ):
        yield _refused(
            name, comment, text(f'{{"a":{number}}}'), "bad-number", v1_looser="the v1 core takes any float"
        )
    yield _bad("float_overflow", "a float beyond all range", '{"a":1e999}', "bad-number")
    yield _bad("nan", "not a JSON number", '{"a":NaN}', "bad-number")
    yield _bad("infinity", "not a JSON number", '{"a":-Infinity}', "bad-number")
    yield _bad("lone_surrogate", "half a pair in a value", '{"a":"\\ud800"}', "bad-string")
    yield _bad("lone_surrogate_key", "half a pair in a key", '{"\\udc00":1}', "bad-string")
    yield _bad("surrogates_swapped", "a pair in the wrong order", '{"a":"\\ude00\\ud83d"}', "bad-string")
    yield _bad("raw_control", "an unescaped newline in a string", '{"a":"\n"}', "not-json")
    yield _bad("trailing_comma", "a comma too many", '{"a":1,}', "not-json")
    yield _bad("trailing_text", "something after the object", "{}{}", "not-json")
    yield _bad("comment", "JSON has no comments", "{/**/}", "not-json")
    yield _bad("leading_zero", "a number with a leading zero", '{"a":01}', "not-json")
    yield _bad("byte_order_mark", "a byte order mark", "\ufeff{}", "not-json")
    yield _bad("empty", "no bytes at all", "", "not-json")
    yield _bad("array", "an array, not an object", "[]", "not-object")
    for name, comment, given, code in (
        ("bad_utf8", "a byte that is not UTF-8", b'{"a":"\xff"}', "not-utf8"),
        ("utf8_surrogate", "a surrogate coded in UTF-8", b'{"a":"\xed\xa0\x80"}', "not-utf8"),
        ("utf16", "UTF-16, which some readers guess", "{}".encode("utf-16-le"), "not-json"),
    ):
        yield _refused(name, comment, raw(given), code, v1_looser=LOOSER.get(code, ""))


def _ok(name: str, comment: str, given: str, expected: str, v1_deviates: str = "") -> Vector:
    value = {"canonical": expected}
    return Vector(
        "canonical",
        name,
        comment,
        "parse",
        {"bytes": text(given)},
        "json",
        value=value,
        v1_deviates=v1_deviates,
    )


LOOSER = {
    "too-deep": "the v1 core nests to 127",
    "duplicate-key": "the v1 core takes the last of two equal keys inside a payload",
    "not-utf8": "the v1 core reads such bytes as U+FFFD",
}


def _bad(
    name: str, comment: str, given: str, code: str, *, looser: bool = False, deviates: bool = False
) -> Vector:
    return _refused(
        name,
        comment,
        text(given),
        code,
        v1_deviates=INTEGERS if deviates else "",
        v1_looser=LOOSER[code] if looser else "",
    )


def _refused(name: str, comment: str, given: dict[str, str], code: str, **marks: str) -> Vector:
    return Vector("canonical", name, comment, "parse", {"bytes": given}, "json", code, **marks)
