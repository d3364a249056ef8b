using System.CommandLine;
using PolicyStreams.Cli.Demo;
using PolicyStreams.Processor.Hosting;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams demo</c>: the whole system on this machine, in one process.</summary>
internal static class DemoCommand
{
    internal static Command Create()
    {
        var example = new Option<string>("--example")
        {
            Description = "Folder of an example: policy, schema files, records.jsonl [default: the payments example that comes with the command]",
            HelpName = "DIR",
        };
        var once = new Option<bool>("--once") { Description = "Decide two holds without asking and exit, also on a terminal; so it does in a pipe" };
        var command = new Command("demo", "Show the whole system on this machine: embedded broker, registry, identity provider, processor, approvals. No Docker, no Java") { example, once };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            string folder = parsed.GetValue(example) ?? Path.Combine(AppContext.BaseDirectory, "examples", "payments");
            bool stay = !Console.IsOutputRedirected && !Console.IsInputRedirected && !parsed.GetValue(once);
            try
            {
                return await DemoStory.TellAsync(folder, stay, cancellationToken);
            }
            catch (StartException e)
            {
                return Terminal.CouldNotRun(e.Message);
            }
            catch (Exception e) when (e is IOException or Confluent.Kafka.KafkaException)
            {
                return Terminal.CouldNotRun(e.Message);
            }
        });
        return command;
    }
}
