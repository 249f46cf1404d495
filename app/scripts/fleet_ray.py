"""One Ray task a drive: python fleet_ray.py DRIVES.txt MODEL RESULTS. A drive that fails is named and does not end the others."""
import subprocess
import sys

import ray


@ray.remote(num_cpus=1, max_retries=3)
def evaluate(drive, model, results):
    command = ["deltasteer", "eval", drive, "--model", model, "--results", results, "--jobs", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode < 0:
        # Killed, as when its node is taken away: Ray runs the task again.
        raise SystemExit(done.returncode)
    return drive, done.returncode, done.stderr.strip()


drives, model, results = sys.argv[1:]
ray.init(include_dashboard=False, log_to_driver=False)
lines = [line.strip() for line in open(drives, encoding="utf-8")]
tasks = [evaluate.remote(line, model, results) for line in lines if line and not line.startswith("#")]
for drive, status, errors in ray.get(tasks):
    if status != 0:
        print(f"{drive}: exit status {status}: {errors}", file=sys.stderr)
