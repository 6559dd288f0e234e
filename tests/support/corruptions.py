"""Corruptions: each makes a damaged or altered file of valid ones, given a random generator."""

import gzip
import io
import json
import re
import zipfile

import onnx


def zipped(members, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def pick(generator, options):
    return options[generator.integers(len(options))]


def slice_of(generator, content):
    start, end = sorted(generator.integers(0, len(content) + 1, 2).tolist())
    return (start, end) if generator.random() < 0.5 else (start, min(start + int(generator.integers(1, 9)), len(content)))


def flip_bits(generator, contents):
    content = bytearray(pick(generator, contents))
    for _ in range(generator.integers(1, 9)):
        content[generator.integers(len(content))] ^= 1 << generator.integers(8)
    return bytes(content)


def truncate(generator, contents):
    content = pick(generator, contents)
    return content[: generator.integers(len(content))]


def delete(generator, contents):
    content = pick(generator, contents)
    start, end = slice_of(generator, content)
    return content[:start] + content[end:]


def duplicate(generator, contents):
    content = pick(generator, contents)
    start, end = slice_of(generator, content)
    return content[:end] + content[start:end] * int(generator.integers(1, 4)) + content[end:]


def splice(generator, contents):
    first, second = pick(generator, contents), pick(generator, contents)
    return first[: generator.integers(len(first) + 1)] + second[generator.integers(len(second) + 1) :]


def overwrite(generator, contents):
    """As if another size stood in a header."""
    content = bytearray(pick(generator, contents))
    width = int(pick(generator, (1, 2, 4, 8)))
    value = int(pick(generator, (0, 1, 2, 255, 1 << 15, (1 << 31) - 1, 1 << 31, 10**9, (1 << 63) - 1, (1 << 64) - 1))) % (1 << 8 * width)
    start = int(generator.integers(min(len(content), pick(generator, (16, 128, len(content))))))
    content[start : start + width] = value.to_bytes(width, pick(generator, ("little", "big")))
    return bytes(content)


BYTES = (flip_bits, truncate, delete, duplicate, splice, overwrite)

TOKENS = (
    *("-1", "0", "1", "2", "3", "0.5", "1e9", "1e308", "1e999", "-1e999", "1e-320", "-0.0", "10000000000000", "9" * 400, "9" * 5000),
    *("NaN", "nan", "inf", "-Infinity", "0x10", "1_0", "٣", "1e", "null", "true", '"1"', '"', "'1'", "[]", "[[1]]", "{}", "(1, 2)"),
    *("[" * 20_000, '{"a":' * 20_000, "[" * 900 + "]" * 900, "-" * 9000 + "1", "(" * 9000, " " * 100, "1,2", "\n", "\x00", "", "lambda: 0"),
)
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e-?\d+)?")
WORD = re.compile(rb'"[^"]*"|\'[^\']*\'|[\w.+-]+')


def replace_token(generator, contents):
    """Some number or word becomes another: huge, negative, not a number, of another type, nested."""
    content = pick(generator, contents)
    found = list(pick(generator, (NUMBER, WORD)).finditer(content))
    if not found:
        return content
    match = pick(generator, found)
    return content[: match.start()] + pick(generator, TOKENS).encode() + content[match.end() :]


VALUES = (
    *(None, True, False, 0, 1, -1, 3, 2**31, 2**63, 10**30, 10**400, 0.5, -0.0, 1e308, 1e-320, 3e38),
    *("", "1", "a", "bias", "input", "hidden", "hidden 1", "output", "tanh", "sum", "exec", "\ud800", "a\nb", "\x00", "x" * 3000),
    *("../../outside", "$\\frac$", [], {}, [[]], [{}], [0.5, 0.25], [None], ["a", "b"], [1, 2, 3], [[1.0, 2.0], [3.0, 4.0]]),
    *([[1.0], [2.0, 3.0]], {"name": "x"}, {"from": "x", "to": "left"}),
)


def places(value, found):
    """Every (container, key) inside a JSON value."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        found.append((value, key))
        places(value[key], found)
    return found


def change_json(generator, document):
    """Changes one to three values: another type, the value of another place, gone, twice."""
    for _ in range(generator.integers(1, 4)):
        found = places(document, [])
        if not found:
            break
        container, key = pick(generator, found)
        match generator.integers(8):
            case 0 | 1:
                container[key] = pick(generator, VALUES)
            case 2 | 3:
                namesakes = [(other, place) for other, place in found if place == key]
                other, place = pick(generator, namesakes)
                container[key] = json.loads(json.dumps(other[place]))
            case 4:
                other, place = pick(generator, found)
                container[key] = json.loads(json.dumps(other[place]))
            case 5:
                del container[key]
            case _ if isinstance(container, list):
                container.insert(key, json.loads(json.dumps(container[key])))
            case _:
                container[f"{key} "] = container.pop(key)
    return document


def replace_values(generator, contents):
    return json.dumps(change_json(generator, json.loads(pick(generator, contents)))).encode()


def replace_members(generator, contents):
    """An archive is made again with one of its members changed, so that its checksums are right."""
    with zipfile.ZipFile(io.BytesIO(pick(generator, contents))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = pick(generator, list(members))
    members[name] = pick(generator, (*BYTES, replace_token, replace_token))(
        generator, (members[name], members[pick(generator, list(members))])
    )
    return zipped(members, pick(generator, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def recompress(generator, contents):
    return gzip.compress(pick(generator, BYTES)(generator, tuple(map(gzip.decompress, contents))), 1)


def replace_fields(generator, contents):
    """One field of an ONNX model changes: metadata, or a tensor's sizes, type or data, or an operation."""
    model = onnx.ModelProto.FromString(pick(generator, contents))
    tensor, entry = pick(generator, model.graph.initializer), pick(generator, model.metadata_props)
    match generator.integers(7):
        case 0:
            entry.value = replace_token(generator, (entry.value.encode(),)).decode()
        case 1:
            entry = next(entry for entry in model.metadata_props if entry.key == "groups")
            entry.value = json.dumps(change_json(generator, json.loads(entry.value)))
        case 2:
            tensor.dims[:] = pick(
                generator, ([], [0], [10**12, 0], [0, 10**12], [-1], [1 << 62], [10**12, 10**12], [len(tensor.dims)] * 40)
            )
        case 3:
            tensor.data_type = int(generator.integers(30))
        case 4:
            tensor.raw_data = pick(generator, BYTES)(generator, (tensor.raw_data, bytes(range(9))))
        case 5:
            pick(generator, (model.graph.initializer, model.graph.node, model.metadata_props)).pop()
        case _:
            model.graph.node.append(pick(generator, model.graph.node))
    return model.SerializeToString()


TEXT = (*BYTES, *[replace_token] * 6)
JSON = (*TEXT, *[replace_values] * 8)
