#!/usr/bin/env python3
"""Makes records.jsonl: orders in Protobuf's JSON form, one a line, for `policystreams decide --input-format json`.

    ./generate.py [COUNT] > records.jsonl

Python's standard library only; the same count gives the same bytes.
"""
import json, random, sys

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 160
NAMES = ["Ada Okafor", "Jörg Weiß", "Mei Tanaka", "Zoë O'Neill", "Iván Ruiz"]
SKUS = ["tea-250", "cup-1", "pot-2", "tin-500", "gold-1kg"]
rng = random.Random(7)


def order(number):
    who = rng.randrange(len(NAMES))
    items = []
    for sku in rng.sample(SKUS, rng.randint(1, 4)):
        item = {"sku": sku, "quantity": rng.randint(1, 5), "price": {"currency": "EUR", "minorUnits": str(rng.randint(200, 9000))}}
        if rng.random() < 0.3: item["engravings"] = [f"For {NAMES[who].split()[0]}", "With love"][: rng.randint(1, 2)]
        items.append(item)
    value = {
        "orderId": f"o-{number:05}",
        "status": rng.choice(["STATUS_PLACED", "STATUS_PAID", "STATUS_CANCELLED"]),
        "placedAt": f"2026-01-{rng.randint(1, 28):02}T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}{rng.choice(['', '.250', '.123456'])}Z",
        "customer": {"customerId": f"customer-{who:03}", "name": NAMES[who], "email": f"c{who}@example.com",
                     "address": {"street": f"{rng.randint(1, 99)} High Street", "city": "Boston", "country": "US"}},
        "items": items,
        "total": {"currency": "EUR", "minorUnits": str(sum(int(item["price"]["minorUnits"]) * item["quantity"] for item in items))},
        "card": {"number": f"400000{rng.randrange(10**10):010}", "holder": NAMES[who].upper()},
        "attributes": {"ip": f"203.0.113.{rng.randrange(256)}", "device": rng.choice(["ios", "android", "web"])},
        "warehouseId": str(rng.randrange(2**64)),
        "shelfCodes": [rng.randrange(1000) for _ in range(rng.randrange(5))],
    }
    if rng.random() < 0.3: value["coupon"] = "WELCOME"
    if rng.random() < 0.3: value["note"] = rng.choice(["ring twice", ""])
    kind = number % 20
    if kind in (3, 9): value["customer"]["address"]["country"] = "DE"
    elif kind == 5: value["voucher"] = {"code": "SUMMER"}; del value["card"]
    elif kind == 7: value["iban"] = "DE02120300000000202051"; del value["card"]
    elif kind == 11: value["total"]["minorUnits"] = str(rng.randint(1_000_001, 9_000_000))
    elif kind == 13: value["customer"] = None
    elif kind == 15: value["items"][0]["quantity"] = 0
    elif kind == 17: value["note"] = "key AKIA" + "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(16))
    elif kind == 19: value["deliveryWindow"] = "172800s"
    return value


for number in range(COUNT):
    print(json.dumps(order(number), ensure_ascii=False, separators=(",", ":")))
