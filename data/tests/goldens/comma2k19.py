"""Writes comma2k19.csv: the steering angle of the published example segment at every 20th frame, computed with NumPy.

usage: comma2k19.py FOLDER_OF_THE_SEGMENT > comma2k19.csv
"""

import sys

import numpy as np

segment = sys.argv[1]
frame_times = np.load(f"{segment}/global_pose/frame_times")
t = np.load(f"{segment}/processed_log/CAN/steering_angle/t")
value_deg = np.load(f"{segment}/processed_log/CAN/steering_angle/value")
steering_rad = np.deg2rad(np.interp(frame_times, t, value_deg))
print("frame,steering_rad")
for frame in range(0, len(frame_times), 20):
    print(f"{frame},{steering_rad[frame]:.9f}")
