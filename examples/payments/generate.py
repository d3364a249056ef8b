#!/usr/bin/env python3
"""Makes the records of this example: one JSON object a line, the same for the same seed. Needs only Python's standard library.

    generate.py [--count N] [--seed N] [--published] [--key TEXT]  >records.jsonl

    key        the record's key; text, or null
    partition  where the producer puts it: the customer's, so that one customer's records stay in order
    headers    name to text
    frame      "subject": byte 0 and the 4-byte id of the schema that is registered under raw.payments-value;
               a number: byte 0 and that id; null: nothing
    value      hex of the bytes after the frame; null for a tombstone
    case       what the record is there to show
    expect     what becomes of it: outcome, rules (system causes included), and where there are any: shadow, errors, masked, tags, to

`--published` adds to `expect` the exact bytes that a governed record has after its frame, for the mask key `--key`; of a held one, what a release publishes,
and to which topic (`release_to`).
"""
import argparse
import base64
import hashlib
import hmac
import json
import pathlib
import random
import sys

PARTITIONS = 4
CUSTOMERS = 40
EMBARGO = ["KP", "IR", "SY", "CU"]
EU = ["DE", "FR", "ES", "IT", "NL"]
ELSEWHERE = ["US", "GB", "CH", "JP", "CA", "BR"]
RECORD_BYTES_MAX = 8192
HEADERS_MAX = 32

# How many of each; a larger set keeps the mix.
MIX = {
    "clean": 190, "eu": 34, "mobile": 20, "night": 8,
    "sanctioned": 12, "refund": 8, "quantity": 8, "secret": 6, "sanctioned-and-large": 3,
    "large": 12, "phone": 8, "large-by-phone": 2,
    "truncated": 5, "trailing": 2, "bad-enum": 2, "unknown-schema": 4, "not-framed": 3, "json-text": 1, "empty": 1,
    "tombstone": 1, "too-big": 1, "too-many-headers": 1,
}

FIRST = ["Ada", "Bo", "Chidi", "Dana", "Élodie", "Farid", "Grete", "Hana", "Ines", "Jörg", "Kofi", "Lin", "Mei", "Nuno", "Oda", "Priya"]
LAST = ["Okafor", "Lindqvist", "Nakamura", "Müller", "Rossi", "García", "Dubois", "Haddad", "Silva", "Ng", "O'Neil", "李"]
WORDS = "please leave at the door call before gift wrap second floor fragile as agreed by mail thanks".split()
SKUS = ["tea-250", "mug-blue", "lamp-07", "cable-2m", "book-0143", "desk-oak", "phone-x", "bag-17"]
MERCHANTS = ["Corner Tea House", "Nordlicht Möbel", "Byte & Cable", "Casa Verde"]


# Avro's binary encoding, driven by the schema. Logical types are given as their underlying number: cents, days, milliseconds.

def encode_long(n):
    n = (n << 1) ^ (n >> 63)
    out = bytearray()
    while n > 0x7F:
        out.append((n & 0x7F) | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def encode_bytes(data):
    return encode_long(len(data)) + data


def encode(schema, value):
    if isinstance(schema, list):
        index = 0 if value is None else 1              # every union here is ["null", T]
        return encode_long(index) + encode(schema[index], value)
    if isinstance(schema, str):
        schema = {"type": schema}
    kind = schema["type"]
    if isinstance(kind, (dict, list)):
        return encode(kind, value)
    if kind == "null":
        return b""
    if kind == "string":
        return encode_bytes(value.encode())
    if kind in ("int", "long"):
        return encode_long(value)
    if kind == "bytes":                                # decimal: the shortest two's complement, big-endian
        return encode_bytes(value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True))
    if kind == "enum":
        return encode_long(schema["symbols"].index(value))
    if kind == "array":
        body = b"".join(encode(schema["items"], item) for item in value)
        return encode_long(len(value)) + body + b"\0" if value else b"\0"
    if kind == "map":
        body = b"".join(encode_bytes(k.encode()) + encode(schema["values"], v) for k, v in value.items())
        return encode_long(len(value)) + body + b"\0" if value else b"\0"
    if kind == "record":
        return b"".join(encode(field["type"], value[field["name"]]) for field in schema["fields"])
    raise ValueError(f"no encoding for {kind}")


# What the policy makes of a payment. Written apart from the policy, so that each checks the other.

