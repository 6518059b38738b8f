#!/usr/bin/env python3
"""Seeds for the fuzz targets, cut from testdata/ and from the files that are named.

python3 fuzz/seeds.py [FILE...] writes to fuzz/corpus/TARGET/; files may be logs, checkpoints, flush maps,
restore environments and undo files.
"""

import glob
import hashlib
import os
import random
import re
import struct
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
OUT = os.path.join(ROOT, "fuzz", "corpus")
SIZES = [2048, 4096, 8192, 16384, 32768]
MOST = 300  # seeds of one target
COUNTS = {}


def put(target, data):
    if COUNTS.setdefault(target, 0) >= MOST:
        return
    folder = os.path.join(OUT, target)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, hashlib.sha1(data).hexdigest())
    if not os.path.exists(path):
        COUNTS[target] += 1
        with open(path, "wb") as file:
            file.write(data)


def lines(page, size):
    """Data of the nodes of a page of up to 8 KiB."""
    count = struct.unpack_from("<H", page, 34)[0] & 0xFFF
    for number in range(1, min(count, size // 8)):
        length, start = struct.unpack_from("<HH", page, size - 4 * number - 4)
        compressed, start = start >> 13 & 4, 40 + (start & 0x1FFF)
        line = page[start:start + (length & 0x1FFF)]
        at = 2 if compressed else 0
        if len(line) >= at + 2:
            yield line[at + 2 + struct.unpack_from("<H", line, at)[0]:]


def database(bytes_):
    size = struct.unpack_from("<I", bytes_, 236)[0]
    put("header", bytes_[:2 * size + 2048])
    for start in range(2 * size, len(bytes_), size):
        page = bytes_[start:start + size]
        if not any(page):
            continue
        if size < 32768 or start % (8 * size) == 0:
            put("page", bytes([SIZES.index(size)]) + page)
        if size <= 8192:
            for number, data in enumerate(lines(page, size)):
                if number % 4 == 0:
                    put("record", bytes([number % 8]) + data)


def log(bytes_):
    for choice in range(3):
        put("log_header", bytes([choice]) + bytes_[:4096 * 5])
    sector = struct.unpack_from("<H", bytes_, 8)[0]
    if struct.unpack_from("<I", bytes_, 32)[0] == 8:
        records = b"".join(bytes_[at + 40:at + 4096] for at in range(8192, 8192 * 4, 4096))
        put("log_segments", b"\0" + records[:8192])
        put("log_segments", b"\1" + records[8192:12288])
    else:
        records = bytes_[8192 + 22:8192 + 16384]
        put("log_ranges", bytes([sector != 512]) + bytes_[8192:8192 + 8192])
    put("log_record", records[:2048])
    for at in range(0, min(len(records), 8192), 256):
        part = records[at:at + 256]
        put("replay", struct.pack("<H", len(part)) + part)


def given(path):
    with open(path, "rb") as file:
        bytes_ = file.read(1 << 20)
    name = path.lower()
    if name.endswith(".log") and len(bytes_) > 32768:
        log(bytes_)
    elif name.endswith(".chk"):
        put("checkpoint", bytes_[:4096])
    elif name.endswith(".jfm"):
        put("flush_map", bytes_[:4 * 8192])
        put("flush_map", bytes(16) + bytes_[8192:3 * 8192])
    elif name.endswith((".env", ".toml")):
        put("restore_env", bytes_)
    elif name.endswith(".undo"):
        put("undo_file", bytes_[:65536])


def undo_entries():
    """A file of each plan, ranges of it, its length, the end."""
    def entry(kind, file, a, b, flags, body=b""):
        return struct.pack("<IIQQIIQ", kind, file, a, b, len(body), flags, 0) + body
    def text(name):
        return struct.pack("<I", len(name)) + name
    for plan in range(5):
        body = bytes(8) + text(b"/d/a") + text(b"a")
        if plan == 4:
            body += bytes(16) + text(b"a.aside") + text(b"a.new")
        whole = entry(1, 0, 3000, 600, plan, body)
        put("undo_file", whole + entry(4, 0, 1, 0, 0))
        whole += entry(3, 0, 600, 0, 0) + entry(2, 0, 0, 600, 3, bytes(8) + b"\7" * 600)
        whole += entry(2, 0, 600, 2400, 2, b"\7" * 2400) + entry(4, 0, 4, 0, 0)
        put("undo_file", whole)


def command_lines():
    found = set()
    for pattern in ["README.md", "docs/*.md", "src/cli/spec/*.rs", "src/cli/normalize/tests.rs"]:
        for path in glob.glob(os.path.join(ROOT, pattern)):
            with open(path, encoding="utf-8") as file:
                found.update(re.findall(r"\bexutil ([^`\"\n\\]{2,80})", file.read()))
    for number, words in enumerate(sorted(found)):
        put("command_line", bytes([number * 4 % 256]) + b"\0".join(words.encode().split()))


def changes():
    """Lists of changes at random places: the targets give them their meaning."""
    dice = random.Random(1)
    lists = ["whole_check", "catalog", "export", "repair", "defrag", "isinteg", "changes",
             "undo_entries"]
    for target in lists:
        for length in [0, 1, 3, 8, 20, 60] * 4:
            put(target, dice.randbytes(1 + 5 * length))


def main():
    for path in sorted(glob.glob(os.path.join(ROOT, "testdata", "*.edb"))):
        with open(path, "rb") as file:
            database(file.read())
    undo_entries()
    command_lines()
    changes()
    put("restore_env", b"# exutil restore environment\nformat = 'exutil restore environment 1'\n")
    for path in sys.argv[1:]:
        given(path)
    print(", ".join(f"{target} {count}" for target, count in sorted(COUNTS.items())))


main()
