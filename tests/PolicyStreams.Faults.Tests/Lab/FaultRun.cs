using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using PolicyStreams.Faults.Tests.Kafka;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Faults.Tests.Lab;

/// <summary>One fault of the catalogue.</summary>
/// <param name="Name">As given to <c>make faults FAULTS=</c>.</param>
/// <param name="What">What is done, in the words of the table.</param>
/// <param name="Short">Whether <c>make test</c> runs it too, fewer times.</param>
internal sealed record Fault(string Name, string What, bool Short, Func<FaultRun, Task> Inject);

/// <summary>What a fault came to: a row of the table.</summary>
internal sealed record FaultRow(
    string Fault, string What, int Injected, long Records, int Lost, int Duplicated, int Undecided, int Other, double? RecoveryMedian, double? RecoveryMax, string Recovery, string Note, double Seconds, string Date, string Versions, int Order);

/// <summary>One run of a fault: how much of it, and what came of it.</summary>
internal sealed class FaultRun(Fault fault, bool full)
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly List<double> _recoveries = [];
    private long _records;
    private int _lost, _duplicated, _undecided, _other;

    public Fault Fault { get; } = fault;

    /// <summary>False for the selection of <c>make test</c>.</summary>
    public bool Full { get; } = full;

    public int Injected { get; set; }

    /// <summary>From what to what the recovery times are.</summary>
    public string RecoveryIs { get; set; } = "";

    public string Note { get; set; } = "";

    public Random Random { get; } = new(Seed());

    public int Times(int inFull, int inShort) => Full ? inFull : inShort;

    public void Recovered(TimeSpan after) => _recoveries.Add(after.TotalSeconds);

    public double RecoveryMedian => _recoveries.Count == 0 ? 0 : _recoveries.Order().ElementAt(_recoveries.Count / 2);

    public void Add(Ledger ledger)
    {
        _records += ledger.Records;
        _lost += ledger.Lost;
        _duplicated += ledger.Duplicated;
        _undecided += ledger.Undecided;
        _other += ledger.Other;
        Assert.True(ledger.Clean, $"{Fault.Name}: lost {ledger.Lost}, duplicated {ledger.Duplicated}, undecided {ledger.Undecided}, other {ledger.Other}\n{ledger.Problems}");
    }

    /// <summary>Adds records of a check that is not a ledger's.</summary>
    public void Add(long records) => _records += records;

    public FaultRow Row() => new(
        Fault.Name, Fault.What, Injected, _records, _lost, _duplicated, _undecided, _other,
        _recoveries.Count > 0 ? Math.Round(RecoveryMedian, 2) : null, _recoveries.Count > 0 ? Math.Round(_recoveries.Max(), 2) : null, RecoveryIs, Note,
        Math.Round(Stopwatch.GetElapsedTime(_started).TotalSeconds, 1), TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), Versions(),
        FaultCatalogue.All.ToList().FindIndex(fault => fault.Name == Fault.Name));

    private static string Versions()
    {
        string script = TestEnvironment.Variable("POLICYSTREAMS_TEST_KAFKA") ?? "";
        string? clients = Directory.Exists(Path.Combine(Path.GetDirectoryName(script) ?? "", "libs"))
            ? Directory.EnumerateFiles(Path.Combine(Path.GetDirectoryName(script)!, "libs"), "kafka-clients-*.jar").Select(Path.GetFileNameWithoutExtension).FirstOrDefault() : null;
        string kafka = clients is null ? "" : $"Kafka {clients["kafka-clients-".Length..]}, ";
        return string.Create(CultureInfo.InvariantCulture, $"{kafka}librdkafka {Confluent.Kafka.Library.VersionString}, .NET {Environment.Version}, {Environment.ProcessorCount} cores");
    }

    public static string Text(FaultRow row)
    {
        string recovery = row.RecoveryMedian is { } median ? string.Create(CultureInfo.InvariantCulture, $"{median:0.00} s median, {row.RecoveryMax:0.00} s most") : "-";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"fault {row.Fault,-24} injected {row.Injected,4}  records {row.Records,7}  lost {row.Lost}  duplicated {row.Duplicated}  undecided {row.Undecided}  other {row.Other}  recovery {recovery}  ({row.Seconds:0} s)");
    }

    /// <summary>Leaves the row where <c>eng/faults.sh</c> collects it, unless the run was the short one.</summary>
    public static void Keep(FaultRow row, bool full)
    {
        Console.WriteLine(Text(row));
        TestContext.Current.TestOutputHelper?.WriteLine(Text(row));
        if (!full) { return; }
        string folder = Directory.CreateDirectory(Path.Combine(TestEnvironment.Root, "artifacts", "faults")).FullName;
        File.WriteAllText(Path.Combine(folder, row.Fault + ".json"), JsonSerializer.Serialize(row, s_json));
    }

    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    private static int Seed()
    {
        int seed = int.TryParse(TestEnvironment.Variable("POLICYSTREAMS_FAULTS_SEED"), out int given) ? given : Environment.TickCount & 0xFFFFFF;
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"POLICYSTREAMS_FAULTS_SEED={seed}"));
        return seed;
    }
}
