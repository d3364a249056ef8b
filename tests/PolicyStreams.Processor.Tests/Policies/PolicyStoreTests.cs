using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Processor.Tests.Streams.Support;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Processor.Tests.Policies;

/// <summary>Reload: whole sets of policies are put in force, one that fails to load never replaces one that runs, and health says so until it is mended.</summary>
public sealed class PolicyStoreTests : IDisposable
{
    private const string Good = "tag: { a: b }", Better = "tag: { a: c }", Broken = "when: 1 + , deny: {}";

    private readonly string _folder = Directory.CreateTempSubdirectory("ps-policies-").FullName;
    private readonly Health _health = new();
    private readonly LogLines _log = new();
    private readonly PolicyStore _store;

    public PolicyStoreTests() => _store = new PolicyStore(_folder, new KeyRing(), registry: null, _health, TimeProvider.System, _log);

    public void Dispose()
    {
        _store.Dispose();
        if (Directory.Exists(_folder)) { Directory.Delete(_folder, recursive: true); }
    }

    [Fact]
    public async Task Look_APolicyThatDoesNotLoad_LeavesTheOldOneAndHealthSaysWhereTheMistakeIs()
    {
        PolicySnapshot first = await StartAsync(("a", Good));
        Assert.True(_health.Ready);

        Write("a", Broken);
        Assert.Same(first, await LookAsync());
        Assert.Matches($"^a changed policy does not load; the one before stays in force: {File("a")}:6:[0-9]+: PS0201 error: ", _health.Reasons["policy"]);

        // It is tried once, not at every look.
        string said = _log.ToString();
        Assert.Same(first, await LookAsync());
        Assert.Equal(said, _log.ToString());
        Assert.False(_health.Ready);

        Write("a", Better);
        PolicySnapshot second = await LookAsync();
        Assert.NotEqual(first.Policies[0].Digest, second.Policies[0].Digest);
        Assert.True(_health.Ready);
    }

    [Fact]
    public async Task Look_TheOldTextAgain_IsWellAgain()
    {
        PolicySnapshot first = await StartAsync(("a", Good));
        Write("a", Broken);
        await LookAsync();
        Write("a", Good);
        Assert.Same(first, await LookAsync());
        Assert.True(_health.Ready);
    }

    [Fact]
    public async Task Look_OneOfTwoPoliciesDoesNotLoad_TakesNeither()
    {
        PolicySnapshot first = await StartAsync(("a", Good), ("b", Good));
        Write("a", Better);
        Write("b", Broken);
        Assert.Same(first, await LookAsync());
        Assert.Contains(File("b"), _health.Reasons["policy"], StringComparison.Ordinal);

        Write("b", Better);
        PolicySnapshot second = await LookAsync();
        Assert.All(second.Policies.Zip(first.Policies), pair => Assert.NotEqual(pair.Second.Digest, pair.First.Digest));
        Assert.True(_health.Ready);
    }

    [Theory]
    [InlineData(Good)]
    [InlineData(Broken)]
    public async Task Look_FilesThatCannotBeRead_AreWellOnceTheyCan(string before)
    {
        PolicySnapshot first = await StartAsync(("a", Good));
        Write("a", before);
        await LookAsync();
        string? reason = _health.Reasons.GetValueOrDefault("policy");

        string away = _folder + "-away";
        Directory.Move(_folder, away);
        Assert.Same(first, await LookAsync());
        Assert.StartsWith("policy files cannot be read; what was loaded stays in force: ", _health.Reasons["policy"], StringComparison.Ordinal);

        // What stood in the way before is what stands in it again; or nothing.
        Directory.Move(away, _folder);
        Assert.Same(first, await LookAsync());
        Assert.Equal(reason, _health.Reasons.GetValueOrDefault("policy"));
        Write("a", Good);
        Assert.Same(first, await LookAsync());
        Assert.True(_health.Ready);
    }

    [Fact]
    public async Task Look_AChangeThatWaitsForTheRegistry_IsForgottenWithTheChange()
    {
        using var registry = new RegistryClient(new RegistryClientOptions { Urls = ["http://127.0.0.1:1"], Retries = 0, RequestTimeout = TimeSpan.FromSeconds(2) });
        using var store = new PolicyStore(_folder, new KeyRing(), registry, _health, TimeProvider.System, _log);
        Write("a", Good);
        await store.StartAsync(TestContext.Current.CancellationToken);
        PolicySnapshot first = store.Current!;

        await System.IO.File.WriteAllTextAsync(File("a"), Text("a", Good).Replace("format: json", "format: avro", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        await store.LookAsync(TestContext.Current.CancellationToken);
        Assert.Same(first, store.Current);
        Assert.StartsWith("a changed policy waits for the registry: ", _health.Reasons["policy"], StringComparison.Ordinal);
        Write("a", Good);
        await store.LookAsync(TestContext.Current.CancellationToken);
        Assert.Same(first, store.Current);
        Assert.True(_health.Ready, string.Join('\n', _health.Reasons));
    }

    // A policy that names a subject, and a processor that has no registry to ask.
    [Fact]
    public async Task Start_SubjectAndNoRegistry_IsADiagnostic()
    {
        await System.IO.File.WriteAllTextAsync(File("a"), Text("a", Good).Replace("format: json", "format: avro", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        IReadOnlyList<Diagnostic> said = await _store.StartAsync(TestContext.Current.CancellationToken);
        Assert.Null(_store.Current);
        Assert.NotEmpty(said);
    }

    private async Task<PolicySnapshot> StartAsync(params (string Name, string Rule)[] policies)
    {
        foreach ((string name, string rule) in policies) { Write(name, rule); }
        Assert.Empty(await _store.StartAsync(TestContext.Current.CancellationToken));
        return _store.Current!;
    }

    private async Task<PolicySnapshot> LookAsync()
    {
        await _store.LookAsync(TestContext.Current.CancellationToken);
        return _store.Current!;
    }

    private string File(string name) => Path.Combine(_folder, name + ".policy.yaml");

    private static string Text(string name, string rule) => $$"""
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: {{name}}, owner: tests }
        bindings: [{ name: {{name}}, format: json }]
        rules:
          - { id: r, {{rule}} }
        """;

    private void Write(string name, string rule) => System.IO.File.WriteAllText(File(name), Text(name, rule));
}
