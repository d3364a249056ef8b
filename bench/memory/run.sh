#!/usr/bin/env bash
# How much memory a processor takes whatever comes in: for each load a broker of its own, all records written before the processor starts, then the most memory that it had until
# all was committed. A load is RECORDS:BYTES (of a value), and with `:stall` the broker stands still (SIGSTOP) for 8 s in the middle. One Markdown row a load.
#
#   run.sh [RECORDS:BYTES[:stall] …]      default: 1000000:200 20000:60000 1500:900000 20000:60000:stall
#
#   POLICYSTREAMS_TEST_KAFKA      a script with `start DIR [--port N]` and `stop DIR`. Required
#   POLICYSTREAMS_COMMAND         default bin/policystreams (make build)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
case ${1:-} in -h | --help) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0;; esac
kafka=${POLICYSTREAMS_TEST_KAFKA:?set it to a script that starts a broker}
read -r -a command <<<"${POLICYSTREAMS_COMMAND:-$root/bin/policystreams}"
[ $# -gt 0 ] || set -- 1000000:200 20000:60000 1500:900000 20000:60000:stall
work=$(mktemp -d)
pid= stalled=
cleanup() {
  set +e
  [ -n "$stalled" ] && kill -CONT "$stalled" 2>/dev/null
  [ -n "$pid" ] && kill -9 "$pid" 2>/dev/null
  for dir in "$work"/*/kafka; do [ -d "$dir" ] && "$kafka" stop "$dir" >/dev/null 2>&1; done
  rm -rf "$work"
}
trap cleanup EXIT
free_port() {
  python3 - <<'PORT'
import socket
while True:
    a, b = socket.socket(), socket.socket()
    try:
        a.bind(("127.0.0.1", 0)); b.bind(("127.0.0.1", a.getsockname()[1] + 1))
        print(a.getsockname()[1]); break
    except (OSError, OverflowError):
        continue
PORT
}
echo "| records | bytes of a value | MiB in | broker | largest resident size |"
echo "|---|---|---|---|---|"
for load in "$@"; do
  IFS=: read -r records bytes stall <<<"$load"
  dir=$work/$load
  mkdir -p "$dir/policies"
  cat >"$dir/policies/bench.policy.yaml" <<'POLICY'
apiVersion: policystreams/v1
kind: Policy
metadata: { name: bench, owner: bench }
bindings:
  - { name: bench, format: json, key_format: string, partitions: 4, identity: { topic: { id: bench, groups: [producers] } } }
on_error: deny
on_schema_mismatch: deny
rules:
  - { id: card, mask: { field: card, keep_last: 4 } }
POLICY
  bootstrap=$("$kafka" start "$dir/kafka" --port "$(free_port)" | tail -1)
  "${command[@]}" topics apply --bootstrap "$bootstrap" --policies "$dir/policies" >/dev/null
  python3 - "$records" "$bytes" <<'RECORDS' >"$dir/records"
import sys
records, size = int(sys.argv[1]), int(sys.argv[2])
for i in range(records):
    head = '{"n":%d,"card":"4111111111111111","note":"' % i
    print(head + "x" * max(0, size - len(head) - 2) + '"}')
RECORDS
  kcat -P -b "$bootstrap" -t raw.bench -X batch.num.messages=1000,queue.buffering.max.kbytes=262144,message.max.bytes=2000000 -l "$dir/records"
  rm "$dir/records"
  "${command[@]}" run --bootstrap "$bootstrap" --policies "$dir/policies" --group bench --instance bench --state-dir "$dir/state" --http "127.0.0.1:$(free_port)" >"$dir/processor.log" 2>&1 &
  pid=$!
  http=$(tr '\0' '\n' <"/proc/$pid/cmdline" | grep '^127\.0\.0\.1:' | tail -1)
  done_records() { curl -s "http://$http/metrics" | sed -n 's/^policystreams_records_total{.*} //p' | awk '{ n += $1 } END { print n + 0 }'; }
  for _ in $(seq 6000); do
    decided=$(done_records || echo 0)
    if [ "${stall:-}" = stall ] && [ -z "$stalled" ] && [ "$decided" -gt $((records / 4)) ]; then
      stalled=$(cat "$dir/kafka/broker-1.pid")
      kill -STOP "$stalled"; sleep 8; kill -CONT "$stalled"
    fi
    [ "$decided" -ge "$records" ] && break
    kill -0 "$pid" 2>/dev/null || { cat "$dir/processor.log" >&2; exit 1; }
    sleep 0.2
  done
  [ "$decided" -ge "$records" ] || { echo "memory: $decided of $records decided" >&2; tail -5 "$dir/processor.log" >&2; exit 1; }
  peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status")
  kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null || true
  pid= stalled=
  awk -v r="$records" -v b="$bytes" -v s="${stall:-}" -v p="$peak" 'BEGIN { printf "| %d | %d | %d | %s | %d MiB |\n", r, b, r * b / 1048576, s == "" ? "well" : "stood still for 8 s", p / 1024 }'
  "$kafka" stop "$dir/kafka" >/dev/null
  rm -rf "$dir"
done
