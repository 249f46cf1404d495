"""Makes the small ROS bags and HDF5 drives that tests/containers.rs reads, with the usual Python libraries, so that the
readers are checked against writers of other people.

usage: pip install rosbags h5py numpy pillow; containers.py FOLDER

Each picture carries its number as 16 black or white squares of 8x8 pixels, lowest bit first.
"""

import io
import struct
import sys
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from rosbags.rosbag1 import Writer

FRAMES = 12
START_NS = 1_479_425_441_182_877_835
REPORT = """Header header

# Steering Wheel
float32 steering_wheel_angle      # rad
float32 steering_wheel_angle_cmd  # rad
float32 steering_wheel_torque     # Nm
"""
IMAGE = "Header header\nstring format\nuint8[] data\n"


def picture(number, rows):
    pixels = np.full((rows, 128, 3), 60, np.uint8)
    for bit in range(16):
        pixels[:8, bit * 8 : bit * 8 + 8] = 255 if number >> bit & 1 else 0
    return pixels


def header(stamp_ns):
    return struct.pack("<III", 0, stamp_ns // 10**9, stamp_ns % 10**9) + struct.pack("<I", 3) + b"car"


def image_message(number, stamp_ns):
    jpeg = io.BytesIO()
    Image.fromarray(picture(number, 16)).save(jpeg, "JPEG", quality=90)
    data = jpeg.getvalue()
    return header(stamp_ns) + struct.pack("<I", 4) + b"jpeg" + struct.pack("<I", len(data)) + data


def write_bag(path, compression):
    path.unlink(missing_ok=True)
    writer = Writer(path)
    if compression:
        writer.set_compression(compression)
    with writer:
        def topic(name, kind, definition):
            return writer.add_connection(name, kind, msgdef=definition, md5sum="0" * 32)

        centre = topic("/center_camera/image_color/compressed", "sensor_msgs/msg/CompressedImage", IMAGE)
        left = topic("/left_camera/image_color/compressed", "sensor_msgs/msg/CompressedImage", IMAGE)
        report = topic("/vehicle/steering_report", "dbw_mkz_msgs/msg/SteeringReport", REPORT)
        # Angle 0.1 rad per frame, sampled between the frames: a straight line, so interpolation gives it back.
        for step in range(FRAMES * 2 + 1):
            stamp_ns = START_NS + step * 25_000_000 - 12_000_000
            angle = 0.1 * (step * 25 - 12) / 50
            writer.write(report, stamp_ns, header(stamp_ns) + struct.pack("<fff", angle, 9.0, 9.0))
            if step % 2 == 0 and step // 2 < FRAMES:
                stamp_ns = START_NS + step * 25_000_000
                writer.write(left, stamp_ns, image_message(900 + step, stamp_ns))
                writer.write(centre, stamp_ns, image_message(step // 2, stamp_ns))


def write_drive(folder, name, **storage):
    for part in ("camera", "log"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    frames = np.stack([picture(number, 8).transpose(2, 0, 1) for number in range(FRAMES)])
    with h5py.File(folder / "camera" / name, "w") as camera:
        camera.create_dataset("X", data=frames, **storage)
    # 100 Hz; the first frame is the newest at 0.02 s; frame 5 is never pointed to; the end points beyond the frames.
    lines = np.arange(5 * FRAMES + 10)
    newest = (lines - 2) // 5
    newest[newest == 5] = 4
    with h5py.File(folder / "log" / name, "w") as log:
        log["times"] = 1000.0 + lines * 0.01
        log["cam1_ptr"] = newest.astype(np.float64)
        log["steering_angle"] = 10.0 * newest


if __name__ == "__main__":
    out = Path(sys.argv[1])
    write_bag(out / "plain.bag", None)
    write_bag(out / "lz4.bag", Writer.CompressionFormat.LZ4)
    write_bag(out / "bz2.bag", Writer.CompressionFormat.BZ2)
    write_drive(out / "comma2016", "contiguous.h5")
    write_drive(out / "comma2016", "chunked.h5", chunks=(1, 3, 8, 128), compression="gzip")
