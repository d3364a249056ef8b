using System.CommandLine;
using PolicyStreams.Rules;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams schema</c>: the JSON Schema of policy documents.</summary>
internal static class SchemaCommand
{
    internal static Command Create()
    {
        var command = new Command("schema", "Print the JSON Schema of policy documents, for editors that complete and check");
        command.SetAction(_ =>
        {
            Console.Out.Write(PolicyJsonSchema.Text);
            return (int)ExitCode.Ok;
        });
        return command;
    }
}
