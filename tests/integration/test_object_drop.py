"""Files dropped into a real object store: each object is read once, whenever it came, and every row is handed on."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections import Counter

import pytest

from infra.local.sources.export_files import files
from infra.local.sources.population import Settings
from infra.local.sources.world import World
from jobs.connectors import Record
from tests.integration.dropping import Drop, address, drop, dropped, made, shelf

__all__ = ["address", "drop"]

BOM = b"\xef\xbb\xbf"


def member(name: str, **more: object) -> bytes:
    return json.dumps({"member_id": name, **more}).encode()


def ids(records: list[Record]) -> list[str | None]:
    return [r.record_id.partition("/")[2] if r.record_id else None for r in records]


def fill(drop: Drop, world: World, source: str) -> int:
    """Drop a simulated source's files; how many lines they hold beside headers."""
    lines = 0
    for name, content in files(world).items():
        system, _, key = name.partition("/")
        if system == source:
            drop.put(key, content)
            plain = gzip.decompress(content) if key.endswith(".gz") else content
            lines += plain.count(b"\n") - (source == "study")
    return lines


@pytest.mark.parametrize("source", ["community", "study"])
def test_increments_add_up_to_a_full_fetch_and_nothing_comes_twice(drop: Drop, address: str, source: str) -> None:
    world = World(Settings(200, 3))
    reading, lines, records = drop.reader(dropped(source)), 0, list[Record]()
    for _ in range(4):
        lines = fill(drop, world, source)
        news = reading.fetch()
        state = dict(reading.state)
        assert reading.fetch() == [] and reading.state == state
        records += news
        assert len(records) == lines
        world.advance(13)
    assert len(records) > 100 and {r.stream for r in records} == {s.name for s in reading.source.streams}
    assert sum(r.record_id is None for r in records) == {"community": 1, "study": 2}[source]
    whole = made(address, f"whole-{source}")
    world = World(Settings(200, 42))
    assert fill(whole, world, source) == lines
    assert Counter(whole.reader(dropped(source)).fetch()) == Counter(records)


def test_an_overwritten_object_is_read_again_and_no_other(drop: Drop) -> None:
    reading = drop.reader(dropped("community", "members"))
    drop.put("members/a.ndjson", member("a"))
    drop.put("members/b.ndjson", member("b"))
    drop.put("members_old/c.ndjson", member("c"))
    drop.put("consents/d.ndjson", member("d"))
    assert ids(reading.fetch()) == ["a", "b"]
    drop.put("members/a.ndjson", member("a"))
    assert reading.fetch() == [], "the same content again is nothing new"
    drop.put("members/a.ndjson", member("a", country="DE"))
    assert [r.payload for r in reading.fetch()] == [member("a", country="DE")]
    drop.put("members/a.ndjson", member("a"))
    assert ids(reading.fetch()) == ["a"], "back to what it was is a change"


def test_an_object_that_comes_late_is_read_whatever_time_it_bears() -> None:
    with shelf() as bent:
        reading = bent.drop.reader(dropped("community", "members"))
        bent.objects = {"members/b.ndjson": (member("b"), "2026-10-02T00:00:00Z"), "members/c.ndjson": (member("c"), "2026-10-01T00:00:00Z")}
        assert ids(reading.fetch()) == ["c", "b"], "oldest first"
        bent.objects["members/a.ndjson"] = (member("a"), "2026-10-02T00:00:00Z")
        assert ids(reading.fetch()) == ["a"]
        bent.objects["members/z.ndjson"] = (member("z"), "2025-01-01T00:00:00Z")
        assert ids(reading.fetch()) == ["z"] and reading.fetch() == []


def test_the_cursor_forgets_what_no_longer_lies_there(drop: Drop) -> None:
    reading = drop.reader(dropped("community", "members"))
    for number in range(5):
        drop.put(f"members/{number}.ndjson", member(str(number)))
        reading.fetch()
        if number:
            drop.remove(f"members/{number - 1}.ndjson")
    reading.fetch()
    assert len(reading.state["members"]["seen"]) == 1 and len(json.dumps(reading.state)) < 60
    drop.remove("members/4.ndjson")
    assert reading.fetch() == [] and reading.state == {"members": {"seen": []}}


def test_a_listing_of_many_pages_is_read_to_its_end(drop: Drop) -> None:
    names = [f"{n:02}" for n in range(7)]
    for name in names:
        drop.put(f"members/{name} ä&<.jsonl", member(name))
    assert sorted(map(str, ids(drop.reader(dropped("community", "members", page_size=2)).fetch()))) == names


def test_lines_come_as_they_are(drop: Drop) -> None:
    drop.put("members/a.NDJSON", BOM + member("a") + b"\r\n\n  \n" + b'{"member_id": "b"\n' + b"\xff\n" + member("c"))
    drop.put("members/empty.ndjson", b"")
    drop.client.put_object(Bucket=drop.bucket, Key="members/")
    drop.client.put_object(Bucket=drop.bucket, Key="members/2026/")
    records = drop.reader(dropped("community", "members")).fetch()
    assert [r.payload for r in records] == [member("a"), b'{"member_id": "b"', b"\xff", member("c")]
    assert ids(records) == ["a", None, None, "c"]


