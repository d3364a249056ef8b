#!/usr/bin/env bash
# What restoring open holds costs, by size: for each size a broker of its own, a history of holds as a task writes it (every ended hold with its state, its held record, and
# both tombstones; the broker compacts as it goes, so the records read are what that left; with `:raw` it does not compact at all), then `policystreams run` on it. One Markdown row a size: time from the assignment of the partition to its first record, as the
# processor logs it, the processor time of the whole process until then (what tells on a machine that does other things too), and the most memory that it had.
#
#   run.sh [OPEN:ENDED[:raw] …]         default: 0:0 1000:0 10000:0 100000:0 100000:1000000
#
#   POLICYSTREAMS_TEST_KAFKA      a script with `start DIR [--port N]` and `stop DIR`. Required
#   POLICYSTREAMS_COMMAND         default bin/policystreams (make build)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
case ${1:-} in -h | --help) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0;; esac
kafka=${POLICYSTREAMS_TEST_KAFKA:?set it to a script that starts a broker}
read -r -a command <<<"${POLICYSTREAMS_COMMAND:-$root/bin/policystreams}"
[ $# -gt 0 ] || set -- 0:0 1000:0 10000:0 100000:0 100000:1000000
work=$(mktemp -d)
pid=
cleanup() {
  set +e
  [ -n "$pid" ] && kill -9 "$pid" 2>/dev/null
  for dir in "$work"/*/kafka; do [ -d "$dir" ] && "$kafka" stop "$dir" >/dev/null 2>&1; done
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
[ -n "${RESTORE_COST_BUILT:-}" ] || dotnet build "$root/bench" -c Release --no-restore -v q -nologo >/dev/null
echo "| open holds | ended before | records read | MiB of state and held | restored in | processor time | largest resident size |"
echo "|---|---|---|---|---|---|---|"
for size in "$@"; do
  IFS=: read -r open ended raw <<<"$size"
  dir=$work/$size set=()
  [ "${raw:-}" = raw ] && set=(--set log.cleaner.enable=false)
  mkdir -p "$dir/policies"
  printf 'hold-key-0123456789-0123456789-0123' >"$dir/hold.key"
  cat >"$dir/policies/bench.policy.yaml" <<'POLICY'
apiVersion: policystreams/v1
kind: Policy
metadata: { name: bench, owner: bench }
bindings:
  - { name: bench, format: json, key_format: string, partitions: 1, identity: { topic: { id: bench, groups: [producers] } } }
on_error: deny
on_schema_mismatch: deny
rules:
  - { id: card, mask: { field: card, keep_last: 4 } }
  - { id: large, when: value.amount > 10000.0, hold: { approvers: [risk], quorum: 2, expires: 47h, on_expiry: deny, reason: large payment } }
POLICY
  bootstrap=$("$kafka" start "$dir/kafka" --port "$(free_port)" "${set[@]}" | tail -1)
  "${command[@]}" topics apply --bootstrap "$bootstrap" --policies "$dir/policies" >/dev/null
  made='{"records":0,"megabytes":0}'
  if [ $((open + ended)) -gt 0 ]; then
    made=$(dotnet run --project "$root/bench" -c Release --no-build -- fill-holds "$bootstrap" "$dir/policies/bench.policy.yaml" "$dir/hold.key" bench "$ended" "$open" | tail -1)
    # As many records as the head says were read: the offsets are what counts, not what is in them.
    python3 - "$((open + ended))" <<'RECORDS' | kcat -P -b "$bootstrap" -t raw.bench -p 0 -l /dev/stdin
import sys
for _ in range(int(sys.argv[1])): print("{}")
RECORDS
  fi
  "${command[@]}" run --bootstrap "$bootstrap" --policies "$dir/policies" --group bench --instance bench --state-dir "$dir/state" --holds-max 2000000 \
    --key "hold-key=file:$dir/hold.key" --hold-key hold-key >"$dir/processor.log" 2>&1 &
  pid=$!
  for _ in $(seq 3000); do
    grep -q ' restored in ' "$dir/processor.log" && break
    kill -0 "$pid" 2>/dev/null || { cat "$dir/processor.log" >&2; exit 1; }
    grep -q ' is stopped: ' "$dir/processor.log" && { cat "$dir/processor.log" >&2; exit 1; }
    sleep 0.1
  done
  line=$(grep -m1 ' restored in ' "$dir/processor.log")
  ms=$(sed -E 's/.* restored in ([0-9]+) ms.*/\1/' <<<"$line")
  holds=$(sed -E 's/.* ms: ([0-9]+) open holds.*/\1/' <<<"$line")
  records=$(sed -E 's/.* from ([0-9]+) records.*/\1/' <<<"$line")
  cpu=$(awk -v hz="$(getconf CLK_TCK)" '{ sub(/^.*\) /, ""); printf "%.1f", ($12 + $13) / hz }' "/proc/$pid/stat")
  peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status")
  mib=$(sed -E 's/.*"megabytes":([0-9]+).*/\1/' <<<"$made")
  kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null || true
  pid=
  [ "$holds" = "$open" ] || { echo "restore-cost: $holds holds restored of $open" >&2; exit 1; }
  awk -v o="$open" -v e="$ended" -v r="$records" -v m="$mib" -v t="$ms" -v c="$cpu" -v p="$peak" 'BEGIN { printf "| %d | %d | %d | %d | %.1f s | %.1f s | %d MiB |\n", o, e, r, m, t / 1000, c, p / 1024 }'
  "$kafka" stop "$dir/kafka" >/dev/null
  rm -rf "$dir"
done
