#!/usr/bin/env bash
# Injects faults on brokers of its own and writes what came of it: a row each to artifacts/faults, and those to docs/reliability.json and the table of docs/reliability.md.
#   faults.sh              all of them: about an hour and a half
#   faults.sh NAME...      some, by the names of the table
#   POLICYSTREAMS_TEST_KAFKA    a script with start, stop, kill, revive; see CONTRIBUTING.md
#   POLICYSTREAMS_FAULTS_PORT   first port to try, default 29100
#   POLICYSTREAMS_FAULTS_SEED   random moments from this seed; default: one that is printed
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
if [ ! -f "${POLICYSTREAMS_TEST_KAFKA:-}" ]; then
  echo "faults: set POLICYSTREAMS_TEST_KAFKA to a script that starts, kills, and revives brokers (CONTRIBUTING.md says what it must understand)" >&2
  exit 2
fi
eng/bootstrap.sh || exit 2
dotnet build tests/PolicyStreams.Faults.Tests -c Release --no-restore --nologo -v quiet >&2 || exit 2
export POLICYSTREAMS_FAULTS=${*:-all}
rm -rf artifacts/faults
dotnet run --project tests/PolicyStreams.Faults.Tests -c Release --no-build --no-restore -- -noLogo -noColor -class '*.FaultTests'
code=$?
eng/faults.py artifacts/faults docs/reliability.json docs/reliability.md || exit 2
exit $code
