#!/usr/bin/env python3
"""Writes generated.txt beside it: synthetic free text with what detectors should find marked, and lookalikes that they should not.

    python3 generate.py

Always the same lines: the random numbers are its own. It shares no code with the detectors, checksums included. A hit is marked as [[name|text]] with the brackets U+27E6 and U+27E7;
a line break inside a text is U+23CE. Nothing here is a real person's, account's, or key's.
"""
import base64
import json
import os

MASK = (1 << 64) - 1


class Numbers:
    """xorshift64*: the same on every version of every Python."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        x = self.state
        x ^= x >> 12
        x = (x ^ (x << 25)) & MASK
        x ^= x >> 27
        self.state = x
        return ((x * 0x2545F4914F6CDD1D) & MASK) >> 11

    def below(self, n):
        return self.next() % n

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def of(self, choices):
        return choices[self.below(len(choices))]

    def digits(self, n):
        return "".join(str(self.below(10)) for _ in range(n))

    def chars(self, alphabet, n):
        return "".join(self.of(alphabet) for _ in range(n))


r = Numbers(20260115)
lines = []
HEX = "0123456789abcdef"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER = UPPER.lower()
BASE32 = UPPER + "234567"
BASE64 = UPPER + LOWER + "0123456789+/"
BASE64URL = UPPER + LOWER + "0123456789-_"
FIRST = ["ada", "grace", "alan", "edsger", "barbara", "donald", "frances", "niklaus", "radia", "ken", "jörg", "zoë", "maría", "o.brien", "li", "jean-luc"]
LAST = ["lovelace", "hopper", "turing", "dijkstra", "liskov", "knuth", "allen", "wirth", "perlman", "thompson", "müller", "garcia", "nguyen", "smith"]
HOSTS = ["example.com", "example.org", "mail.example.net", "shop.example.co.uk", "firma.example.de", "post.example.fr", "a.b.c.example.io", "exämple.de", "xn--exmple-cua.de", "uni-example.edu"]


def mark(name, text):
    return "\u27e6%s|%s\u27e7" % (name, text)


def luhn(body):
    total = 0
    for place, c in enumerate(reversed(body)):
        d = int(c)
        if place % 2 == 0:
            d *= 2
            if d > 9:
                d -= 9
        total += d
    return body + str((10 - total % 10) % 10)


def card():
    prefix, length = r.of([
        ("4", 16), ("4", 16), ("4", 16), ("51", 16), ("53", 16), ("55", 16), ("2221", 16), ("2719", 16), ("2500", 16), ("34", 15), ("37", 15), ("36", 14), ("305", 14), ("38", 14), ("6011", 16),
        ("65", 16), ("644", 16), ("3530", 16), ("3589", 16), ("62", 16), ("62", 19), ("2202", 16), ("6759", 16), ("9792", 16)])
    return luhn(prefix + r.digits(length - len(prefix) - 1))


def grouped(number, separator):
    if len(number) == 15:
        parts = [number[:4], number[4:10], number[10:]]
    elif len(number) == 14:
        parts = [number[:4], number[4:10], number[10:]]
    else:
        parts = [number[i:i + 4] for i in range(0, len(number), 4)]
    return separator.join(parts)


def wide(text):
    return "".join(chr(ord(c) - ord("0") + 0xFF10) if c.isdigit() else c for c in text)


CARD_IN = [
    "please charge {} for the rest", "Karte {}, gültig bis 04/29", "card={}&exp=0429", "{}", "paid with {}.", "PAN:{} CVV:123", "my number is {} thanks!", "({})", "{},04/29,123", "\"pan\":\"{}\"",
    "卡号{}谢谢", "カード番号：{}", "visa {} or paypal", "refund to card {} please, order 10-2231", "numéro de carte : {} (exp. 09/27)", "<pan>{}</pan>", "the last one was {}; the first is lost", "{} ist gesperrt",
]
for i in range(130):
    number = card()
    style = r.below(10)
    if style < 3:
        text = number
    elif style < 6:
        text = grouped(number, " ")
    elif style < 8:
        text = grouped(number, "-")
    elif style == 8:
        text = grouped(number, r.of([".", "\u00a0", "\u2011", "\u202f"]))
    else:
        text = wide(grouped(number, " "))
    if len(number) in (15, 14) and style >= 3 and len(text) == len(number):
        text = number
    lines.append(r.of(CARD_IN).format(mark("card", text)))

IBAN_SHAPES = {
    "DE": "n18", "AT": "n16", "CH": "n5c12", "FR": "n10c11n2", "GB": "a4n14", "NL": "a4n10", "BE": "n12", "ES": "n20", "IT": "a1n10c12", "PT": "n21", "PL": "n24", "SE": "n20", "NO": "n11", "DK": "n14",
    "FI": "n14", "IE": "a4n14", "LU": "n3c13", "CZ": "n20", "HU": "n24", "GR": "n7c16", "RO": "a4c16", "BG": "a4n6c8", "HR": "n17", "TR": "n5n1c16", "SA": "n2c18", "AE": "n19", "MT": "a4n5c18", "UA": "n6c19",
    "BR": "n23a1c1", "GE": "a2n16", "LI": "n5c12", "EE": "n16", "LV": "a4c13", "LT": "n16", "SK": "n20", "SI": "n15", "IL": "n19", "KZ": "n3c13", "MU": "a4n19a3", "NO ": "n11",
}


def iban():
    country = r.of([c for c in sorted(IBAN_SHAPES) if len(c) == 2])
    shape, body, i = IBAN_SHAPES[country], "", 0
    while i < len(shape):
        kind, i, count = shape[i], i + 1, ""
        while i < len(shape) and shape[i].isdigit():
            count, i = count + shape[i], i + 1
        alphabet = {"n": "0123456789", "a": UPPER, "c": UPPER + "0123456789"}[kind]
        body += r.chars(alphabet, int(count))
    numeric = "".join(str(int(c, 36)) for c in body + country + "00")
    return country + "%02d" % (98 - int(numeric) % 97) + body


def fours(text, separator):
    return separator.join(text[i:i + 4] for i in range(0, len(text), 4))


IBAN_IN = [
    "transfer to {} by Friday", "IBAN: {}", "{}", "Bitte auf {} überweisen.", "iban={};bic=EXAMPDEFF", "account ({}) is closed", "Konto {}⏎Bank: Beispielbank", "payout {}, ref 2026-01", "{}: 120,50 EUR", "\"iban\":\"{}\"",
    "virement sur le compte {} svp", "conto {} intestato a Rossi",
]
for i in range(100):
    number = iban()
    style = r.below(6)
    text = number if style < 2 else fours(number, " ") if style < 4 else fours(number, "-") if style == 4 else number.lower() if r.below(2) else fours(number, "\u00a0")
    lines.append(r.of(IBAN_IN).format(mark("iban", text)))


def email():
    first, last, host = r.of(FIRST), r.of(LAST), r.of(HOSTS)
    local = r.of(["{0}", "{0}.{1}", "{0}_{1}", "{0}+shop", "{0}.{1}+2026", "{1}{2}", "{0}-{1}", "{0}{2}", "_{0}", "{0}.{1}.{2}"]).format(first, last, r.between(1, 1999))
    text = local + "@" + host
    return text.upper() if text.isascii() and r.below(12) == 0 else text


EMAIL_IN = [
    "write to {} please", "{}", "Contact: {}.", "from={};to=support", "<{}>", "mailto:{}", "\"{}\",\"2026\"", "'{}'", "reply to {}, or call", "ask {}!", "e-mail：{}", "cc {} and nobody else", "user {} signed in from 10.0.0.4", "({})", "email={}&lang=de",
    "Antwort an {}: danke", "{}⏎{}", "owner [{}]",
]
for i in range(110):
    lines.append(r.of(EMAIL_IN).replace("{}", "\0").replace("\0", mark("email", email()), 1).replace("\0", mark("email", email())))


def nanp():
    while True:
        area, exchange = str(r.between(2, 9)) + r.digits(2), str(r.between(2, 9)) + r.digits(2)
        if area[1:] != "11" and exchange[1:] != "11":
            return area, exchange, r.digits(4)


def phone():
    style = r.below(16)
    a, e, s = nanp()
    if style == 0:
        return "(%s) %s-%s" % (a, e, s)
    if style == 1:
        return "%s-%s-%s" % (a, e, s)
    if style == 2:
        return "+1 %s %s %s" % (a, e, s)
    if style == 3:
        return "+1%s%s%s" % (a, e, s)
    if style == 4:
        return "1-%s-%s-%s" % (a, e, s)
    if style == 5:
        return "%s.%s.%s" % (a, e, s)
    if style == 6:
        return "+49 %s %s" % (r.of(["30", "89", "171", "160", "40"]), r.digits(7))
    if style == 7:
        return "+49%s%s" % (r.of(["30", "171", "151"]), r.digits(8))
    if style == 8:
        return "0%s/%s" % (r.of(["171", "30", "89", "2041"]), r.digits(7))
    if style == 9:
        return "0%s %s" % (r.of(["171", "151", "30", "221"]), r.digits(7))
    if style == 10:
        return "+44 20 %s %s" % (r.digits(4), r.digits(4))
    if style == 11:
        return "020 %s %s" % (r.digits(4), r.digits(4))
    if style == 12:
        return "+33 %d %s %s %s %s" % (r.between(1, 9), r.digits(2), r.digits(2), r.digits(2), r.digits(2))
    if style == 13:
        return "0%d %s %s %s %s" % (r.between(1, 9), r.digits(2), r.digits(2), r.digits(2), r.digits(2))
    if style == 14:
        return "0049 %s %s" % (r.of(["30", "171", "89"]), r.digits(7))
    return "+49 (0)%s %s-%s" % (r.of(["30", "89", "221"]), r.digits(5), r.digits(2))


PHONE_IN = [
    "call me at {} after five", "{}", "Tel. {}", "phone: {}, ask for Ada", "Rückruf unter {} bitte", "my new number is {}.", "({})" if False else "[{}]", "reach us on {} or by mail", "customer {} complained", "fax {}⏎room 4", "tel:{}", "no answer at {}!", "mobile={};lang=en", "numéro {} svp",
]
for i in range(140):
    lines.append(r.of(PHONE_IN).format(mark("phone", phone())))
for i in range(25):
    lines.append(r.of(["phone {}", "Tel: {}", "call {} now", "Mobil {}", "fax no. {}", "WhatsApp {} please"]).format(mark("phone", r.of(["0" + str(r.between(1, 9)) + r.digits(9), str(r.between(2, 9)) + r.digits(9), r.digits(3).replace("0", "5") + "-" + r.digits(4)]))))


def ssn():
    while True:
        area = r.between(1, 899)
        if area != 666:
            return "%03d-%02d-%04d" % (area, r.between(1, 99), r.between(1, 9999))


SSN_IN = ["SSN {}", "ssn: {} on file", "{}", "employee {} starts Monday", "his social is {}.", "social security number {}", "id ({}) checked", "tax form for {}, 2025", "\"ssn\":\"{}\"", "{};Lovelace;Ada"]
for i in range(70):
    text = ssn()
    style = r.below(8)
    where = r.of(SSN_IN)
    if style == 6:
        text = text.replace("-", " ")
    if style == 7:
        text, where = text.replace("-", ""), r.of(["SSN {}", "ssn={}", "social security no. {}"])
    lines.append(where.format(mark("ssn", text)))


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt():
    header = r.of([{"alg": "RS256", "typ": "JWT"}, {"typ": "JWT", "alg": "HS256"}, {"alg": "ES256", "kid": r.chars(HEX, 8)}, {"alg": "EdDSA"}, {"alg": "RS256", "typ": "at+jwt", "kid": r.digits(4)}])
    payload = {"sub": r.of(FIRST), "iat": 1767225600 + r.below(1000000), "jti": r.chars(HEX, 16)}
    return ".".join([b64url(json.dumps(header, separators=(",", ":")).encode()), b64url(json.dumps(payload).encode()), r.chars(BASE64URL, r.of([43, 86, 171, 342]))])


for i in range(70):
    lines.append(r.of(["Authorization: Bearer {}", "{}", "token={}", "\"access_token\":\"{}\"", "got {} back", "curl -H 'Authorization: Bearer {}' https://api.example.com", "jwt: {}.", "?id_token={}&state=1", "expired: {}, again"]).format(mark("jwt", jwt())))

for i in range(45):
    lines.append(r.of(["AWS_ACCESS_KEY_ID={}", "{}", "key {} leaked", "aws_access_key_id = {}⏎region = eu-central-1", "\"AccessKeyId\":\"{}\"", "https://example.com/{}/20260115/eu/s3", "use {}.", "({})"]).format(mark("aws-key", r.of(["AKIA", "AKIA", "AKIA", "ASIA"]) + r.chars(BASE32, 16))))
for i in range(35):
    secret = r.chars(BASE64, 37) + "aB3"
    lines.append(r.of(["AWS_SECRET_ACCESS_KEY={}", "aws_secret_access_key = {}", "\"SecretAccessKey\":\"{}\"", "aws secret: {}", "secret access key is {}"]).format(mark("aws-key", secret)))

for i in range(50):
    label = r.of(["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "DSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"])
    body = "⏎".join(r.chars(BASE64, 64) for _ in range(r.between(1, 4)))
    text = "-----BEGIN %s-----⏎%s⏎-----END %s-----" % (label, body, label)
    if r.below(6) == 0:
        text = text.replace("⏎", " ")
    lines.append(r.of(["{}", "here it is:⏎{}⏎keep it safe", "key: {}", "\"pem\":\"{}\"", "{} {{}}"]).replace("{{}}", "").format(mark("private-key", text)))


# What is none of these.
def uuid():
    h = r.chars(HEX, 32)
    return "-".join([h[:8], h[8:12], h[12:16], h[16:20], h[20:]])


def ean():
    body = r.of(["400", "401", "978", "590", "871"]) + r.digits(9)
    total = sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(body))
    return body + str((10 - total % 10) % 10)


PLAIN = [
    lambda: "order %s shipped" % r.digits(r.between(8, 12)),
    lambda: "order no. %s-%s" % (r.digits(4), r.digits(6)),
    lambda: "invoice %s/%s" % (r.between(2020, 2026), r.digits(6)),
    lambda: "tracking %s" % r.digits(r.of([12, 14, 16, 18, 20, 22])),
    lambda: "tracking 1Z%s" % r.chars(UPPER + "0123456789", 16),
    lambda: "reference %s" % r.digits(16),
    lambda: "order %s%s" % (r.of("456"), r.digits(15)),
    lambda: "voucher %s %s %s %s" % (r.of("456") + r.digits(3), r.digits(4), r.digits(4), r.digits(4)),
    lambda: "account 0%s %s" % (r.digits(3), r.digits(6)),
    lambda: "transaction id %s accepted" % r.digits(r.of([15, 16, 19])),
    lambda: "%s" % uuid(),
    lambda: "request %s took %d ms" % (uuid(), r.between(1, 9999)),
    lambda: "trace %s span %s" % (r.chars(HEX, 32), r.chars(HEX, 16)),
    lambda: "sha256:%s" % r.chars(HEX, 64),
    lambda: "commit %s" % r.chars(HEX, 40),
    lambda: "md5 %s  file.bin" % r.chars(HEX, 32),
    lambda: "etag \"%s\"" % r.chars(BASE64URL, 27),
    lambda: "nonce=%s" % r.chars(BASE64, 40),
    lambda: "at %d" % (1767225600000 + r.below(10**10)),
    lambda: "ts=%d.%s" % (1767225600 + r.below(10**7), r.digits(6)),
    lambda: "%d ns since the epoch" % (1767225600000000000 + r.below(10**15)),
    lambda: "2026-%02d-%02dT%02d:%02d:%02d.%sZ" % (r.between(1, 12), r.between(1, 28), r.below(24), r.below(60), r.below(60), r.digits(6)),
    lambda: "from 2026-%02d-%02d %02d:%02d to 2026-%02d-%02d" % (r.between(1, 12), r.between(1, 28), r.below(24), r.below(60), r.between(1, 12), r.between(1, 28)),
    lambda: "%02d.%02d.2026 %02d:%02d Uhr" % (r.between(1, 28), r.between(1, 12), r.below(24), r.below(60)),
    lambda: "from %d.%d.%d.%d:%d" % (r.below(256), r.below(256), r.below(256), r.below(256), r.between(1024, 65535)),
    lambda: "cidr %d.%d.%d.0/24 and 10.0.0.0/8" % (r.between(100, 223), r.between(100, 255), r.between(100, 255)),
    lambda: "ipv6 2001:db8:%s:%s::%s" % (r.chars(HEX, 4), r.chars(HEX, 4), r.chars(HEX, 2)),
    lambda: "EAN %s" % ean(),
    lambda: "%s in stock, article %s" % (r.between(2, 400), ean()),
    lambda: "ISBN 978-%s-%s-%s-%s" % (r.digits(1), r.digits(3), r.digits(5), r.digits(1)),
    lambda: "amount %d.%02d EUR, balance %d,%03d.%02d" % (r.below(99999), r.below(100), r.between(1, 999), r.below(1000), r.below(100)),
    lambda: "ratio 0.%s" % r.digits(16),
    lambda: "lat %d.%s, lon %d.%s" % (r.between(10, 80), r.digits(6), r.between(10, 170), r.digits(6)),
    lambda: "version %d.%d.%d-%s" % (r.below(20), r.below(50), r.below(200), r.of(["rc.1", "beta2", "20260115"])),
    lambda: "icon@%dx.png is missing" % r.between(2, 3),
    lambda: "npm i left-pad@%d.%d.%d" % (r.below(9), r.below(30), r.below(30)),
    lambda: "ping @%s about it" % r.of(FIRST[:8]),
    lambda: "%s@%s" % (r.of(FIRST[:8]), r.of(["localhost", "host", "db-1", "prod"])),
    lambda: "serial %s-%s-%s-%s" % tuple(r.chars(UPPER + "0123456789", 5) for _ in range(4)),
    lambda: "licence %s" % r.chars(UPPER + "0123456789", 20),
    lambda: "container %s%s" % (r.chars(UPPER, 4), r.digits(7)),
    lambda: "VAT DE%s, GB%s" % (r.digits(9), r.digits(9)),
    lambda: "BIC %s" % (r.chars(UPPER, 6) + r.digits(2)),
    lambda: "customer %s, contract %s" % (r.digits(9), r.digits(10)),
    lambda: "part %s-%s-%s" % (r.digits(2), r.digits(3), r.digits(4)),
    lambda: "ticket #%s: the printer is on fire again" % r.digits(6),
    lambda: "room %s, floor %d, %d people" % (r.digits(3), r.between(1, 30), r.between(2, 90)),
    lambda: "IMEI 35%s" % r.digits(13),
    lambda: "meter reading 0%s kWh" % r.digits(6),
    lambda: "zip %s, %s" % (r.digits(5), r.of(["Springfield", "Köln", "Lyon"])),
    lambda: "session eyJ%s" % r.chars(BASE64URL, 30),
    lambda: "data:image/png;base64,%s" % r.chars(BASE64, 60),
    lambda: "-----BEGIN %s-----⏎%s⏎-----END %s-----" % ((lambda l: (l, r.chars(BASE64, 64), l))(r.of(["CERTIFICATE", "PUBLIC KEY", "CERTIFICATE REQUEST"]))),
    lambda: "arn:aws:s3:::bucket-%s/key" % r.chars(HEX, 8),
    lambda: "role AROA%s" % r.chars(BASE32, 16),
    lambda: "SKU%s AKIRA-%s" % (r.chars(UPPER, 16), r.digits(4)),
    lambda: "rows 1 000 000 to %d 000 000" % r.between(2, 99),
    lambda: "score %d-%d, %d-%d, %d-%d" % tuple(r.below(100) for _ in range(6)),
    lambda: "dims %dx%dx%d mm, %s g" % (r.between(10, 999), r.between(10, 999), r.between(10, 999), r.digits(4)),
    lambda: "batch %s %s %s" % (r.digits(4), r.digits(4), r.digits(4)),
    lambda: "pallet 00%s" % r.digits(18),
    lambda: "offset %s lag %s partition %d" % (r.digits(10), r.digits(5), r.below(64)),
    lambda: r.of(["delivered to the neighbour", "bitte klingeln", "zweimal geliefert, einmal bezahlt", "très bien, merci", "great product, would buy again", "配達ありがとうございます", "the customer was not at home", "no comment"]),
]
for i in range(900):
    lines.append(PLAIN[i % len(PLAIN)]())

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "generated.txt")
with open(path, "w", encoding="utf-8", newline="\n") as out:
    out.write("# Written by generate.py; do not edit.\n")
    out.write("\n".join(lines) + "\n")
