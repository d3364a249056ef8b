using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using PolicyStreams.Schemas.Avro;

namespace PolicyStreams.Cli.Tests;

/// <summary>The demo as a script sees it: nobody is asked anything.</summary>
public sealed partial class DemoTests
{
    [Fact]
    public async Task Demo_InAPipe_GovernsRecordsByASchemaOfItsRegistry_AndEnds()
    {
        using var http = new HttpClient();
        string? schema = null;
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync(
            new BuiltCommand.Given(Line: async line =>
            {
                // Asked while it runs, as a producer's serializer asks: the subject's latest version, and the schema of its id.
                if (RegistryLine().Match(line) is not { Success: true } match) { return; }
                string url = match.Groups["url"].Value.TrimEnd('/');
                using JsonDocument latest = JsonDocument.Parse(await http.GetStringAsync(new Uri($"{url}/subjects/raw.payments-value/versions/latest")));
                int id = latest.RootElement.GetProperty("id").GetInt32();
                using JsonDocument byId = JsonDocument.Parse(await http.GetStringAsync(new Uri($"{url}/schemas/ids/{id.ToString(CultureInfo.InvariantCulture)}")));
                schema = byId.RootElement.GetProperty("schema").GetString();
            }),
            "demo");

        Assert.True(ran.Code == 0, ran.Output + ran.Error);
        Assert.NotNull(schema);
        Assert.Contains("PAN", AvroSchema.Parse(schema).Type.Field("card_number")!.Tags);

        int produced = Number(ran, "What became of the ([0-9]+):");
        Assert.Equal(File.ReadLines(Path.Combine(BuiltCommand.Payments, "records.jsonl")).Count(line => line.Length > 0), produced);
        int[] became = [.. ((string[])["governed", "rejected", "held"]).Select(what => Number(ran, $"  {what} +([0-9]+)  "))];
        Assert.All(became, count => Assert.True(count > 0));
        Assert.Equal((produced, produced), (became.Sum(), Number(ran, "  decided +([0-9]+)  ")));
        Assert.Contains(ran.Lines, line => line.StartsWith("governed  raw.payments-", StringComparison.Ordinal) && line.Contains("card_number=************", StringComparison.Ordinal));
        Assert.Contains("released", ran.Output);
        Assert.Contains("refused", ran.Output);
    }

    private static int Number(BuiltCommand.Ran ran, string pattern)
    {
        Match match = Regex.Match(ran.Output, pattern);
        Assert.True(match.Success, $"{pattern}\n{ran.Output}");
        return int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex("schema registry +(?<url>http://[^ ]+)")]
    private static partial Regex RegistryLine();
}
