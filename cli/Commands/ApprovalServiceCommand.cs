using System.CommandLine;
using System.Security.Cryptography;
using Confluent.Kafka;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using PolicyStreams.ApprovalService;
using PolicyStreams.Cli.Approvals;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Rules;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams approval-service</c>: serves open holds and takes approvers' statements.</summary>
internal static class ApprovalServiceCommand
{
    internal static Command Create()
    {
        var bootstrap = new Option<string?>("--bootstrap") { Description = "Kafka's bootstrap addresses.", HelpName = "HOST:PORT,…" };
        var kafkaConfig = new Option<string?>("--kafka-config") { Description = "File of librdkafka properties, one name=value a line: security, and whatever else.", HelpName = "FILE" };
        var topics = new Option<string?>("--topics") { Description = "State topics to serve, such as state.payments; STATE=APPROVALS where they are named otherwise.", HelpName = "TOPIC,…" };
        var policies = new Option<string?>("--policies") { Description = "Folder of policies: serves the topics of all their bindings.", HelpName = "DIR" };
        var authority = new Option<string>("--authority") { Description = "The identity provider's address: where /.well-known/openid-configuration is. HTTPS, unless on loopback.", HelpName = "URL", Required = true };
        var issuer = new Option<string?>("--issuer") { Description = "The `iss` of its tokens, where it is not the address.", HelpName = "NAME" };
        var audience = new Option<string>("--audience") { Description = "The `aud` that tokens must carry.", HelpName = "NAME", Required = true };
        var groupsClaim = new Option<string>("--groups-claim") { Description = "The claim with the caller's groups.", HelpName = "NAME", DefaultValueFactory = _ => "groups" };
        var rolesClaim = new Option<string>("--roles-claim") { Description = "The claim with the caller's roles.", HelpName = "NAME", DefaultValueFactory = _ => "roles" };
        var viewerRole = new Option<string>("--viewer-role") { Description = "The role that sees every hold, and decides none.", HelpName = "NAME", DefaultValueFactory = _ => "policystreams-viewer" };
        var signingKey = new Option<string>("--signing-key") { Description = "The service's private key, as `policystreams approvals keygen` makes it.", HelpName = "FILE", Required = true };
        var http = new Option<string>("--http") { Description = "Address to listen on.", HelpName = "URL", DefaultValueFactory = _ => ApprovalServiceOptions.DefaultAddress };
        var certificate = new Option<string?>("--tls-certificate") { Description = "PEM file of the certificate and its chain, for an HTTPS address.", HelpName = "FILE" };
        var certificateKey = new Option<string?>("--tls-key") { Description = "PEM file of the certificate's key, where it is a file of its own.", HelpName = "FILE" };
        var command = new Command("approval-service", "Serve open holds over REST, and sign and write what approvers say of them.")
        {
            bootstrap, kafkaConfig, topics, policies, authority, issuer, audience, groupsClaim, rolesClaim, viewerRole, signingKey, http, certificate, certificateKey,
        };
        command.SetAction((parse, cancellation) => ApprovalsFailure.Run(parse, () =>
        {
            var options = new ApprovalServiceOptions
            {
                Address = parse.GetValue(http)!,
                CertificateFile = parse.GetValue(certificate),
                CertificateKeyFile = parse.GetValue(certificateKey),
                Authority = parse.GetValue(authority)!,
                Issuer = parse.GetValue(issuer),
                Audience = parse.GetValue(audience)!,
                GroupsClaim = parse.GetValue(groupsClaim)!,
                RolesClaim = parse.GetValue(rolesClaim)!,
                ViewerRole = parse.GetValue(viewerRole)!,
            };
            if (options.Problems() is { Count: > 0 } problems) { throw new ApprovalsFailure(ExitCode.CouldNotRun, string.Join("\npolicystreams: ", problems)); }
            var client = new HoldClientOptions
            {
                Topics = Topics(parse.GetValue(topics), parse.GetValue(policies)),
                Kafka = Kafka(parse.GetValue(bootstrap), parse.GetValue(kafkaConfig)),
            };
            return Serve(options, client, parse.GetValue(signingKey)!, cancellation);
        }));
        return command;
    }

