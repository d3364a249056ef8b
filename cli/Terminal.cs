using System.CommandLine.Parsing;
using System.Globalization;

namespace PolicyStreams.Cli;

/// <summary>What commands say, and how options are spelled.</summary>
internal static class Terminal
{
    /// <summary>An error on stderr: one thing a line, the command's name in front of the first.</summary>
    public static int CouldNotRun(string message)
    {
        Console.Error.WriteLine("policystreams: " + message);
        return (int)ExitCode.CouldNotRun;
    }

    /// <summary>Why a broker cannot be used, and what to look at.</summary>
    public static string BrokerReason(Confluent.Kafka.KafkaException e) => e switch
    {
        Confluent.Kafka.Admin.CreateTopicsException create => string.Join("; ", create.Results.Where(result => result.Error.IsError).Select(result => $"{result.Topic}: {result.Error.Reason}")),
        _ when e.Error.Code is Confluent.Kafka.ErrorCode.Local_Transport or Confluent.Kafka.ErrorCode.Local_TimedOut or Confluent.Kafka.ErrorCode.Local_AllBrokersDown =>
            "it cannot be reached. Is it running there, and is the address right?",
        _ => e.Error.Reason,
    };

    /// <summary><c>policystreams topics plan</c>.</summary>
    public static string CommandPath(CommandResult result)
    {
        var names = new List<string>();
        for (SymbolResult? at = result; at is not null; at = at.Parent)
        {
            if (at is CommandResult command) { names.Insert(0, command.Command is System.CommandLine.RootCommand ? "policystreams" : command.Command.Name); }
        }

        return string.Join(' ', names);
    }

    /// <summary>Reads a duration as policies and options spell it: <c>100ms</c>, <c>90s</c>, <c>15m</c>, <c>4h</c>, <c>7d</c>. False for anything else.</summary>
    public static bool TryDuration(string text, out TimeSpan duration)
    {
        duration = default;
        string unit = text.TrimStart("0123456789".ToCharArray());
        if (!long.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long count)) { return false; }
        double milliseconds = unit switch { "ms" => 1, "s" => 1e3, "m" => 6e4, "h" => 3.6e6, "d" => 8.64e7, _ => -1 };
        if (milliseconds < 0 || count * milliseconds > TimeSpan.MaxValue.TotalMilliseconds / 2) { return false; }
        duration = TimeSpan.FromMilliseconds(count * milliseconds);
        return true;
    }
}
