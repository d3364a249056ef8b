using System.Text.RegularExpressions;

namespace PolicyStreams.Integration.Tests.Support;

/// <summary>
/// The payments example under names of one test's own: its policy in a folder of its own, its schema registered, its topics created by <c>policystreams topics apply</c>.
/// Nothing is shared with another test but the broker.
/// </summary>
internal sealed class PaymentsCase : IDisposable
{
    public const string MaskKey = "test-key-0123456789-0123456789-0123";

    private PaymentsCase(string bootstrap, string registry, string name)
    {
        Bootstrap = bootstrap;
        Registry = registry;
        Name = name;
        Folder = Directory.CreateTempSubdirectory("policystreams-case-").FullName;
        Policies = Directory.CreateDirectory(Path.Combine(Folder, "policies")).FullName;
        StateDir = Directory.CreateDirectory(Path.Combine(Folder, "state")).FullName;
        KeyFile = Path.Combine(Folder, "customer.key");
        HoldKeyFile = Path.Combine(Folder, "hold.key");
        File.WriteAllText(KeyFile, MaskKey);
        File.WriteAllText(HoldKeyFile, "hold-key-0123456789-0123456789-0123");
    }

    public string Bootstrap { get; }

    public string Registry { get; }

    /// <summary>The binding's name, and the policy's; topics are named after it.</summary>
    public string Name { get; }

    public string Folder { get; }

    public string Policies { get; }

    public string StateDir { get; }

    public string KeyFile { get; }

    public string HoldKeyFile { get; }

    public int SchemaId { get; private set; }

    public string Raw => $"raw.{Name}";

    public string Governed => $"governed.{Name}";

    public string Rejected => $"rejected.{Name}";

    public string Held => $"held.{Name}";

    public string State => $"state.{Name}";

    public string Approvals => $"approvals.{Name}";

    public string Decisions => $"decisions.{Name}";

    public string PolicyFile => Path.Combine(Policies, "payments.policy.yaml");

    public static async Task<PaymentsCase> CreateAsync(KafkaFixture kafka, RegistryFixture registry, Func<string, string>? edit = null) =>
        await CreateAsync(await kafka.RequireAsync(), await registry.RequireAsync(), edit);

    /// <param name="clientConfig">A file of client properties, for a broker that asks who comes.</param>
    public static async Task<PaymentsCase> CreateAsync(string bootstrap, string registry, Func<string, string>? edit = null, string? clientConfig = null)
    {
        var made = new PaymentsCase(bootstrap, registry, "payments" + Convert.ToHexStringLower(Guid.NewGuid().ToByteArray().AsSpan(0, 4)));
        made.SchemaId = await Clients.RegisterAsync(made.Registry, $"{made.Raw}-value", Path.Combine(TestEnvironment.Example, "raw.payments-value.avsc"));
        made.WritePolicy(edit);
        string[] config = clientConfig is null ? [] : ["--kafka-config", clientConfig];
        (await Run.PolicyStreamsAsync(["topics", "apply", "--bootstrap", made.Bootstrap, "--policies", made.Policies, .. config])).Succeeded();
        return made;
    }

    /// <summary>The example's policy under this case's names, edited, put in place in one step as a deployment does.</summary>
    public void WritePolicy(Func<string, string>? edit = null)
    {
        string text = File.ReadAllText(Path.Combine(TestEnvironment.Example, "payments.policy.yaml"));
        text = Once(text, "metadata: { name: payments,", $"metadata: {{ name: {Name},");
        text = Once(text, "- name: payments ", $"- name: {Name} ");
        text = Once(text, "subject: raw.payments-value", $"subject: {Raw}-value");
        text = Once(text, "routes: [governed.payments.eu]", $"decisions: {Decisions}, routes: [{Governed}.eu]");
        text = Once(text, "route: { to: governed.payments.eu }", $"route: {{ to: {Governed}.eu }}");
        if (edit is not null) { text = edit(text); }
        string next = Path.Combine(Folder, "next.yaml");
        File.WriteAllText(next, text);
        File.Move(next, PolicyFile, overwrite: true);
    }

    /// <summary>Replaces a text that must be there exactly once.</summary>
    public static string Once(string text, string old, string by)
    {
        Assert.Single(Regex.Matches(text, Regex.Escape(old)));
        return text.Replace(old, by, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