HEADER = b"participant_id,given_name,sex\r\n"
ROWS: dict[bytes, object] = {
    b"p1,Anna,F\r\n": {"participant_id": "p1", "given_name": "Anna", "sex": "F"},
    b'p2,"O""Hara, ""Kim""",\r\n': {"participant_id": "p2", "given_name": 'O"Hara, "Kim"', "sex": None},
    'p3,"zwei\r\nZeilen\n\nJürgen",M\r\n'.encode(): {"participant_id": "p3", "given_name": "zwei\r\nZeilen\n\nJürgen", "sex": "M"},
    b"p4, blanks ,\"\"\n": {"participant_id": "p4", "given_name": " blanks ", "sex": None},
    b",nobody,F\r\n": {"participant_id": None, "given_name": "nobody", "sex": "F"},
    b"007,1.50,true\r\n": {"participant_id": "007", "given_name": "1.50", "sex": "true"},
    b"p5,too few\r\n": b"p5,too few", b"p6,one,too,many\r\n": b"p6,one,too,many",
    "p7,Jürgen,M\r\n".encode("latin-1"): "p7,Jürgen,M".encode("latin-1"),
    b'p8,"quoted" badly,M\r\n': b'p8,"quoted" badly,M', b"p9,5\" tall,M\r\n": {"participant_id": "p9", "given_name": '5" tall', "sex": "M"},
    b"p10," + b"x" * 140_000 + b",M\r\n": b"p10," + b"x" * 140_000 + b",M",
    b"p11,\x00,M\r\n": {"participant_id": "p11", "given_name": "\x00", "sex": "M"},
    b'p12,never "closed,M\r\n': {"participant_id": "p12", "given_name": 'never "closed', "sex": "M"},
    b'p13,"never closed,M': b'p13,"never closed,M'}


@pytest.mark.parametrize("name", ["rows.csv", "ROWS.CSV.GZ"])
@pytest.mark.parametrize("mark", [b"", BOM])
def test_rows_are_objects_of_texts_and_what_is_no_row_is_handed_on_raw(drop: Drop, mark: bytes, name: str) -> None:
    content = mark + HEADER + b"\r\n".join([b"", *ROWS])
    drop.put(f"participants/{name}", gzip.compress(content) if name.endswith("GZ") else content)
    records = drop.reader(dropped("study", "participants")).fetch()
    for record, expected in zip(records, ROWS.values(), strict=True):
        if isinstance(expected, bytes):
            assert (record.payload, record.record_id) == (expected, None)
        else:
            assert json.loads(record.payload) == expected
            assert record.record_id == (f"participants/{expected['participant_id']}" if expected["participant_id"] else None)  # type: ignore[index]


def test_a_csv_without_rows_holds_nothing(drop: Drop) -> None:
    reading = drop.reader(dropped("study", "participants"))
    drop.put("participants/none.csv", HEADER)
    assert reading.fetch() == [] and len(reading.state["participants"]["seen"]) == 1


def test_gzip_of_several_members_is_one_file(drop: Drop) -> None:
    drop.put("members/a.ndjson.gz", gzip.compress(member("a") + b"\n" + member("b")[:5]) + gzip.compress(member("b")[5:]) + b"\0" * 512)
    assert ids(drop.reader(dropped("community", "members")).fetch()) == ["a", "b"]


@pytest.mark.parametrize("kind", ["ndjson", "csv", "ndjson.gz"])
def test_a_large_file_is_read_in_little_memory(drop: Drop, kind: str) -> None:
    source, row = ("study", b"p1,Anna,F\n") if kind == "csv" else ("community", member("a", text="x" * 50) + b"\n")
    stream, header = ("participants", HEADER) if kind == "csv" else ("members", b"")
    content = header + row * (24 * 2**20 // len(row))
    drop.put(f"{stream}/large.{kind}", gzip.compress(content, 1) if kind.endswith("gz") else content)
    reading = drop.reader(dropped(source, stream, max_answer_mb=25))
    found = reading.items()
    next(found)
    tracemalloc.start()
    try:
        number = 1 + sum(1 for _ in zip(found, range(100_000), strict=False))
        assert number > 100_000 and tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_a_row_is_handed_on_before_the_file_has_come_whole(drop: Drop) -> None:
    with shelf() as bent:
        bent.objects = {"members/a.ndjson": (b"\n".join(member(f"m{n}") for n in range(20_000)), "2026-10-01T00:00:00Z")}
        bent.cuts = 1
        assert next(drop.reader(dropped("community", "members"), base_url=bent.drop.access.base_url).items()).record_id == "members/m0"
        assert bent.asked == ["bytes=0-"]
