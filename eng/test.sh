#!/usr/bin/env bash
# Builds, then runs every test project once, one after the other. The last line is exactly `N passed, N failed, N skipped`.
# Exit 0 only where nothing failed, every project ran at least one test, and none crashed.
#   POLICYSTREAMS_TEST_KAFKA, POLICYSTREAMS_TEST_REGISTRY   a real broker and registry; see CONTRIBUTING.md
#   CI=true                     installs what the tests need, checks formatting, and makes a missing broker a failure
#   TEST_PROJECTS="Rules Cli"   only these projects
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

say() { echo "test: $*"; }

# Clients that are not ours: integration tests produce and consume with them.
clients() {
  local missing=() sudo=
  command -v kcat >/dev/null || missing+=(kcat)
  /usr/bin/python3 -c 'import confluent_kafka' 2>/dev/null || missing+=(python3-confluent-kafka)
  /usr/bin/python3 -c 'import fastavro' 2>/dev/null || /usr/bin/python3 -c 'import avro' 2>/dev/null || missing+=(python3-avro)
  /usr/bin/python3 -c 'import requests' 2>/dev/null || missing+=(python3-requests)
  [ ${#missing[@]} -eq 0 ] && return 0
  if ! command -v apt-get >/dev/null; then
    say "integration tests need ${missing[*]} (Debian's names); without them they are skipped"
    return 0
  fi
  if [ "$(id -u)" != 0 ]; then
    if [ "${CI:-}" = true ] && command -v sudo >/dev/null; then sudo=sudo
    else
      say "integration tests need clients that are not ours; without them they are skipped. To install them:"
      say "    sudo apt-get install -y ${missing[*]}"
      return 0
    fi
  fi
  say "installing ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${missing[@]}" >/dev/null 2>&1 && return 0
  $sudo apt-get update -qq >/dev/null 2>&1
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${missing[@]}" >/dev/null 2>&1 || say "could not install ${missing[*]}"
}

# One attribute of the <Counters> element of a trx file; 0 where there is none.
counter() { sed -n "s/.*<Counters[^>]* $2=\"\([0-9]*\)\".*/\1/p" "$1" 2>/dev/null | head -1 | grep . || echo 0; }

results=TestResults
rm -rf "$results"
mkdir -p "$results"
clients
eng/build.sh || { say "the build failed"; echo "0 passed, 0 failed, 0 skipped"; exit 1; }

bad=0
if [ "${CI:-}" = true ]; then
  if dotnet format whitespace PolicyStreams.sln --no-restore --verify-no-changes >"$results/format.log" 2>&1; then say "formatting: as .editorconfig says"
  else bad=1; head -20 "$results/format.log"; say "formatting: not as .editorconfig says; make format mends it"; fi
fi

passed=0 failed=0 skipped=0
for project in tests/*/*.csproj; do
  name=$(basename "$project" .csproj)
  if [ -n "${TEST_PROJECTS:-}" ]; then
    wanted=
    for word in $TEST_PROJECTS; do [ "PolicyStreams.$word.Tests" = "$name" ] && wanted=1; done
    [ -n "$wanted" ] || continue
  fi
  trx=$results/$name.trx log=$results/$name.log
  started=$SECONDS
  timeout --kill-after=30 "${TEST_TIMEOUT:-1200}" \
    dotnet test "$project" -c Release --no-build --nologo -v quiet --logger "trx;LogFileName=$name.trx" --logger "console;verbosity=minimal" --results-directory "$results" >"$log" 2>&1
  code=$?
  p=$(counter "$trx" passed) f=$(counter "$trx" failed) total=$(counter "$trx" total) executed=$(counter "$trx" executed)
  # A skipped test is counted in `total` and not in `executed`.
  s=$((total - executed))
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  verdict=ok
  if [ "$total" -eq 0 ]; then verdict="RAN NO TEST"
  elif [ "$f" -gt 0 ]; then verdict="FAILED"
  elif [ "$code" -ne 0 ]; then verdict="CRASHED (exit $code)"
  elif [ "$executed" -ne $((p + f)) ]; then verdict="DID NOT FINISH"
  fi
  printf '%-44s %5d passed %4d failed %4d skipped %4d s  %s\n' "$name" "$p" "$f" "$s" $((SECONDS - started)) "$verdict"
  if [ "$verdict" != ok ]; then
    bad=1
    grep -vE '^\s*$' "$log" | tail -60 | sed 's/^/    /'
  fi
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$bad" -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
