#!/bin/sh
# The examples of FLEET.md on the real thing: a job array of Slurm on this machine, and tasks of Ray. Twelve drives, one of them broken;
# tasks are killed midway and queued again. The totals must be those of one process. Installs slurm-wlm (Debian, Ubuntu) and, in a
# throw-away environment, Ray. FLEET_PYTHON names a Python that has Ray already; DELTASTEER a program that is built already.
set -eu
cd "$(dirname "$0")/../.."
repo=$PWD
work=$(mktemp -d)
stop() {
	[ -z "${SLURM_CONF:-}" ] || scancel --user="$(id -un)" 2>/dev/null || true
	sleep 1
	for name in slurmd slurmctld munged; do
		[ -f "$work/$name.pid" ] || continue
		pid=$(cat "$work/$name.pid")
		kill "$pid" 2>/dev/null || continue
		# It still writes its state while it ends.
		waited=0
		while kill -0 "$pid" 2>/dev/null && [ "$waited" -lt 100 ]; do
			sleep 0.1
			waited=$((waited + 1))
		done
	done
	rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

if [ -z "${DELTASTEER:-}" ]; then
	"${CARGO:-cargo}" build --release -p deltasteer --bin deltasteer --no-default-features
	DELTASTEER=$repo/target/release/deltasteer
fi
mkdir "$work/bin"
cp "$DELTASTEER" "$work/bin/deltasteer"
PATH="$work/bin:$PATH"
export PATH
ln -s "$repo/models" "$work/models"
cd "$work"
for seed in 1 2 3 4 5 6 7 8 9 10 11; do echo "road:$seed,seconds=60,size=160x120"; done > drives.txt
mkdir broken
echo "frame_id,steering_angle" > broken/interpolated.csv
echo "$work/broken" >> drives.txt

# The figures of a run that do not depend on the machine.
total() {
	python3 - "$1" <<-'EOF'
		import json, sys
		total = json.load(open(sys.argv[1]))["total"]
		print(json.dumps(total, sort_keys=True))
	EOF
}

# What the command prints on standard output goes to $1; its exit status must be $2.
expect() {
	file=$1 wanted=$2
	shift 2
	status=0
	"$@" > "$file" || status=$?
	[ "$status" = "$wanted" ] || { echo "check-fleet: $*: exit status $status, expected $wanted" >&2; exit 1; }
}

echo "one process"
expect one.json 3 deltasteer eval --drives drives.txt --model models/ch2 --json
[ "$(python3 -c 'import json; print(json.load(open("one.json"))["total"]["failed"])')" = 1 ]

echo "Slurm"
sh "$repo/app/scripts/setup.sh" slurm-wlm munge
start_slurm() {
	user=$(id -un)
	mkdir state spool munge
	chmod 700 munge
	dd if=/dev/urandom of=munge/key bs=1 count=1024 2>/dev/null
	chmod 400 munge/key
	munged --force --key-file "$work/munge/key" --socket "$work/munge/socket" --pid-file "$work/munged.pid" \
		--log-file "$work/munge/log" --seed-file "$work/munge/seed"
	cores=$(nproc)
	cat > slurm.conf <<-EOF
		ClusterName=check
		SlurmctldHost=$(hostname -s)(127.0.0.1)
		SlurmUser=$user
		SlurmdUser=$user
		AuthType=auth/munge
		AuthInfo=socket=$work/munge/socket
		CryptoType=crypto/munge
		StateSaveLocation=$work/state
		SlurmdSpoolDir=$work/spool
		SlurmctldPidFile=$work/slurmctld.pid
		SlurmdPidFile=$work/slurmd.pid
		SlurmctldLogFile=$work/slurmctld.log
		SlurmdLogFile=$work/slurmd.log
		SlurmctldPort=16817
		SlurmdPort=16818
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		JobAcctGatherType=jobacct_gather/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core
		SchedulerParameters=sched_min_interval=100000
		ReturnToService=2
		NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$cores State=UNKNOWN
		PartitionName=check Nodes=$(hostname -s) Default=YES MaxTime=INFINITE State=UP
	EOF
	SLURM_CONF=$work/slurm.conf
	export SLURM_CONF
	slurmctld
	slurmd
}
start_slurm
# The job script as FLEET.md prints it; the number of tasks is this list's.
awk '/^    #!\/bin\/sh/ { inside = 1 } inside && !/^    / { exit } inside { sub(/^    /, ""); print }' "$repo/FLEET.md" > job.sh
grep -q SLURM_ARRAY_TASK_ID job.sh
job=$(sbatch --parsable --array=1-12 --output=task-%a.log job.sh)
# A task that runs and has written nothing yet is killed and queued again, as when its node is taken away.
for round in 1 2; do
	waited=0
	until task=$(squeue --noheader --states=RUNNING --format=%i | head -n 1) && [ -n "$task" ]; do
		sleep 0.1
		waited=$((waited + 1))
		[ "$waited" -lt 600 ] || { cat slurmctld.log slurmd.log >&2; exit 1; }
	done
	sleep 0.5
	scontrol requeue "$task" && echo "  task $task was killed and queued again" || true
	sleep 1
done
waited=0
while [ -n "$(squeue --noheader)" ]; do
	sleep 1
	waited=$((waited + 1))
	[ "$waited" -lt 600 ] || { squeue >&2; exit 1; }
done
echo "  job $job: $(ls results/*.json | wc -l) results"
[ "$(ls results/*.json | wc -l)" = 11 ] || { tail -n 3 task-*.log >&2; exit 1; }
expect slurm.json 3 deltasteer eval --drives drives.txt --model models/ch2 --results results --json
[ "$(total one.json)" = "$(total slurm.json)" ] || { total one.json; total slurm.json; exit 1; }
expect failed.txt 3 deltasteer eval --drives drives.txt --results results --failed
grep -q "^$work/broken: " failed.txt && grep -q "^1 failed, 0 not evaluated yet" failed.txt || { cat failed.txt >&2; exit 1; }

echo "Ray"
python=${FLEET_PYTHON:-$(sh "$repo/app/scripts/venv.sh" "$work/venv" ray)}
# Its workers give way to everything else by default, and on a busy machine that takes hours.
RAY_worker_niceness=0
export RAY_worker_niceness
"$python" "$repo/app/scripts/fleet_ray.py" drives.txt models/ch2 results-ray
[ "$(ls results-ray/*.json | wc -l)" = 11 ]
expect ray.json 3 deltasteer eval --drives drives.txt --model models/ch2 --results results-ray --json
[ "$(total one.json)" = "$(total ray.json)" ] || { total one.json; total ray.json; exit 1; }
echo "check-fleet: one process, Slurm and Ray have the same totals: $(total one.json)"
