using System.Security.Cryptography;
using Confluent.Kafka;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using PolicyStreams.ApprovalService;
using PolicyStreams.ApprovalService.Dev;
using PolicyStreams.Processor.Holds;

using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Metrics;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Rules;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Cli.Demo;

/// <summary>Everything that the demo runs, in this process: broker, registry, issuer, processor, approval service. Keys are made at start and kept in memory only.</summary>
internal sealed class DemoSystem : IAsyncDisposable
{
    private readonly List<Func<ValueTask>> _ends = [];

    /// <summary>People of the demo; groups are those that the example's policy names.</summary>
    public static IReadOnlyList<DevUser> People { get; } =
    [
        new DevUser("ana", ["risk"], []),
        new DevUser("ben", ["risk"], []),
        new DevUser("cleo", ["fraud"], []),
        new DevUser("vera", [], ["policystreams-viewer"]),
    ];

    public EmbeddedKafka Kafka { get; private set; } = null!;

    public DevRegistry Registry { get; private set; } = null!;

    public DevIssuer Issuer { get; private set; } = null!;

    public ProcessorHost Processor { get; private set; } = null!;

    /// <summary>The approval service's address.</summary>
    public string ApprovalUrl { get; private set; } = "";

    public BindingDocument Binding { get; private set; } = null!;

    /// <summary>Schema id that the example's subject has in the registry.</summary>
    public int SchemaId { get; private set; }

    /// <summary>Folder with a token file a person, readable by this user alone; gone with the demo.</summary>
    public string TokenFolder { get; private set; } = "";

    /// <exception cref="StartException">The example cannot be used; the message says why.</exception>
    public static async Task<DemoSystem> StartAsync(string example, CancellationToken cancellationToken)
    {
        var system = new DemoSystem();
        try
        {
            await system.Start(example, cancellationToken);
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        for (int i = _ends.Count - 1; i >= 0; i--) { await _ends[i](); }
        _ends.Clear();
    }

    private async Task Start(string example, CancellationToken cancellationToken)
    {
        PolicyLoad load = PolicySet.Load(PolicyFolder.Read(example));
        Binding = (load.Set ?? throw new StartException(string.Join('\n', load.Diagnostics), found: true)).Bindings[0];
        BindingTopics topics = Binding.Topics;

        Kafka = EmbeddedKafka.Start();
        _ends.Add(() => { Kafka.Dispose(); return ValueTask.CompletedTask; });
        Kafka.Create([topics.Ingress, topics.Governed, .. topics.Routes, topics.Rejected, topics.Held, topics.State, topics.Approvals, topics.Decisions]);

        Registry = await DevRegistry.StartAsync(new DevRegistryOptions { Folder = example }, cancellationToken);
        _ends.Add(() => Registry.DisposeAsync());
        var client = new RegistryClient(new RegistryClientOptions { Urls = [Registry.Url.ToString()] });
        _ends.Add(() => { client.Dispose(); return ValueTask.CompletedTask; });
        RegistryAnswer<IReadOnlyList<RegisteredSchema>> subject = await client.GetSubjectAsync(Binding.Subject!, cancellationToken);
        SchemaId = subject.IsFound ? subject.Value[^1].Id : throw new StartException($"the example has no schema file for subject `{Binding.Subject}`");

        Issuer = await DevIssuer.StartAsync(People, cancellation: cancellationToken);
        _ends.Add(() => Issuer.DisposeAsync());
        StatementSigner signer = StatementSigner.Generate();
        _ends.Add(() => { signer.Dispose(); return ValueTask.CompletedTask; });

        string folder = TokenFolder = Directory.CreateTempSubdirectory("policystreams-demo-").FullName;
        _ends.Add(() => { Directory.Delete(folder, recursive: true); return ValueTask.CompletedTask; });
        foreach (DevUser person in People) { await Write(Path.Combine(folder, person.Name + ".token"), Issuer.IssueToken(person.Name, person.Groups, person.Roles, TimeSpan.FromHours(8))); }
        await Write(Path.Combine(folder, "approval-keys.json"), signer.PublicJwks());

        await StartProcessor(example, client, folder, cancellationToken);
        await StartApprovalService(signer, cancellationToken);
    }

    private async Task StartProcessor(string example, RegistryClient registry, string folder, CancellationToken cancellationToken)
    {
        var options = new ProcessorOptions
        {
            Bootstrap = Kafka.Bootstrap,
            Policies = example,
            StateDir = folder,
            ApprovalKeys = Path.Combine(folder, "approval-keys.json"),
            AuditKey = "audit",
            HoldKey = "hold",
            Guarantee = DeliveryGuarantee.EmbeddedAtLeastOnce,
        };
        foreach (string name in (IEnumerable<string>)["audit", "hold", .. Binding.KeyNames])
        {
            string file = Path.Combine(folder, name + ".key");
            await Write(file, "base64:" + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
            options.Keys[name] = "file:" + file;
        }

        Processor = new ProcessorHost(options, registry, new Health(), new ProcessorMetrics(), TimeProvider.System, NullLogger<ProcessorHost>.Instance);
        Processor.Check();
        await Processor.StartAsync(cancellationToken);
        _ends.Add(async () =>
        {
            await Processor.StopAsync(CancellationToken.None);
            Processor.Dispose();
        });
        await Processor.Prepared.WaitAsync(TimeSpan.FromSeconds(20), cancellationToken);
    }

    private async Task StartApprovalService(StatementSigner signer, CancellationToken cancellationToken)
    {
        var client = new HoldClientOptions
        {
            Topics = [new HoldTopics(Binding.Topics.State, Binding.Topics.Approvals)],
            Kafka = new Dictionary<string, string> { ["bootstrap.servers"] = Kafka.Bootstrap },
        };
        var view = new HoldView(client, NullLogger<HoldView>.Instance);
        _ends.Add(() => { view.Dispose(); return ValueTask.CompletedTask; });
        var sink = new StatementSink(client, NullLogger<StatementSink>.Instance);
        _ends.Add(() => { sink.Dispose(); return ValueTask.CompletedTask; });
        WebApplication service = ApprovalServiceApp.Build(
            new ApprovalServiceOptions { Address = "http://127.0.0.1:0", Authority = Issuer.Address.ToString(), Issuer = DevIssuer.Issuer, Audience = DevIssuer.Audience, IsDemo = true },
            view, sink, signer, configure: builder => builder.Logging.ClearProviders());
        view.Start();
        await service.StartAsync(cancellationToken);
        _ends.Add(() => service.DisposeAsync());
        ApprovalUrl = service.Urls.Single().TrimEnd('/');
    }

    private static async Task Write(string path, string text)
    {
        var create = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) { create.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite; }
        await using var stream = new FileStream(path, create);
        await stream.WriteAsync(System.Text.Encoding.UTF8.GetBytes(text));
    }
}
