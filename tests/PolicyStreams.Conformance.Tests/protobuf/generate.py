#!/usr/bin/env python3
"""Makes cases.jsonl: random Protobuf schemas and messages, encoded by protoc (Debian: protobuf-compiler), values as JSON, and masked copies.

    ./generate.py [SEED] > cases.jsonl

Each line: the schema's text, the message's full name, its bytes in hexadecimal, its value as policystreams writes it, and masks: a path, what its texts
become (null: the field is taken away), and the bytes that protoc gives for the message with that done. Tests read the file and need no protoc.
"""
import base64, copy, json, os, random, subprocess, sys, tempfile

INTS = {"int32": (-2**31, 2**31 - 1), "sint32": (-2**31, 2**31 - 1), "sfixed32": (-2**31, 2**31 - 1), "uint32": (0, 2**32 - 1), "fixed32": (0, 2**32 - 1),
        "int64": (-2**63, 2**63 - 1), "sint64": (-2**63, 2**63 - 1), "sfixed64": (-2**63, 2**63 - 1), "uint64": (0, 2**64 - 1), "fixed64": (0, 2**64 - 1)}
SCALARS = list(INTS) + ["bool", "string", "string", "string", "bytes", "float", "double"]
WIDE = {"int64", "sint64", "sfixed64", "uint64", "fixed64"}
KNOWN = {"google.protobuf.Timestamp": "timestamp", "google.protobuf.Duration": "duration", "google.protobuf.StringValue": "wrappers", "google.protobuf.Int64Value": "wrappers"}


class Field:
    def __init__(self, name, number, kind, label, key=None, oneof=None, packed=None, group=False):
        self.name, self.number, self.kind, self.label, self.key, self.oneof, self.packed, self.group = name, number, kind, label, key, oneof, packed, group


class Message:
    def __init__(self, name):
        self.name, self.fields = name, []


