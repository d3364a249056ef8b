using BenchmarkDotNet.Running;
using PolicyStreams.Bench.Decide;
using PolicyStreams.Bench.Decisions;
using PolicyStreams.Bench.Floor;
using PolicyStreams.Bench.Quick;
using PolicyStreams.Bench.Restore;
using PolicyStreams.Bench.Tasks;
using PolicyStreams.Bench.Transcode;

// `rules` loads large policies and shows a record's cost by the number of rules; `lines` makes input for `policystreams decide`.
// `--quick` prints tables of ratios in a few seconds and fails on allocation and wrong results.
// `transcode …` brings the reference job's records into Protobuf, and into JSON framed for a JSON Schema.
// `copier …` is the floor of the reference job, `task …` what a task costs without its clients, `fill-holds …` makes a history of holds for a restore; everything else goes to BenchmarkDotNet: --filter '*Walk*', --list flat.
if (args is ["copier", ..]) { return Copier.Run(args[1..]); }
if (args is ["task", ..]) { return TaskCost.Run(args[1..]); }
if (args is ["transcode", ..]) { return TopicTranscoder.Run(args[1..]); }
if (args is ["rules"]) { return RuleCurve.Run(); }
if (args is ["lines", ..]) { return DecideLines.Run(args[1..]); }
if (args is ["--quick", ..]) { return QuickRun.Run(args[1..]); }
if (args is ["fill-holds", ..]) { return HoldFill.Run(args[1..]); }
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;
