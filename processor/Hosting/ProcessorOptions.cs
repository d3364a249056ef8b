using System.ComponentModel.DataAnnotations;

namespace PolicyStreams.Processor.Hosting;

/// <summary>What delivery the runtime promises.</summary>
public enum DeliveryGuarantee
{
    /// <summary>Outputs, decisions, and offsets in one Kafka transaction.</summary>
    ExactlyOnce,

    /// <summary>For the embedded broker alone, which keeps no transactions. Refused against any other.</summary>
    EmbeddedAtLeastOnce,
}

/// <summary>How records are read, hashed, and produced. What is written is the same.</summary>
public enum RecordPath
{
    /// <summary>Straight on librdkafka's and OpenSSL's functions: batches read where they lie, records produced from the task's buffers. Where one of them is not there, it does its part as <see cref="Managed"/>.</summary>
    Native,

    /// <summary>Through Confluent's managed client and .NET's hashes, a record a call.</summary>
    Managed,
}

/// <summary>What the defaults of commits and fetches are made for. An option or a property that is given wins.</summary>
public enum TuningProfile
{
    /// <summary>Large fetches, batches, and transactions: the least processor time a record.</summary>
    Throughput,

    /// <summary>A record is published as soon as may be: transactions of 10 ms, and fetches that wait for no more than 2.</summary>
    Latency,
}

/// <summary>Options of <c>policystreams run</c>; the same names in configuration under <c>PolicyStreams</c>.</summary>
public sealed class ProcessorOptions
{
    public const string Section = "PolicyStreams";

    private TimeSpan? _commitInterval;

    /// <summary>Bootstrap servers, <c>host:port[,host:port]</c>. Required.</summary>
    [Required]
    public string Bootstrap { get; set; } = "";

    /// <summary>Registry base URLs, comma separated. Needed where a binding has a subject.</summary>
    public string Registry { get; set; } = "";

    /// <summary>User name for basic authentication at the registry; its password comes from <see cref="RegistryPassword"/>. Empty for none.</summary>
    public string RegistryUser { get; set; } = "";

    /// <summary>A reference to the secret, <c>file:PATH</c> or <c>env:VARIABLE</c>: never the secret itself.</summary>
    public string RegistryPassword { get; set; } = "";

    /// <summary>A reference to a bearer token for the registry, <c>file:PATH</c> or <c>env:VARIABLE</c>.</summary>
    public string RegistryToken { get; set; } = "";

    /// <summary>PEM file of the authorities that alone are trusted for the registry's TLS. Empty for the system's.</summary>
    public string RegistryCa { get; set; } = "";

    /// <summary>PEM file of a client certificate with its chain, shown to the registry. Empty for none.</summary>
    public string RegistryCertificate { get; set; } = "";

    /// <summary>PEM file of that certificate's key. Empty where the key is in the same file.</summary>
    public string RegistryCertificateKey { get; set; } = "";

    /// <summary>A folder of <c>*.policy.yaml</c> files, or one such file. Required.</summary>
    [Required]
    public string Policies { get; set; } = "";

    /// <summary>Most bytes of a batch of outputs, framing included: what the smallest of the output topics takes, and never more than this default. A single record may be larger.</summary>
    internal int BatchBytes { get; set; } = 1_000_000;

    /// <summary>Consumer group; also the prefix of transactional ids. Default <c>policystreams</c>.</summary>
    [Required, RegularExpression("^[A-Za-z0-9._-]{1,200}$", ErrorMessage = "`group` takes 1 to 200 of the characters A-Z a-z 0-9 . _ -")]
    public string Group { get; set; } = "policystreams";

    /// <summary>Stream threads of this process. Default 1; 1 to 64.</summary>
    [Range(1, 64)]
    public int Threads { get; set; } = 1;

    /// <summary>What the defaults are made for: <c>throughput</c> (default) or <c>latency</c>.</summary>
    public TuningProfile Profile { get; set; }

    /// <summary>Longest time a transaction stays open. Default 100 ms, with the profile <c>latency</c> 10 ms; 1 ms to 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:05")]
    public TimeSpan CommitInterval
    {
        get => _commitInterval ?? TimeSpan.FromMilliseconds(Profile == TuningProfile.Latency ? 10 : 100);
        set => _commitInterval = value;
    }

    /// <summary>Most ingress records of one transaction. Default 50,000.</summary>
    [Range(1, 1_000_000)]
    public int CommitRecords { get; set; } = 50_000;

    /// <summary>Most output bytes of one transaction, in MiB. Default 32.</summary>
    [Range(1, 1024)]
    public int CommitMebibytes { get; set; } = 32;

    /// <summary>
    /// Open holds that a task (one partition of one binding) keeps at most; each weighs about 1 KiB in memory. A task at the limit takes no further record that must be held until some
    /// have ended. Default 250,000.
    /// </summary>
    [Range(1, 10_000_000)]
    public int HoldsMax { get; set; } = 250_000;

    /// <summary>Mask keys by name: <c>file:PATH</c> or <c>env:VARIABLE</c>.</summary>
    public Dictionary<string, string> Keys { get; } = [];

    /// <summary>Name (in <see cref="Keys"/>) of the key that digests in decisions are made with. Empty for none.</summary>
    public string AuditKey { get; set; } = "";

    /// <summary>Name (in <see cref="Keys"/>) of the key that protects held records. Empty: holds are taken and expire, none is released.</summary>
    public string HoldKey { get; set; } = "";

    /// <summary>A JWKS file with the approval service's public keys. Empty: no statement counts.</summary>
    public string ApprovalKeys { get; set; } = "";

    /// <summary>Slot of this process in the group; empty for host name and the lowest free number.</summary>
    [RegularExpression("^[A-Za-z0-9._-]{0,100}$", ErrorMessage = "`instance` takes up to 100 of the characters A-Z a-z 0-9 . _ -")]
    public string Instance { get; set; } = "";

    /// <summary>Where slots are locked; empty for <c>$XDG_STATE_HOME/policystreams</c>, or <c>~/.local/state/policystreams</c>.</summary>
    public string StateDir { get; set; } = "";

    /// <summary>How records are read, hashed, and produced: <c>native</c> (default) or <c>managed</c>.</summary>
    public RecordPath RecordPath { get; set; }

    /// <summary>Any librdkafka property, for every client of the process.</summary>
    public Dictionary<string, string> Kafka { get; } = [];

    /// <summary>Address for <c>/live</c>, <c>/ready</c>, and <c>/metrics</c>: <c>127.0.0.1:9090</c>. Empty for none.</summary>
    public string Http { get; set; } = "";

    /// <summary>Takes the group's offsets (or, where it has none, the heads') where heads and group disagree, and records that it did. Default false.</summary>
    public bool AdoptOffsets { get; set; }

    /// <summary>Not an option of any command or file: set by the demo and by tests on the embedded broker.</summary>
    internal DeliveryGuarantee Guarantee { get; set; } = DeliveryGuarantee.ExactlyOnce;
}