class Schema:
    def __init__(self, rng):
        self.rng, self.proto3 = rng, rng.random() < 0.5
        self.messages, self.enums, self.imports = [Message(f"M{i}") for i in range(rng.randint(1, 4))], {}, set()
        for i in range(rng.randint(1, 2)):
            numbers = [0] + rng.sample(range(1, 300), rng.randint(1, 4)) + ([-7] if rng.random() < 0.3 else [])
            self.enums[f"E{i}"] = {f"E{i}_{j}": number for j, number in enumerate(numbers)}
        for message in self.messages:
            self.fill(message)

    def kind(self):
        roll = self.rng.random()
        if roll < 0.62: return self.rng.choice(SCALARS)
        if roll < 0.72: return self.rng.choice(list(self.enums))
        if roll < 0.84:
            known = self.rng.choice(list(KNOWN))
            self.imports.add(KNOWN[known])
            return known
        return self.rng.choice(self.messages)

    def group(self, i, depth):
        """A group: a message of its own inside another, named as a type and used as a field of that name in small letters."""
        inside = Message(f"G{i}")
        self.fill(inside, depth + 1)
        return inside

    def fill(self, message, depth=0):
        rng = self.rng
        numbers = rng.sample(list(range(1, 20)) + [100, 128, 1000, 18999, 20000, 536870911], rng.randint(2, 9))
        oneof = None
        for i, number in enumerate(numbers):
            name, roll = f"f_{i}", rng.random()
            if not self.proto3 and depth < 2 and rng.random() < 0.12:
                label, inside = rng.choice([("repeated", None), ("optional", None), ("", "choice")])
                message.fields.append(Field(f"g{i}", number, self.group(i, depth), label, oneof=inside, group=True))
            elif roll < 0.15:
                message.fields.append(Field(name, number, self.kind(), "map", key=rng.choice(["string", "string", "int32", "uint64", "bool", "sint64"])))
            elif roll < 0.40:
                packed = rng.choice([None, True, False])
                message.fields.append(Field(name, number, self.kind(), "repeated", packed=packed))
            elif roll < 0.55:
                message.fields.append(Field(name, number, self.kind(), "", oneof="choice"))
            elif not self.proto3 and roll < 0.62:
                message.fields.append(Field(name, number, rng.choice(SCALARS), "required"))
            else:
                label = "optional" if not self.proto3 or rng.random() < 0.4 else ""
                message.fields.append(Field(name, number, self.kind(), label))

    def text(self):
        lines = [f'syntax = "{"proto3" if self.proto3 else "proto2"}";', "package cases.of;"]
        lines += [f'import "google/protobuf/{name}.proto";' for name in sorted(self.imports)]
        for name, values in self.enums.items():
            lines.append(f"enum {name} {{ " + " ".join(f"{symbol} = {number};" for symbol, number in values.items()) + " }")
        for message in self.messages:
            lines += [f"message {message.name} {{", *self.inside(message), "}"]
        return "\n".join(lines) + "\n"

    def inside(self, message):
        lines, chosen = [], []
        for field in message.fields:
            kind = field.kind.name if isinstance(field.kind, Message) else field.kind
            options = "" if field.packed is None or kind not in list(INTS) + ["bool", "float", "double"] + list(self.enums) else f" [packed = {str(field.packed).lower()}]"
            if field.group: line = f"{field.label} group {kind} = {field.number} {{ {' '.join(self.inside(field.kind))} }}".strip()
            elif field.label == "map": line = f"map<{field.key}, {kind}> {field.name} = {field.number};"
            else: line = f"{field.label} {kind} {field.name} = {field.number}{options};".strip()
            (chosen if field.oneof else lines).append("  " + line)
        if chosen: lines.append("  oneof choice {" + " ".join(chosen) + " }")
        return lines

    # Values: None absent, dict a message, list repeated, dict-of-key a map (as list of pairs).

    def scalar(self, kind):
        rng = self.rng
        if kind in INTS:
            low, high = INTS[kind]
            return rng.choice([0, 1, low, high, rng.randint(low, high), max(low, min(high, rng.randint(-300, 300)))])
        if kind == "bool": return rng.random() < 0.5
        if kind == "string": return rng.choice(["", "a", "Grüße, 世界 😀", "x" * rng.randint(0, 200), "tab\tquote\"\\"])
        if kind == "bytes": return bytes(rng.randrange(256) for _ in range(rng.randint(0, 12)))
        if kind in ("float", "double"): return rng.choice([0.0, 0.25, -1.5, 1e6, float(rng.randint(-1000, 1000)) / 4])
        if kind in self.enums: return rng.choice(list(self.enums[kind]))
        if kind == "google.protobuf.Timestamp": return ("ts", rng.choice([0, 1, -1, 1767225600, -62135596800, 253402300799]), rng.choice([0, 5_000_000, 999_999_999, 1_000]))
        if kind == "google.protobuf.Duration":
            sign = rng.choice([1, -1])
            return ("du", sign * rng.choice([0, 5, 315576000000]), sign * rng.choice([0, 250_000_000]) if True else 0)
        if kind == "google.protobuf.StringValue": return ("wr", rng.choice(["", "wrapped"]))
        if kind == "google.protobuf.Int64Value": return ("wr", rng.choice([0, -5, 2**63 - 1]))
        raise ValueError(kind)

    def value(self, kind, depth):
        return self.make(kind, depth + 1) if isinstance(kind, Message) else self.scalar(kind)

    def make(self, message, depth=0):
        rng, out, chosen = self.rng, {}, False
        for field in message.fields:
            deep = depth > 3 and isinstance(field.kind, Message)
            if field.label == "repeated": out[field.name] = [] if deep else [self.value(field.kind, depth) for _ in range(rng.choice([0, 1, 2, 5]))]
            elif field.label == "map":
                keys = {}
                for _ in range(0 if deep else rng.choice([0, 1, 3])): keys[self.scalar(field.key) if field.key != "string" else rng.choice(["k", "kk", "ssn", ""])] = self.value(field.kind, depth)
                out[field.name] = list(keys.items())
            elif field.oneof:
                out[field.name] = None
                if not chosen and not deep and rng.random() < 0.4:
                    chosen, out[field.name] = True, self.value(field.kind, depth)
            elif field.label == "required" or (not deep and rng.random() < 0.7): out[field.name] = self.value(field.kind, depth)
            else: out[field.name] = None
        return (message, out)


def quoted(data):
    return '"' + "".join(chr(c) if 32 <= c < 127 and c not in (34, 92) else f"\\{c:03o}" for c in data) + '"'


def text_of(kind, value):
    if isinstance(kind, Message): return "{ " + lines_of(value) + " }"
    if isinstance(value, tuple):
        if value[0] == "wr": return "{ value: " + text_of("string" if isinstance(value[1], str) else "int64", value[1]) + " }"
        return f"{{ seconds: {value[1]} nanos: {value[2]} }}"
    if isinstance(value, bool): return str(value).lower()
    if isinstance(value, bytes): return quoted(value)
    if isinstance(value, str) and kind == "string": return quoted(value.encode())
    return repr(value) if isinstance(value, float) else str(value)


def lines_of(made):
    message, values = made
    parts = []
    for field in message.fields:
        value = values[field.name]
        if value is None: continue
        if field.group: parts += [f"{field.kind.name} {text_of(field.kind, one)}" for one in (value if field.label == "repeated" else [value])]
        elif field.label == "repeated": parts += [f"{field.name}: {text_of(field.kind, one)}" for one in value]
        elif field.label == "map": parts += [f"{field.name}: {{ key: {text_of(field.key, key)} value: {text_of(field.kind, one)} }}" for key, one in value]
        else: parts.append(f"{field.name}: {text_of(field.kind, value)}")
    return " ".join(parts)


