#!/usr/bin/env bash
# Tries the launchers in Clusters/ on this machine: a Slurm of two nodes, of which one is killed in the middle
# of a unit; a Ray of three, of which one is removed. Each has to end in the bytes of one worker's run.
#
#   Scripts/test-clusters.sh [slurm] [ray]      both when none is named
#
# Wants root for Slurm's daemons. What they wrote stays in out/clusters.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
work=$root/out/clusters
samples=$root/.deps/samples
export LOOPY=$root/.build/release/loopy OMP_WAIT_POLICY=passive
engines=("$@")
[ $# -gt 0 ] || engines=(slurm ray)

say() { printf 'test-clusters: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

[ -x "$LOOPY" ] || fail "$LOOPY is missing: run 'make build'"
rm -rf "$work"
mkdir -p "$work"
cat >"$work/pipeline.yaml" <<'YAML'
run: { lapse: 5 }
ingest:
measure: { unit_seconds: 4 }
select:
  rules:
    duration: { minimum: 1 }
    face_width: { minimum: 20 }
    face_height: { minimum: 30 }
    sharpness: { minimum: 0.02 }
    sound: { minimum: null }
    speech: { minimum: null }
    mouth_in_speech: { minimum: null }
  clips: { maximum_seconds: 1, per_shard: 20 }
crop: { video: { size: 128, preset: ultrafast } }
extract: { keypoints: , motion: }
pack:
YAML

# What `loopy work` takes, for a dataset of its own.
arguments() { echo "$work/pipeline.yaml" --dataset "$work/$1" --input "$samples"; }

compare() {
    "$LOOPY" verify "$work/$1" || fail "$1: is not as it should be"
    diff -rq -x .work "$work/one" "$work/$1" || fail "$1: other bytes than one worker's"
    say "$1: the bytes of one worker's run"
}

# Waits until a line of a worker's log says that a unit of a stage is built.
wait_for_unit() {
    for _ in $(seq 600); do
        grep -qs "\"stage\":\"$2\".*\"unit\"" "$work/$1"/.work/log/*.jsonl && return
        sleep 0.2
    done
    fail "$1: no unit of $2 was built in two minutes"
}

test_slurm() {
    local folder=$work/slurm-state
    mkdir -p "$folder"/{state,n1,n2}
    command -v slurmctld slurmd sbatch >/dev/null ||
        apt-get install -y --no-install-recommends slurmctld slurmd slurm-client \
            slurm-wlm-basic-plugins >"$folder/apt.log" 2>&1 || fail "Slurm cannot be installed"
    export SLURM_CONF=$folder/slurm.conf
    cat >"$SLURM_CONF" <<CONF
ClusterName=loopy
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
SlurmctldPort=16817
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdTimeout=15
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port=17001 CPUs=2
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port=17002 CPUs=2
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
    stop_slurm() {
        scancel --user "$(id -un)" 2>/dev/null || true
        for name in slurmctld n1 n2; do
            [ ! -f "$folder/$name.pid" ] || kill "$(cat "$folder/$name.pid")" 2>/dev/null || true
        done
    }
    trap stop_slurm EXIT
    slurmctld -c
    for node in n1 n2; do slurmd -N $node; done
    for _ in $(seq 100); do
        [ "$(sinfo -h -t idle -o %D)" = 2 ] && break
        sleep 0.2
    done
    # Four workers: two on each node.
    sbatch --array=0-3 --cpus-per-task=1 --mem=0 --chdir="$folder" \
        "$root/Clusters/slurm/loopy.sbatch" $(arguments slurm) >"$folder/sbatch.log"
    wait_for_unit slurm measure
    say "slurm: killing node n2 with all that runs on it"
    local victims=("$(cat "$folder/n2.pid")") step
    for step in $(pgrep slurmstepd); do
        tr '\0' '\n' <"/proc/$step/environ" | grep -qx SLURMD_NODENAME=n2 && victims+=("$step") || true
    done
    for worker in $(pgrep -f "$LOOPY work" || true) $(pgrep -f "loopy-.*$work/slurm" || true); do
        tr '\0' '\n' <"/proc/$worker/environ" 2>/dev/null | grep -qx SLURMD_NODENAME=n2 && victims+=("$worker") || true
    done
    [ ${#victims[@]} -gt 1 ] || fail "slurm: nothing ran on n2"
    kill -9 "${victims[@]}" 2>/dev/null || true
    for _ in $(seq 600); do
        [ -z "$(squeue -h)" ] && break
        sleep 0.5
    done
    [ -z "$(squeue -h)" ] || { squeue >&2; fail "slurm: jobs are left after five minutes"; }
    stop_slurm
    trap - EXIT
    compare slurm
}

test_ray() {
    local python=$root/.deps/ray/bin/python
    if [ ! -x "$python" ]; then
        python3 -m venv "$root/.deps/ray"
        "$root/.deps/ray/bin/pip" install -q ray==2.40.0 || fail "Ray cannot be installed"
    fi
    RAY_DEDUP_LOGS=0 "$python" Scripts/test-ray.py "$work/ray" $(arguments ray) 2>"$work/ray.log" >&2 ||
        { tail -n 20 "$work/ray.log" >&2; fail "ray: failed"; }
    compare ray
}

say "one worker"
"$LOOPY" run $(arguments one) --workers 1 --set run.threads=1 >"$work/one.log" 2>&1 || { tail "$work/one.log" >&2; exit 1; }
for engine in "${engines[@]}"; do "test_$engine"; done
