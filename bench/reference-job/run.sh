#!/usr/bin/env bash
# The reference job, end to end: a fresh broker, N seeded payments, 20 rules, everything verified by a program that shares no code with ours.
# Every decision carries `before` and `after`: digests of the record as it came and as it was written, made with an audit key.
# Prints one JSON line and one Markdown row a run.
#
#   run.sh [--records 1000000] [--format avro|json|protobuf|json-schema] [--runs 1] [--threads 1] [--kills 0] [--latency] [--lean] [-- MORE OPTIONS OF `run`]
#
#   POLICYSTREAMS_PEERS           folder with java/peer, payment.avsc, and policy/: loader, clock, and verifier (see JOB.md there). Required
#   POLICYSTREAMS_TEST_KAFKA      a script with `start DIR [--port N]` and `stop DIR`: every run gets a broker of its own. Required
#   POLICYSTREAMS_TEST_REGISTRY   likewise
#   POLICYSTREAMS_COMMAND         what is measured; default bin/policystreams (make build)
#
# --kills N ends the processor by SIGKILL N times in mid-drain; CPU is then not reported. --latency adds 30 s at 5,000 records/s after the drain.
# --lean runs without the audit key: no `before`, and `after` is a plain digest. Its figures are not those of the job; they show what the audit key costs.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
records=1000000 format=avro runs=1 threads=1 kills=0 latency= lean=
while [ $# -gt 0 ]; do
  case $1 in
    --records) records=$2; shift 2;;
    --format) format=$2; shift 2;;
    --runs) runs=$2; shift 2;;
    --threads) threads=$2; shift 2;;
    --kills) kills=$2; shift 2;;
    --latency) latency=1; shift;;
    --lean) lean=1; shift;;
    --) shift; break;;
    -h | --help) sed -n '2,16s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0;;
    *) echo "reference-job: unknown option $1" >&2; exit 2;;
  esac
done
here=$root/bench/reference-job bench=$root/bench/bin/Release/net10.0/PolicyStreams.Bench.dll
case $format in
  avro | json) ;;
  protobuf | json-schema)
    [ -z "$latency" ] || { echo "reference-job: --latency takes avro or json: its producer writes no other" >&2; exit 2; }
    [ -e "$bench" ] || { echo "reference-job: no $bench; dotnet build bench -c Release" >&2; exit 2; };;
  *) echo "reference-job: --format is avro, json, protobuf, or json-schema" >&2; exit 2;;
esac
need() { [ -n "${!1:-}" ] && [ -e "${!1}" ] || { echo "reference-job: set $1: $2" >&2; exit 2; }; }
need POLICYSTREAMS_PEERS "the folder with java/peer"
need POLICYSTREAMS_TEST_KAFKA "a script that starts a broker"
need POLICYSTREAMS_TEST_REGISTRY "a script that starts a registry"
command=${POLICYSTREAMS_COMMAND:-$root/bin/policystreams}
[ -x "$command" ] || { echo "reference-job: no $command; make build" >&2; exit 2; }
peer=$POLICYSTREAMS_PEERS/java/peer
# The loader writes Avro and JSON. For the other two its JSON goes to a topic of its own, and comes to the ingress topic in the other form.
source=raw.payments written=$format schema=$POLICYSTREAMS_PEERS/payment.avsc type=AVRO
case $format in
  avro) policy=$POLICYSTREAMS_PEERS/policy/payments.policy.yaml;;
  json) policy=$POLICYSTREAMS_PEERS/policy/payments-json.policy.yaml;;
  protobuf) policy=$here/payments-protobuf.policy.yaml schema=$here/payment.proto type=PROTOBUF source=source.payments written=json;;
  json-schema) policy=$here/payments-json-schema.policy.yaml schema=$here/payment.json type=JSON source=source.payments written=json;;
esac
work=$(mktemp -d)
pid=

say() { echo "reference-job: $*" >&2; }
cleanup() {
  set +e   # Whatever of this fails, the rest must be done.
  [ -n "$pid" ] && kill -9 "$pid" 2>/dev/null
  for run in "$work"/run-*; do
    [ -d "$run/kafka" ] && "$POLICYSTREAMS_TEST_KAFKA" stop "$run/kafka"
    [ -d "$run/registry" ] && "$POLICYSTREAMS_TEST_REGISTRY" stop "$run/registry"
  done
  rm -rf "$work"
}
trap cleanup EXIT
free_port() {
  python3 - <<'PORT'
import socket
import sys
for _ in range(100):
    a, b = socket.socket(), socket.socket()
    try:
        a.bind(("127.0.0.1", 0)); b.bind(("127.0.0.1", a.getsockname()[1] + 1))
        print(a.getsockname()[1]); break
    except (OSError, OverflowError):
        continue
else:
    sys.exit('no two free ports in a row')
PORT
}

audit=(--key audit=env:REFERENCE_AUDIT_KEY --audit-key audit)
[ -n "$lean" ] && audit=()

launch() {   # the processor, in the slot that it had: a restart goes on where the killed one was
  "$command" run --bootstrap "$bootstrap" --registry "$registry" --policies "$dir/policies" --group reference --threads "$threads" \
    --key customer-key=env:REFERENCE_KEY "${audit[@]}" --instance reference --state-dir "$dir/state" "$@" >>"$dir/processor.log" 2>&1 &
  pid=$!
}

