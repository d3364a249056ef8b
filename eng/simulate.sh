#!/usr/bin/env bash
# Runs schedules of the simulation: simulate.sh runs SCHEDULES (default 100,000) of them from a seed of the clock, simulate.sh SEED that one alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
eng/bootstrap.sh
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
if [ $# -gt 0 ]; then export POLICYSTREAMS_SIM_SEED=$1
else
  export POLICYSTREAMS_SIM_SCHEDULES=${SCHEDULES:-100000}
  export POLICYSTREAMS_SIM_FROM=${FROM:-$(($(date +%s) % 1000000 * 1000))}
fi
dotnet build tests/PolicyStreams.Faults.Tests -c Release --no-restore --nologo -v quiet >&2
exec dotnet run --project tests/PolicyStreams.Faults.Tests -c Release --no-build --no-restore -- -noLogo -noColor -method '*.SimulationTests.Schedules_OfAnySeed_KeepThePromises'
