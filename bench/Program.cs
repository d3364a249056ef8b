using BenchmarkDotNet.Running;
using PolicyStreams.Bench.Floor;
using PolicyStreams.Bench.Restore;

// `copier …` is the floor of the reference job, `task …` what a task costs without its clients, `fill-holds …` makes a history of holds for a restore; everything else goes to BenchmarkDotNet: --filter '*Walk*', --list flat.
if (args is ["copier", ..]) { return Copier.Run(args[1..]); }
if (args is ["task", ..]) { return TaskCost.Run(args[1..]); }
if (args is ["fill-holds", ..]) { return HoldFill.Run(args[1..]); }
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;