one() {
  dir=$work/run-$1; shift
  mkdir -p "$dir/policies" "$dir/state"
  export REFERENCE_KEY=reference-key-0123456789-0123456789 REFERENCE_AUDIT_KEY=reference-audit-key-0123456789-0123
  say "starting broker and registry"
  bootstrap=$("$POLICYSTREAMS_TEST_KAFKA" start "$dir/kafka" --port "$(free_port)" | tail -1)
  registry=$("$POLICYSTREAMS_TEST_REGISTRY" start "$dir/registry" --port "$(free_port)" | tail -1)
  local id; id=$("$root/tests/clients/register.py" --registry "$registry" --subject raw.payments-value --file "$schema" --type "$type")
  [ "$id" = 1 ] || { say "the schema got id $id, and the records name id 1: the registry is not empty"; return 2; }
  cp "$policy" "$dir/policies/payments.policy.yaml"
  "$command" topics apply --bootstrap "$bootstrap" --policies "$dir/policies" >"$dir/topics.log" 2>&1 || { cat "$dir/topics.log" >&2; return 2; }
  say "loading $records records"
  local create=(--no-create); [ "$source" = raw.payments ] || create=(--partitions 4)
  "$peer" load --bootstrap "$bootstrap" --ingress "$source" --count "$records" --format "$written" --seed 1 "${create[@]}" --out "$dir/expected.tsv" >"$dir/load.json"
  [ "$source" = raw.payments ] || dotnet "$bench" transcode --bootstrap "$bootstrap" --from "$source" --to raw.payments --format "$format" >>"$dir/load.json"

  say "draining"
  launch "$@"
  local watched=(); [ "$kills" = 0 ] && watched=(--cpu-pid "$pid")
  "$peer" drain-time --bootstrap "$bootstrap" --group reference "${watched[@]}" >"$dir/drain.json" &
  local clock=$!
  for ((kill_ = 1; kill_ <= kills; kill_++)); do
    sleep "$((1 + RANDOM % 2)).$((RANDOM % 1000))"
    kill -0 "$clock" 2>/dev/null || { say "drained before kill $kill_: take more records"; break; }
    kill -9 "$pid"; wait "$pid" 2>/dev/null || true
    say "kill $kill_ of $kills"
    launch "$@"
  done
  wait "$clock" || { tail -20 "$dir/processor.log" >&2; return 1; }
  # A stop by SIGTERM ends in good order: exit 0.
  kill -TERM "$pid"; wait "$pid" || { say "the processor did not stop in good order"; tail -20 "$dir/processor.log" >&2; return 1; }
  pid=

  say "verifying"
  local verified=true
  if [ "$source" != raw.payments ]; then
    "$here/verify.py" --bootstrap "$bootstrap" --expected "$dir/expected.tsv" --format "$format" --source "$source" >"$dir/verify.log" || verified=false
  else
    "$peer" verify --bootstrap "$bootstrap" --expected "$dir/expected.tsv" --format "$format" --skip-events checkpoint,policy,approval,reheld,released,refused,expired \
      --reason-header none --tag-header none --email-mask-regex '[0-9a-f]{32}' --before-field none --after-field none \
      --rule-map 2=r2,3=r3,4=r4,5=r5,6=r6,7=r7,8=r8,9=r9,10=r10,11=r11,12=r12,13=r13,14=r14,15=r15,16=r16 >"$dir/verify.log" || verified=false
  fi
  [ "$verified" = true ] || cat "$dir/verify.log" >&2

  echo null >"$dir/latency.json"
  if [ -n "$latency" ]; then
    say "latency at 5,000 records/s for 30 s"
    launch "$@"
    "$peer" latency --bootstrap "$bootstrap" --format "$format" --rate 5000 --seconds 30 >"$dir/latency.log" 2>&1 || { say "latency was not measured"; tail -5 "$dir/latency.log" >&2; }
    { grep '^{' "$dir/latency.log" || echo null; } | tail -1 >"$dir/latency.json"
    kill -TERM "$pid"; wait "$pid" || true
    pid=
  fi
  "$POLICYSTREAMS_TEST_KAFKA" stop "$dir/kafka"
  "$POLICYSTREAMS_TEST_REGISTRY" stop "$dir/registry"
  python3 - "$dir" "$records" "$threads" "$kills" "$verified" "$format" "${lean:+lean}" <<'REPORT'
import json, sys
folder, records, threads, kills, verified, form, lean = sys.argv[1:]
def last(name):
    return json.loads(open(f"{folder}/{name}", encoding="utf-8").read().strip().splitlines()[-1])
drain, latency = last("drain.json"), last("latency.json")
print(json.dumps({"format": form, "records": int(records), "threads": int(threads), "kills": int(kills), "lean": bool(lean), "verified": verified == "true", "drain": drain, "latency": latency}))
def figure(source, name, digits=0):
    return f"{source[name]:,.{digits}f}" if source and source.get(name) is not None else "-"
print(f"| policystreams, {form}, {threads} thread{'s' if threads != '1' else ''}{f', {kills} kills' if kills != '0' else ''}{', lean' if lean else ''} | {figure(drain, 'records_per_s')} "
      f"| {figure(drain, 'cpu_s', digits=1) if kills == '0' else '-'} | {figure(drain, 'peak_rss_mb') if kills == '0' else '-'} | {figure(latency, 'p50_ms')} / {figure(latency, 'p99_ms')} "
      f"| {'ok' if verified == 'true' else 'FAIL'} |")
REPORT
  rm -rf "$dir/kafka" "$dir/registry"
  [ "$verified" = true ]
}

say "| | records/s | CPU s in the drain | peak RSS MiB | p50 / p99 latency at 5,000/s, ms | verified |"
for ((run = 1; run <= runs; run++)); do one "$run" "$@"; done
