using System.CommandLine;
using PolicyStreams.Rules;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams schema</c>: the JSON Schemas of documents.</summary>
internal static class SchemaCommand
{
    internal static Command Create()
    {
        var kind = new Option<string>("--kind") { Description = "Which documents: policy or conventions", HelpName = "KIND", DefaultValueFactory = _ => "policy" };
        kind.AcceptOnlyFromAmong("policy", "conventions");
        var command = new Command("schema", "Print the JSON Schema of policy documents, for editors that complete and check") { kind };
        command.SetAction(parsed =>
        {
            Console.Out.Write(parsed.GetValue(kind) == "conventions" ? PolicyJsonSchema.Conventions : PolicyJsonSchema.Text);
            return (int)ExitCode.Ok;
        });
        return command;
    }
}
