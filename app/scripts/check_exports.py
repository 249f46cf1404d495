"""Reads the files of check_exports.sh back with other people's libraries and compares them with the CSV."""
import csv
import html.parser
import io
import json
import subprocess
import sys

import pyarrow.parquet
from mcap.reader import make_reader
from mcap.records import Channel, Chunk, ChunkIndex, DataEnd, Footer, Header, Message, MessageIndex, Schema, Statistics
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap_protobuf.decoder import DecoderFactory

folder = sys.argv[1]
with open(f"{folder}/d.csv", newline="") as file:
    rows = list(csv.DictReader(file))
assert rows, "the CSV is empty"

table = pyarrow.parquet.read_table(f"{folder}/d.parquet")
assert table.num_rows == len(rows)
for name in ("frame", "macs_delta", "columns_x", "columns_h"):
    assert table[name].to_pylist() == [int(row[name]) for row in rows], name
assert all(abs(a - float(row["steering_rad"])) < 1e-6 for a, row in zip(table["steering_rad"].to_pylist(), rows))
print(f"pyarrow      {table.num_rows} rows, {table.num_columns} columns")

# Record by record with every checksum, then what the summary says of them.
with open(f"{folder}/d.mcap", "rb") as file:
    raw = file.read()
records = list(StreamReader(io.BytesIO(raw), emit_chunks=True, validate_crcs=True).records)
kinds = [type(record) for record in records]
assert kinds[-1] is Footer and kinds.count(DataEnd) == 1
assert kinds.count(Chunk) == kinds.count(ChunkIndex) > 0 and MessageIndex in kinds
statistics = next(record for record in records if isinstance(record, Statistics))
assert statistics.chunk_count == kinds.count(Chunk) and statistics.message_count == 3 * len(rows)
# The further checks of the command `mcap doctor`, which not every machine has: names and numbers of schemas and channels, times of
# messages inside their chunk's, chunks where the index says, and the statistics' totals.
known, chunks = {}, [record for record in records if isinstance(record, Chunk)]
assert raw[:8] == raw[-8:] == b"\x89MCAP0\r\n"
header = next(record for record in records if isinstance(record, Header))
assert header.library, "the header names no library"
times = []
for chunk, index in zip(chunks, (record for record in records if isinstance(record, ChunkIndex))):
    start = index.chunk_start_offset
    assert raw[start] == 6 and 9 + int.from_bytes(raw[start + 1 : start + 9], "little") == index.chunk_length
    assert (chunk.message_start_time, chunk.message_end_time) == (index.message_start_time, index.message_end_time)
    inner = list(breakup_chunk(chunk, validate_crc=True))
    for schema in (record for record in inner if isinstance(record, Schema)):
        assert schema.id > 0 and schema.name and schema.data and known.setdefault(("schema", schema.id), schema) == schema
    for channel in (record for record in inner if isinstance(record, Channel)):
        assert ("schema", channel.schema_id) in known and known.setdefault(("channel", channel.id), channel) == channel
    for message in (record for record in inner if isinstance(record, Message)):
        assert ("channel", message.channel_id) in known, "a message before its channel"
        assert index.message_start_time <= message.log_time <= index.message_end_time
        assert not times or times[-1] <= message.log_time, "times must rise over the whole file"
        times.append(message.log_time)
    for channel_id, offset in index.message_index_offsets.items():
        assert raw[offset] == 7 and int.from_bytes(raw[offset + 9 : offset + 11], "little") == channel_id
assert (statistics.message_start_time, statistics.message_end_time) == (times[0], times[-1]) and len(times) == statistics.message_count
assert statistics.schema_count == sum(kind == "schema" for kind, _ in known)
assert statistics.channel_count == sum(kind == "channel" for kind, _ in known) == len(statistics.channel_message_counts)
counts, last = {}, {}
with io.BytesIO(raw) as file:
    for schema, channel, message, decoded in make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages():
        row = rows[counts.get(channel.topic, 0)]
        counts[channel.topic] = counts.get(channel.topic, 0) + 1
        assert last.get(channel.topic, -1) < message.log_time, "times must rise"
        last[channel.topic] = message.log_time
        assert abs(message.log_time * 1e-9 - float(row["time_s"])) < 1e-5
        if channel.topic == "/camera":
            assert schema.name == "foxglove.CompressedImage" and decoded.data[:2] == b"\xff\xd8"
        elif channel.topic == "/steering":
            assert abs(decoded.steering_rad - float(row["steering_rad"])) < 1e-6
        else:
            assert decoded.macs == int(row["macs_delta"])
assert counts == {"/camera": len(rows), "/steering": len(rows), "/work": len(rows)}, counts
print(f"mcap         {statistics.message_count} messages in {statistics.chunk_count} chunks, all checksums, indexes and totals right")

probe = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames,duration", "-of", "json"]
stream = json.loads(subprocess.run([*probe, f"{folder}/d.mp4"], check=True, capture_output=True).stdout)["streams"][0]
# A video has one rate: gaps of the recording are not in it.
steps = sorted(float(b["time_s"]) - float(a["time_s"]) for a, b in zip(rows, rows[1:]))
seconds = len(rows) * steps[len(steps) // 2]
assert int(stream["nb_read_frames"]) == len(rows)
assert abs(float(stream["duration"]) - seconds) < 0.02 * seconds + 0.2, (stream, seconds)
print(f"ffprobe      {stream['codec_name']}, {stream['nb_read_frames']} frames, {float(stream['duration']):.2f} s")


class Page(html.parser.HTMLParser):
    """Notes what a page would fetch."""
    fetched = []

    def handle_starttag(self, tag, attributes):
        self.fetched += [value for name, value in attributes if name in ("src", "href") and not value.startswith("data:")]


page = Page()
page.feed(open(f"{folder}/d.html", encoding="utf-8").read())
assert not page.fetched, page.fetched
print("html         fetches nothing")
