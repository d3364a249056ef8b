namespace PolicyStreams.Conformance.Tests;

/// <summary>The suites on folders with odd cases: each is said and counted, and the others are run.</summary>
public sealed class RunnerTests(ITestOutputHelper output) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ps-cases-").FullName;
    private readonly List<string> _lines = [];

    [Fact]
    public void Avro_OddCases_AreSaidAndCounted()
    {
        const string Good = """{"schema":{"type":"map","values":"string"},"hex":"02026104686900","value":{"a":"hi"},"masks":[{"path":"[\"a\"]","with":"constant","hex":"020261062a2a2a00"}],"damaged":[{"why":"cut","hex":"0202"}]}""";
        Write("a.jsonl", Good,
            "not JSON",
            Good.Replace("02026104686900", "zz", StringComparison.Ordinal),
            Good.Replace("\"map\"", "\"mop\"", StringComparison.Ordinal),
            Good.Replace("\"hi\"", "\"ho\"", StringComparison.Ordinal),
            Good.Replace("\"path\":\"[\\\"a\\\"]\"", "\"path\":\"[\\\"a\"", StringComparison.Ordinal),
            Good.Replace("\"0202\"", "\"02026104686900\"", StringComparison.Ordinal),
            Good.Replace("\"hex\":\"0202\"", "\"hax\":\"\"", StringComparison.Ordinal));
        Write("b.txt", "<<INPUT \"int\"", "<<canonical \"int\"", "<<INPUT nonsense", "<<canonical nonsense");

        // Three lines that cannot be read, a value that is another, a path without an end, two damaged values, and a schema that is none.
        Assert.Equal(8, new AvroConformance(output).Run(_folder, _lines.Add));
        Assert.Contains("a.jsonl: agree 16 of 23", _lines);
        Assert.Contains("b.txt: agree 1 of 2", _lines);
        Assert.Equal("in all: agree 17 of 25", _lines[^1]);
        Assert.Equal(8, _lines.Count(line => line.StartsWith("disagree: ", StringComparison.Ordinal)));
        Assert.Contains(_lines, line => line.StartsWith("disagree: a.jsonl:3: threw FormatException", StringComparison.Ordinal));
    }

    [Fact]
    public void Json_OddCases_AreSaidAndCounted()
    {
        const string Good = """{"text":"{\"a\\\"]\":{\"b\":\"x\"}}","path":"[\"a\\\"]\"].b","with":"constant","expected":"{\"a\\\"]\":{\"b\":\"***\"}}"}""";
        Write("a.jsonl", "not JSON", Good,
            Good.Replace("constant", "no-such-mask", StringComparison.Ordinal),
            Good.Replace("***", "**", StringComparison.Ordinal),
            Good.Replace(":\\\"x\\\"", ":\\\"\\ud800\\\"", StringComparison.Ordinal),
            Good.Replace("\"path\"", "\"pith\"", StringComparison.Ordinal));

        Assert.Equal(5, JsonConformance.Run(_folder, _lines.Add));
        Assert.Contains("a.jsonl: agree 1 of 6", _lines);
        Assert.Equal("in all: agree 1 of 6", _lines[^1]);
        Assert.Contains(_lines, line => line.StartsWith("disagree: a.jsonl:5: threw InvalidOperationException", StringComparison.Ordinal));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void Write(string name, params string[] lines) => File.WriteAllLines(Path.Combine(_folder, name), lines);
}
