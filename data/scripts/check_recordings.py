"""Writes recordings with other people's writers, replays each, and compares frames, times and angles with what was written."""
import csv
import io
import json
import math
import pathlib
import subprocess
import sys

import numpy
import pyarrow
import pyarrow.parquet
from mcap.reader import make_reader
from mcap.writer import Writer as McapWriter
from mcap_protobuf.decoder import DecoderFactory
from PIL import Image
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
FRAMES, RATE_HZ, START_NS = 60, 20, 1_700_000_000_000_000_000
WIDTH, HEIGHT, CELL, BITS = 160, 96, 16, 8


def picture(number):
    """A picture whose upper squares are the bits of its number."""
    image = numpy.full((HEIGHT, WIDTH, 3), 60, numpy.uint8)
    for bit in range(BITS):
        image[:CELL, bit * CELL : (bit + 1) * CELL] = 255 * (number >> bit & 1)
    return image


def number_in(image):
    return sum(int(image[CELL // 2, bit * CELL + CELL // 2, 0] > 127) << bit for bit in range(BITS))


def png(number):
    buffer = io.BytesIO()
    Image.fromarray(picture(number)).save(buffer, "PNG")
    return buffer.getvalue()


def angle_rad(frame):
    return 0.5 * math.sin(frame / 9)


def check(name, source, count, rad_of, first=0, options=()):
    """Replays a source and compares it with `count` pictures from number `first` on, at RATE_HZ."""
    written = folder / "out.csv", folder / "out.mcap"
    command = [program, "replay", str(source), *options, "--csv", str(written[0]), "--mcap", str(written[1])]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, (name, ran.stdout, ran.stderr)
    with open(written[0], newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count, (name, len(rows), count)
    worst_s = max(abs(float(row["time_s"]) - frame / RATE_HZ) for frame, row in enumerate(rows))
    worst_rad = max(abs(float(row["steering_true_rad"]) - rad_of(first + frame)) for frame, row in enumerate(rows))
    numbers = []
    with open(written[1], "rb") as file:
        for _, _, _, message in make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages(topics=["/camera"]):
            numbers.append(number_in(numpy.asarray(Image.open(io.BytesIO(message.data)).convert("RGB"))))
    assert numbers == list(range(first, first + count)), (name, numbers)
    assert worst_s < 1e-5 and worst_rad < 1e-5, (name, worst_s, worst_rad)
    print(f"{name:44} {count} frames, times within {worst_s:.0e} s, angles within {worst_rad:.0e} rad")


def write_bag(path, storage, compression=None):
    store = get_typestore(Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg("std_msgs/Header header\nstring note\nfloat64[] angles_deg\n", "car_msgs/msg/Steer"))
    types = store.types
    Header, Time = types["std_msgs/msg/Header"], types["builtin_interfaces/msg/Time"]
    writer = Writer(path, version=9, storage_plugin=storage)
    if compression:
        writer.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
    with writer:
        kinds = {"/camera/front": "sensor_msgs/msg/CompressedImage", "/camera/raw": "sensor_msgs/msg/Image", "/car/steer": "car_msgs/msg/Steer"}
        connections = {topic: writer.add_connection(topic, kind, typestore=store) for topic, kind in kinds.items()}
        for frame in range(FRAMES):
            ns = START_NS + frame * 1_000_000_000 // RATE_HZ
            header = Header(stamp=Time(sec=ns // 10**9, nanosec=ns % 10**9), frame_id="car")
            pixels = picture(frame)[:, :, ::-1].reshape(-1)
            messages = {
                "/camera/front": types[kinds["/camera/front"]](header=header, format="png", data=numpy.frombuffer(png(frame), numpy.uint8)),
                "/camera/raw": types[kinds["/camera/raw"]](
                    header=header, height=HEIGHT, width=WIDTH, encoding="bgr8", is_bigendian=0, step=3 * WIDTH, data=pixels
                ),
                "/car/steer": types[kinds["/car/steer"]](
                    header=header, note="x" * (frame % 5), angles_deg=numpy.array([9.0, -math.degrees(angle_rad(frame))])
                ),
            }
            for topic, message in messages.items():
                raw = store.serialize_cdr(message, kinds[topic])
                writer.write(connections[topic], ns + 3_000_000, raw)


def write_json_mcap(path):
    import base64

    with open(path, "wb") as file:
        writer = McapWriter(file)
        writer.start()
        schema = lambda name: writer.register_schema(name, "jsonschema", b'{"type": "object"}')
        camera = writer.register_channel("/cam", "json", schema("foxglove.CompressedImage"))
        wheel = writer.register_channel("/wheel", "json", schema("Wheel"))
        for frame in range(FRAMES):
            ns = START_NS + frame * 1_000_000_000 // RATE_HZ
            stamp = {"sec": ns // 10**9, "nsec": ns % 10**9}
            image = {"timestamp": stamp, "frame_id": "car", "format": "png", "data": base64.b64encode(png(frame)).decode()}
            steer = {"timestamp": stamp, "front": [{"angle": angle_rad(frame)}]}
            for channel, message in ((camera, image), (wheel, steer)):
                writer.add_message(channel, ns, json.dumps(message).encode(), ns)
        writer.finish()


def write_video(path, numbers):
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE_HZ)]
    command += ["-i", "-", "-c:v", "libx264", "-g", "2", "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, input=b"".join(picture(number).tobytes() for number in numbers), check=True)


def write_table(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


EPISODES = [(0, 20), (20, 35), (35, 60)]
CAMERA = "observation.images.front_left"


def write_lerobot(root, version):
    v3 = version == "v3.0"
    names = ["gas_pedal_normalized", "brake_pedal_normalized", "steering_angle_normalized"]
    info = {
        "codebase_version": version,
        "fps": RATE_HZ,
        "chunks_size": 1000,
        "total_episodes": len(EPISODES),
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet" if v3 else "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
        if v3
        else "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        "features": {
            CAMERA: {"dtype": "video", "shape": [3, HEIGHT, WIDTH], "names": ["channel", "height", "width"]},
            "observation.images.left_forward": {"dtype": "video", "shape": [3, HEIGHT, WIDTH], "names": None},
            "action.continuous": {"dtype": "float32", "shape": [3], "names": {"axes": names}},
            "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        },
    }
    (root / "meta").mkdir(parents=True)
    (root / "meta/info.json").write_text(json.dumps(info))

    def columns(first, last, episodes):
        frames = range(first, last)
        action = [[0.1, 0.0, angle_rad(frame)] for frame in frames]
        begins = [next(begin for begin, end in EPISODES if begin <= frame < end) for frame in frames]
        return {
            "action.continuous": pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(sum(action, []), pyarrow.float32()), 3),
            "timestamp": pyarrow.array([(frame - begin) / RATE_HZ for frame, begin in zip(frames, begins)], pyarrow.float32()),
            "episode_index": pyarrow.array(episodes, pyarrow.int64()),
        }

    if v3:
        of_all = [episode for episode, (first, last) in enumerate(EPISODES) for _ in range(first, last)]
        write_table(root / "data/chunk-000/file-000.parquet", columns(0, FRAMES, of_all))
        write_video(root / f"videos/{CAMERA}/chunk-000/file-000.mp4", range(FRAMES))
        zeros = [0] * len(EPISODES)
        table = {"episode_index": range(len(EPISODES)), "length": [last - first for first, last in EPISODES]}
        table |= {"data/chunk_index": zeros, "data/file_index": zeros, "tasks": [["drive"]] * len(EPISODES)}
        table |= {f"videos/{CAMERA}/{name}": zeros for name in ("chunk_index", "file_index")}
        table[f"videos/{CAMERA}/from_timestamp"] = [first / RATE_HZ for first, _ in EPISODES]
        write_table(root / "meta/episodes/chunk-000/file-000.parquet", {name: pyarrow.array(values) for name, values in table.items()})
        return
    lines = []
    for episode, (first, last) in enumerate(EPISODES):
        write_table(root / f"data/chunk-000/episode_{episode:06d}.parquet", columns(first, last, [episode] * (last - first)))
        write_video(root / f"videos/chunk-000/{CAMERA}/episode_{episode:06d}.mp4", range(first, last))
        lines.append(json.dumps({"episode_index": episode, "tasks": ["drive"], "length": last - first}))
    (root / "meta/episodes.jsonl").write_text("\n".join(lines) + "\n")


DEGREES = ["--steering", "/car/steer.angles_deg[1]", "--steering-unit", "deg", "--steering-positive", "right"]
for name, storage, packed in (
    ("rosbags, SQLite", StoragePlugin.SQLITE3, False),
    ("rosbags, SQLite, zstd messages", StoragePlugin.SQLITE3, True),
    ("rosbags, MCAP", StoragePlugin.MCAP, False),
):
    path = folder / name.replace(" ", "").replace(",", "-")
    write_bag(path, storage, packed)
    check(name, path, FRAMES, angle_rad, options=DEGREES)
    check(f"{name}, raw images", path, FRAMES, angle_rad, options=[*DEGREES, "--camera-topic", "/camera/raw"])

write_json_mcap(folder / "json.mcap")
options = ["--steering", "/wheel.front[0].angle", "--steering-unit", "rad", "--steering-positive", "left"]
check("mcap, JSON, zstd", folder / "json.mcap", FRAMES, angle_rad, options=options)

full_rad = math.radians(25)
for version in ("v2.1", "v3.0"):
    root = folder / f"lerobot-{version}"
    write_lerobot(root, version)
    for episode, (first, last) in enumerate(EPISODES):
        options = ["--episode", str(episode), "--steering-positive", "left"]
        check(f"LeRobot {version}, episode {episode}", root, last - first, lambda frame: full_rad * angle_rad(frame), first, options)
