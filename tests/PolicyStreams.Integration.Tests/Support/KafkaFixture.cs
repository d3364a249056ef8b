using PolicyStreams.Integration.Tests.Support;

[assembly: AssemblyFixture(typeof(KafkaFixture))]
[assembly: AssemblyFixture(typeof(RegistryFixture))]
// Tests share one broker, and each starts processes of its own on a small machine: one after the other is fastest and steadiest.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace PolicyStreams.Integration.Tests.Support;

/// <summary>The one real broker of these tests, started when the first test asks: from POLICYSTREAMS_TEST_KAFKA (a bootstrap address or a script), else Docker.</summary>
public sealed class KafkaFixture : IAsyncLifetime
{
    private readonly SemaphoreSlim _gate = new(1);
    private ScriptedService? _service;
    private string? _bootstrap;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>Bootstrap servers. Skips the test, or fails it under CI, where there is no broker to be had.</summary>
    public async Task<string> RequireAsync()
    {
        await Clients.RequireAsync();
        await _gate.WaitAsync();
        try
        {
            if (_bootstrap is not null) { return _bootstrap; }
            string? setting = TestEnvironment.Variable("POLICYSTREAMS_TEST_KAFKA") ?? await DockerService.ScriptAsync("kafka");
            if (setting is null) { TestEnvironment.SkipOrFail("No Kafka: set POLICYSTREAMS_TEST_KAFKA to a bootstrap address or a start script, or start Docker."); }
            if (!File.Exists(setting)) { return _bootstrap = setting!; }
            _service = await ScriptedService.StartAsync(setting, "kafka");
            return _bootstrap = _service.Address;
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_service is not null) { await _service.DisposeAsync(); }
        _gate.Dispose();
    }
}

/// <summary>The one real registry of these tests, likewise by POLICYSTREAMS_TEST_REGISTRY (an http address or a script).</summary>
public sealed class RegistryFixture : IAsyncLifetime
{
    private readonly SemaphoreSlim _gate = new(1);
    private ScriptedService? _service;
    private string? _url;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>Address of the Confluent-compatible API.</summary>
    public async Task<string> RequireAsync()
    {
        await _gate.WaitAsync();
        try
        {
            if (_url is not null) { return _url; }
            string? setting = TestEnvironment.Variable("POLICYSTREAMS_TEST_REGISTRY") ?? await DockerService.ScriptAsync("registry");
            if (setting is null) { TestEnvironment.SkipOrFail("No schema registry: set POLICYSTREAMS_TEST_REGISTRY to its address or a start script, or start Docker."); }
            if (!File.Exists(setting)) { return _url = setting!; }
            _service = await ScriptedService.StartAsync(setting, "registry");
            return _url = _service.Address;
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_service is not null) { await _service.DisposeAsync(); }
        _gate.Dispose();
    }
}

/// <summary>Broker and registry in Docker, where its daemon answers: scripts of the same form as the environment names.</summary>
internal static class DockerService
{
    public static async Task<string?> ScriptAsync(string service)
    {
        try
        {
            RunResult info = await Run.ProgramAsync("docker", ["info"], TimeSpan.FromSeconds(10));
            return info.ExitCode == 0 ? Path.Combine(TestEnvironment.Root, "compose", "tests", service) : null;
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or TimeoutException)
        {
            return null;
        }
    }
}
