using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace PolicyStreams.Cli.Tests;

/// <summary>
/// Dependencies between rooms run one way, and the pure rooms touch no network, file, or clock: read from the assemblies' own metadata, so that it cannot go stale as a sentence does.
/// </summary>
public sealed class DirectionTests
{
    private const string Prefix = "PolicyStreams.";

    /// <summary>What each assembly may use of ours. Everything but this is against the direction.</summary>
    private static readonly Dictionary<string, string[]> s_allowed = new()
    {
        ["PolicyStreams.Schemas"] = [],
        ["PolicyStreams.Schemas.Registry"] = ["PolicyStreams.Schemas"],
        ["PolicyStreams.Rules"] = ["PolicyStreams.Schemas"],
        ["PolicyStreams.Processor"] = ["PolicyStreams.Schemas", "PolicyStreams.Schemas.Registry", "PolicyStreams.Rules"],
        ["PolicyStreams.ApprovalService"] = ["PolicyStreams.Schemas", "PolicyStreams.Schemas.Registry", "PolicyStreams.Rules", "PolicyStreams.Processor"],
    };

    private static readonly string[] s_pure = ["PolicyStreams.Schemas", "PolicyStreams.Rules"];

    public static TheoryData<string> Assemblies { get; } = [.. s_allowed.Keys];

    public static TheoryData<string> PureAssemblies { get; } = [.. s_pure];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void Assembly_ReferencesOnlyTheRoomsBelowIt(string name)
    {
        using PEReader pe = Open(name);
        Assert.Empty(References(pe.GetMetadataReader()).Where(reference => reference.StartsWith(Prefix, StringComparison.Ordinal) || reference == "policystreams").Except(s_allowed[name]));
    }

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void Assembly_BelowTheProcessor_ReferencesNoKafka(string name)
    {
        if (name is "PolicyStreams.Processor" or "PolicyStreams.ApprovalService") { return; }
        using PEReader pe = Open(name);
        Assert.DoesNotContain("Confluent.Kafka", References(pe.GetMetadataReader()));
    }

    [Theory]
    [MemberData(nameof(PureAssemblies))]
    public void PureRoom_ReferencesNoNetworkAndNoHosting(string name)
    {
        using PEReader pe = Open(name);
        string[] forbidden = ["Confluent.Kafka", "System.Net", "System.IO.Pipes", "System.IO.FileSystem", "System.Diagnostics.Process", "Microsoft.AspNetCore", "Microsoft.Extensions"];
        // Addresses as values (CEL's `ip` and `cidr`), not a way to reach them.
        string[] harmless = ["System.Net.Primitives"];
        Assert.DoesNotContain(References(pe.GetMetadataReader()).Except(harmless), reference => forbidden.Any(word => reference.StartsWith(word, StringComparison.Ordinal)));
    }

    [Theory]
    [MemberData(nameof(PureAssemblies))]
    public void PureRoom_CallsNoFileClockEnvironmentOrChance(string name)
    {
        using PEReader pe = Open(name);
        Assert.Empty(Impurities(pe.GetMetadataReader()));
    }

    [Fact]
    public void Impurities_OfAnAssemblyThatHasSome_FindsThem()
    {
        // The check itself can fail: this assembly reads files, and says so.
        using var pe = new PEReader(File.OpenRead(typeof(DirectionTests).Assembly.Location));
        Assert.Contains("System.IO.File.OpenRead", Impurities(pe.GetMetadataReader()));
    }

    private static PEReader Open(string name) => new(File.OpenRead(Path.Combine(AppContext.BaseDirectory, name + ".dll")));

    private static IEnumerable<string> References(MetadataReader reader) =>
        reader.AssemblyReferences.Select(handle => reader.GetString(reader.GetAssemblyReference(handle).Name));

    /// <summary>Members used that make an outcome depend on something else than the arguments.</summary>
    private static IEnumerable<string> Impurities(MetadataReader reader)
    {
        string[] types =
        [
            "System.IO.File", "System.IO.FileInfo", "System.IO.FileStream", "System.IO.Directory", "System.IO.DirectoryInfo", "System.IO.DriveInfo", "System.IO.FileSystemWatcher",
            "System.Environment", "System.Console", "System.Diagnostics.Process", "System.Diagnostics.Stopwatch", "System.Random", "System.TimeProvider", "System.TimeZoneInfo",
            "System.Security.Cryptography.RandomNumberGenerator", "System.Threading.Timer", "System.Threading.Thread", "System.Threading.Tasks.Task",
        ];
        string[] members =
        [
            "System.DateTime.get_Now", "System.DateTime.get_UtcNow", "System.DateTime.get_Today", "System.DateTimeOffset.get_Now", "System.DateTimeOffset.get_UtcNow", "System.Guid.NewGuid",
            "System.IO.Path.GetTempFileName", "System.IO.Path.GetTempPath", "System.IO.Path.GetFullPath", "System.IO.Path.Exists",
        ];
        // Harmless members of types that are otherwise off limits: iterators ask for the thread; time zones by name are CEL's (`getHours("Europe/Berlin")`), from the machine's zone data;
        // the JSON walk's hash of property names has a secret seed, which no outcome depends on.
        string[] harmless =
        [
            "System.Environment.get_CurrentManagedThreadId", "System.TimeZoneInfo.TryFindSystemTimeZoneById", "System.TimeZoneInfo.ConvertTimeFromUtc",
            "System.Security.Cryptography.RandomNumberGenerator.GetBytes",
        ];
        foreach (MemberReferenceHandle handle in reader.MemberReferences)
        {
            MemberReference member = reader.GetMemberReference(handle);
            if (member.Parent.Kind != HandleKind.TypeReference) { continue; }
            TypeReference type = reader.GetTypeReference((TypeReferenceHandle)member.Parent);
            string typeName = $"{reader.GetString(type.Namespace)}.{reader.GetString(type.Name)}";
            string memberName = $"{typeName}.{reader.GetString(member.Name)}";
            if ((types.Contains(typeName) || members.Contains(memberName)) && !harmless.Contains(memberName)) { yield return memberName; }
        }
    }
}