def judge(payment, groups=("payments-producers",)):
    rules, shadow, tags, masked = [], [], {}, []
    deny = hold = False
    to = "governed.payments"
    eu = payment["country"] in EU
    note = payment["note"] or ""
    if payment["country"] in EMBARGO:
        rules.append("sanctioned")
        deny = True
    if payment["kind"] == "REFUND" and "refund-desk" not in groups:
        rules.append("refund-desk-only")
        deny = True
    if any(item["quantity"] <= 0 for item in payment["items"]):
        rules.append("impossible-quantity")
        deny = True
    at = note.find("AKIA")
    if at >= 0 and len(note) >= at + 20 and all(c in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" for c in note[at + 4:at + 20]):
        rules.append("secret-in-note")
        deny = True
    customer = payment["customer"]
    rules.append("card-number")
    masked.append("card_number")
    rules.append("personal-data")
    masked.append("customer.name")
    if customer["phone"] is not None:
        masked.append("customer.phone")
    if customer["email"] is not None:
        rules.append("customer-email")
        masked.append("customer.email")
    if customer["born_on"] is not None:
        rules.append("birth-date")
        masked.append("customer.born_on")
    if eu and "ip" in payment["attributes"]:
        rules.append("device-address")
        masked.append('attributes["ip"]')
    if payment["amount"] > 10_000_00:
        rules.append("large-payment")
        hold = True
    if payment["channel"] == "PHONE" and payment["amount"] > 500_00:
        rules.append("phone-order")
        hold = True
    if eu:
        rules.append("eu-residency")
        to = "governed.payments.eu"
    if payment["channel"] == "APP":
        rules.append("mobile")
        tags["source"] = "mobile"
    if payment["amount"] > 5_000_00 and payment["created_at"] // 3_600_000 % 24 < 6:
        shadow.append("night-limit")
    expect = {"outcome": "deny" if deny else "hold" if hold else "allow", "rules": rules}
    if shadow:
        expect["shadow"] = shadow
    if expect["outcome"] == "allow":
        expect["to"] = to
        expect["masked"] = masked
        if tags:
            expect["tags"] = tags
    return expect


def published(schema, payment, key):
    out = dict(payment, customer=dict(payment["customer"]), attributes=dict(payment["attributes"]))
    card = out["card_number"]
    out["card_number"] = "*" * (len(card) - 4) + card[-4:]
    customer = out["customer"]
    customer["name"] = "***"
    if customer["phone"] is not None:
        customer["phone"] = "***"
    if customer["email"] is not None:
        customer["email"] = hmac.new(key, customer["email"].encode(), hashlib.sha256).digest()[:16].hex()
    customer["born_on"] = None
    if out["country"] in EU and "ip" in out["attributes"]:
        out["attributes"]["ip"] = "0.0.0.0"
    return encode(schema, out)


class Shop:
    """Makes payments of customers who stay the same from record to record."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.customers = [self.customer(n) for n in range(CUSTOMERS)]

    def uuid(self):
        h = f"{self.random.getrandbits(128):032x}"
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"

    def customer(self, n):
        first, last = self.random.choice(FIRST), self.random.choice(LAST)
        return {
            "id": f"customer-{n:03d}",
            "name": f"{first} {last}",
            "email": f"customer{n:03d}@example.com" if self.random.random() < 0.85 else None,
            "phone": f"+1-555-01{n:02d}" if self.random.random() < 0.5 else None,
            "born_on": self.random.randrange(-7000, 13000) if self.random.random() < 0.7 else None,
        }

    def card(self):
        digits = [4, 0, 0, 0, 0, 0] + [self.random.randrange(10) for _ in range(9)]
        total = sum(d if i % 2 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits))
        return "".join(map(str, digits)) + str(-total % 10)        # Luhn's check digit

    def payment(self):
        """A clean payment: no rule but the masks fires on it."""
        r = self.random
        day = 20_454 + r.randrange(28)                              # January 2026
        items = [{"sku": r.choice(SKUS), "quantity": r.randrange(1, 5), "price": r.randrange(99, 20_000)} for _ in range(r.randrange(1, 5))]
        attributes = {"device": r.choice(["ios", "android", "firefox", "chrome"])}
        if r.random() < 0.6:
            attributes["ip"] = f"192.0.2.{r.randrange(1, 255)}"
        if r.random() < 0.3:
            attributes["session"] = f"{r.getrandbits(48):012x}"
        return {
            "payment_id": self.uuid(),
            "kind": "PAYMENT",
            "created_at": (day * 86_400 + r.randrange(7 * 3600, 23 * 3600)) * 1000 + r.randrange(1000),
            "booked_on": day + 1,
            "amount": r.randrange(100, 4_900_00),
            "currency": r.choice(["EUR", "USD", "GBP", "JPY", "CHF"]),
            "country": r.choice(ELSEWHERE),
            "channel": r.choice(["WEB", "WEB", "POS"]),
            "card_number": self.card(),
            "customer": r.choice(self.customers),
            "merchant": r.choice(MERCHANTS),
            "items": items,
            "attributes": attributes,
            "refund_of": None,
            "note": " ".join(r.choice(WORDS) for _ in range(r.randrange(3, 9))) if r.random() < 0.25 else None,
        }

    def shaped(self, case):
        """The payment with what the case needs."""
        r, payment = self.random, self.payment()
        if case in ("eu", "night") or (case in ("large", "phone") and r.random() < 0.5):
            payment["country"] = r.choice(EU)
        if case == "mobile":
            payment["channel"] = "APP"
        if case == "night":
            payment["amount"] = r.randrange(5_000_01, 10_000_00)
            payment["created_at"] -= payment["created_at"] % 86_400_000 - r.randrange(6 * 3_600_000)
        if case.startswith("sanctioned"):
            payment["country"] = r.choice(EMBARGO)
        if case in ("large", "sanctioned-and-large", "large-by-phone"):
            payment["amount"] = r.randrange(10_000_01, 90_000_00)
        if case in ("phone", "large-by-phone"):
            payment["channel"] = "PHONE"
        if case == "phone":
            payment["amount"] = r.randrange(500_01, 4_900_00)
        if case == "refund":
            payment["kind"], payment["refund_of"] = "REFUND", self.uuid()
        if case == "quantity":
            payment["items"][-1]["quantity"] = r.randrange(-1, 1)
        if case == "secret":
            payment["note"] = "key is AKIA" + "".join(r.choice("ABCDEFGHJKLMNPQRSTUVWXYZ234567") for _ in range(16)) + " use it"
        if case == "too-big":
            payment["note"] = " ".join(r.choice(WORDS) for _ in range(2500))
        return payment


def undecodable(code):
    return {"outcome": "deny", "rules": ["ps:undecodable"], "errors": [{"rule": "ps:undecodable", "code": code}]}


def record(shop, schema, case, mask_key):
    payment = shop.shaped(case)
    value = encode(schema, payment)
    line = {
        "key": payment["customer"]["id"],
        "partition": int(payment["customer"]["id"][-3:]) % PARTITIONS,
        "headers": {"trace": f"{shop.random.getrandbits(64):016x}"},
        "frame": "subject",
        "value": value,
        "case": case,
    }
    expect = judge(payment)
    if case == "truncated":                            # in the middle of `created_at`, which follows 37 bytes of id and one of `kind`
        line["value"], expect = value[:41], undecodable("truncated")
    elif case == "trailing":
        line["value"], expect = value + b"\0\0", undecodable("trailing-bytes")
    elif case == "bad-enum":                           # `kind` follows the 37 bytes of the payment's id
        line["value"], expect = value[:37] + encode_long(7) + value[38:], undecodable("bad-enum-index")
    elif case == "unknown-schema":
        line["frame"] = 999_000_000 + shop.random.randrange(1000)
        expect = {"outcome": "deny", "rules": ["ps:schema-not-admitted"], "errors": [{"rule": "ps:schema-not-admitted", "code": "unknown-schema-id"}]}
    elif case == "not-framed":
        line["frame"], expect = None, undecodable("not-framed")
    elif case == "json-text":
        line["frame"], expect = None, undecodable("not-framed")
        line["value"] = json.dumps({"payment_id": payment["payment_id"], "amount": payment["amount"] / 100}).encode()
    elif case == "empty":
        line["frame"], line["value"], expect = None, b"", undecodable("empty-value")
    elif case == "tombstone":
        line["frame"], line["value"], expect = None, None, {"outcome": "deny", "rules": ["ps:tombstone"]}
    elif case in ("too-big", "too-many-headers"):
        expect = {"outcome": "deny", "rules": ["ps:limit"]}
        if case == "too-many-headers":
            line["headers"].update({f"x-{n}": "1" for n in range(HEADERS_MAX)})
        assert case != "too-big" or len(value) > RECORD_BYTES_MAX
    elif mask_key is not None and expect["outcome"] != "deny":
        expect["published"] = published(schema, payment, mask_key).hex()
        if expect["outcome"] == "hold":
            expect["release_to"] = "governed.payments.eu" if payment["country"] in EU else "governed.payments"
    if line["value"] is not None:
        line["value"] = line["value"].hex()
    line["expect"] = expect
    return line


def records(count, seed, mask_key=None):
    schema = json.loads(pathlib.Path(__file__).with_name("raw.payments-value.avsc").read_text(encoding="utf-8"))
    shop = Shop(seed)
    mix = [case for case, n in MIX.items() for _ in range(n)]
    cases = []
    while len(cases) < count:
        batch = list(mix)
        shop.random.shuffle(batch)
        cases += batch
    for case in cases[:count]:
        yield record(shop, schema, case, mask_key)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--count", type=int, default=sum(MIX.values()))
    arguments.add_argument("--seed", type=int, default=20260102)
    arguments.add_argument("--published", action="store_true", help="add the exact bytes of governed records")
    arguments.add_argument("--key", default="test-key-0123456789-0123456789-0123", help="the mask key's text, or base64:...; for --published")
    options = arguments.parse_args()
    key = base64.b64decode(options.key[7:]) if options.key.startswith("base64:") else options.key.encode()
    for line in records(options.count, options.seed, key if options.published else None):
        sys.stdout.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