    private static async Task Serve(ApprovalServiceOptions options, HoldClientOptions client, string signingKey, CancellationToken cancellation)
    {
        using StatementSigner signer = SigningKeyFile.Read(signingKey);
        using ILoggerFactory loggers = LoggerFactory.Create(Log);
        using var view = new HoldView(client, loggers.CreateLogger<HoldView>());
        using var sink = new StatementSink(client, loggers.CreateLogger<StatementSink>());
        ILogger logger = loggers.CreateLogger("PolicyStreams.ApprovalService");
        try
        {
            WebApplication app = ApprovalServiceApp.Build(options, view, sink, signer, configure: builder => Log(builder.Logging));
            await using (app.ConfigureAwait(false))
            {
                view.Start();
                await app.StartAsync(cancellation).ConfigureAwait(false);
                logger.LogInformation("Approval service on {Address}, signing with key {KeyId}, for {Topics}", string.Join(", ", app.Urls), signer.KeyId, string.Join(", ", client.Topics.Select(topics => topics.State)));
                if (options.ListensInTheClearBeyondLoopback) { logger.LogWarning("{Address} is plain HTTP beyond loopback: tokens and views cross the network in the clear unless a proxy in front keeps TLS", options.Address); }
                await app.WaitForShutdownAsync(cancellation).ConfigureAwait(false);
            }
        }
        catch (IOException refused)
        {
            throw new ApprovalsFailure(ExitCode.CouldNotRun, $"The service cannot listen on {options.Address}: {refused.Message}", "Name another address with --http.");
        }
        catch (CryptographicException refused)
        {
            throw new ApprovalsFailure(ExitCode.CouldNotRun, $"`--tls-certificate` cannot be used: {refused.Message}", "A PEM file with the certificate and its key is expected, or the key in --tls-key.");
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Asked to stop.
        }
    }

    private static void Log(ILoggingBuilder logging) => logging
        .AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
        });

    private static List<HoldTopics> Topics(string? names, string? folder)
    {
        if (names is null == folder is null) { throw new ApprovalsFailure(ExitCode.CouldNotRun, "Name the bindings to serve by `--topics` or by `--policies`, one of the two."); }
        var topics = new List<HoldTopics>();
        if (names is not null)
        {
            foreach (string name in names.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                topics.Add(HoldTopics.TryParse(name, out string? error) ?? throw new ApprovalsFailure(ExitCode.CouldNotRun, $"`--topics` {error}"));
            }
        }
        else
        {
            topics.AddRange(Load(folder!).Bindings.Select(binding => new HoldTopics(binding.Topics.State, binding.Topics.Approvals)));
        }
        if (topics.Count == 0) { throw new ApprovalsFailure(ExitCode.CouldNotRun, $"`{(names is null ? "--policies" : "--topics")}` names no binding."); }
        return topics.DistinctBy(topic => topic.State).Count() == topics.Count
            ? topics
            : throw new ApprovalsFailure(ExitCode.CouldNotRun, "A state topic is named twice.");
    }

    private static PolicySet Load(string folder)
    {
        try
        {
            PolicyLoad load = PolicySet.Load(PolicyFolder.Read(folder));
            return load.Set ?? throw new ApprovalsFailure(
                ExitCode.Found, $"the policies of `{folder}` do not load\n{string.Join('\n', load.Diagnostics.Where(diagnostic => diagnostic.Severity == Severity.Error))}");
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw new ApprovalsFailure(ExitCode.CouldNotRun, $"--policies: {refused.Message}");
        }
    }

    private static Dictionary<string, string> Kafka(string? bootstrap, string? file)
    {
        Dictionary<string, string> properties = ReadKafkaConfig(file);
        if (bootstrap is not null) { properties["bootstrap.servers"] = bootstrap; }
        if (!properties.ContainsKey("bootstrap.servers"))
        {
            throw new ApprovalsFailure(ExitCode.CouldNotRun, "There is no Kafka to go to.", "Name it with --bootstrap, or `bootstrap.servers` in the file of --kafka-config.");
        }
        try
        {
            // A misspelled property is an error now, not a service that never gets ready.
            using IProducer<byte[], byte[]> probe = new ProducerBuilder<byte[], byte[]>(properties.Where(pair => pair.Key != "group.id")).SetLogHandler((_, _) => { }).Build();
        }
        catch (Exception refused) when (refused is InvalidOperationException or ArgumentException or KafkaException)
        {
            throw new ApprovalsFailure(ExitCode.CouldNotRun, $"The Kafka properties are not right: {refused.Message}", "librdkafka's CONFIGURATION.md lists them.");
        }
        return properties;
    }

    private static Dictionary<string, string> ReadKafkaConfig(string? file)
    {
        try
        {
            return file is null ? new(StringComparer.Ordinal) : RunOptionsReader.ReadKafkaConfig(file).ToDictionary(StringComparer.Ordinal);
        }
        catch (StartException refused)
        {
            throw new ApprovalsFailure(ExitCode.CouldNotRun, refused.Message);
        }
    }
}