def fraction(nanos):
    if nanos == 0: return ""
    return f".{nanos // 1_000_000:03}" if nanos % 1_000_000 == 0 else f".{nanos // 1000:06}" if nanos % 1000 == 0 else f".{nanos:09}"


def json_scalar(kind, value):
    if isinstance(kind, Message): return json_of(value)
    if isinstance(value, tuple):
        if value[0] == "wr": return str(value[1])
        if value[0] == "du": return ("-" if value[1] < 0 or value[2] < 0 else "") + str(abs(value[1])) + fraction(abs(value[2])) + "s"
        import datetime
        instant = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=value[1])
        return f"{instant.year:04}-{instant.month:02}-{instant.day:02}T{instant.hour:02}:{instant.minute:02}:{instant.second:02}{fraction(value[2])}Z"
    if isinstance(value, bytes): return base64.b64encode(value).decode()
    return str(value) if kind in WIDE else value


def zero(schema, field):
    kind = field.kind
    if kind in schema.enums: return next(iter(schema.enums[kind]))
    return {"bool": False, "string": "", "bytes": "", "float": 0, "double": 0}.get(kind, "0" if kind in WIDE else 0)


def json_of(made):
    message, values = made
    out = {}
    for field in message.fields:
        value = values[field.name]
        if field.label == "repeated": out[field.name] = [json_scalar(field.kind, one) for one in value]
        elif field.label == "map": out[field.name] = {str(key).lower() if isinstance(key, bool) else str(key): json_scalar(field.kind, one) for key, one in value}
        elif value is not None: out[field.name] = json_scalar(field.kind, value)
        elif field.oneof: continue
        elif SCHEMA.proto3 and field.label == "" and not isinstance(field.kind, Message) and field.kind not in KNOWN: out[field.name] = zero(SCHEMA, field)
        else: out[field.name] = None
    return out


def paths(message, prefix="", depth=0):
    """Paths to texts, and to fields that can be taken away."""
    if depth > 2: return
    for field in message.fields:
        path = prefix + field.name
        if field.label in ("repeated", "map"): inner = path + "[*]"
        else: inner = path
        if field.kind == "string": yield inner, "text"
        if field.label not in ("required",): yield path, "take"
        if isinstance(field.kind, Message): yield from paths(field.kind, inner + ".", depth + 1)


def mask(made, path, what):
    """The message with every value at the path replaced; what: a text, or None to take the field away. True where there was one."""
    message, values = made
    head, _, rest = path.partition(".")
    every = head.endswith("[*]")
    name = head[:-3] if every else head
    field = next(one for one in message.fields if one.name == name)
    value, hit = values[name], False
    if rest:
        if field.label == "repeated": inner = value
        elif field.label == "map": inner = [one for _, one in value]
        else: inner = [] if value is None else [value]
        for one in inner: hit = mask(one, rest, what) or hit
        return hit
    if what is None:
        hit = value is not None and value != []
        values[name] = [] if field.label in ("repeated", "map") else None
        return hit
    if field.label == "repeated": values[name] = [what for _ in value]
    elif field.label == "map": values[name] = [(key, what) for key, _ in value]
    elif value is not None and not (SCHEMA.proto3 and field.label == "" and not field.oneof and value == ""): values[name] = what
    else: return False
    return bool(value) or field.label not in ("repeated", "map")


def encode(folder, message, made):
    run = subprocess.run(["protoc", "--deterministic_output", f"--encode=cases.of.{message.name}", "-I", folder, "-I", "/usr/include", "case.proto"], input=lines_of(made).encode(), capture_output=True)
    if run.returncode != 0: raise RuntimeError(run.stderr.decode() + lines_of(made))
    return run.stdout.hex()


seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
for number in range(70):
    rng = random.Random(seed * 1000 + number)
    SCHEMA = Schema(rng)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "case.proto"), "w") as file: file.write(SCHEMA.text())
        for _ in range(5):
            message = SCHEMA.messages[0]
            made = SCHEMA.make(message)
            case = {"schema": SCHEMA.text(), "message": f"cases.of.{message.name}", "hex": encode(folder, message, made), "json": json_of(made), "masks": []}
            if len(case["hex"]) > 6000: continue
            all_paths = list(dict.fromkeys(paths(message)))
            for path, what in rng.sample(all_paths, min(4, len(all_paths))):
                masked = copy.deepcopy(made, {id(m): m for m in SCHEMA.messages})
                text = rng.choice(["***", "", "y" * 150]) if what == "text" else None
                if mask(masked, path, text): case["masks"].append({"path": path, "to": text, "hex": encode(folder, message, masked)})
            print(json.dumps(case, ensure_ascii=True, separators=(",", ":")))
