using System.CommandLine;
using PolicyStreams.Cli;
using PolicyStreams.Cli.Commands;

var root = new RootCommand("Policy enforcement inside Kafka: producers write to raw topics, consumers read governed ones, and every record in between is decided, masked, and accounted for.")
{
    DemoCommand.Create(),
    RunCommand.Create(),
    TopicsCommand.Create(),
    LintCommand.Create(),
    LockCommand.Create(),
    TestCommand.Create(),
    DecideCommand.Create(),
    CostCommand.Create(),
    DecryptCommand.Create(),
    DetokenizeCommand.Create(),
    FmtCommand.Create(),
    SchemaCommand.Create(),
    ApprovalsCommand.Create(),
    ApprovalServiceCommand.Create(),
    DecisionsCommand.Create(),
    RegistryCommand.Create(),
    UnsealCommand.Create(),
};

ParseResult parsed = root.Parse(args);
if (parsed.Errors.Count > 0 && parsed.Action is System.CommandLine.Invocation.ParseErrorAction)
{
    // What was wrong and where help is: not the whole help, which would push the error off the screen.
    foreach (var error in parsed.Errors) { await Console.Error.WriteLineAsync("policystreams: " + error.Message); }
    await Console.Error.WriteLineAsync($"  help: {Terminal.CommandPath(parsed.CommandResult)} --help");
    return (int)ExitCode.CouldNotRun;
}

try
{
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });
}
catch (OperationCanceledException)
{
    return (int)ExitCode.CouldNotRun;
}
#pragma warning disable CA1031 // A script is told that the command could not run, whatever happened; the message may hold what was read, and is not shown.
catch (Exception fault)
#pragma warning restore CA1031
{
    fault = fault.GetBaseException();
    return Terminal.CouldNotRun($"unexpected {fault.GetType().Name} {fault.StackTrace?.Split('\n')[0].Trim()}");
}
