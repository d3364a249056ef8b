using System.CommandLine;
using System.Security.Cryptography;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Metrics;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams run</c>: the processor.</summary>
internal static class RunCommand
{
    private static readonly Option<string> Bootstrap = new("--bootstrap") { Description = "Kafka's bootstrap servers, host:port[,host:port]", HelpName = "SERVERS" };
    private static readonly Option<string> Registry = new("--registry") { Description = "Schema registry, Confluent's API: one URL, or several with commas", HelpName = "URL" };
    private static readonly Option<string> Policies = new("--policies") { Description = "Folder of *.policy.yaml files, or one file; watched, and taken over without a restart", HelpName = "DIR" };
    private static readonly Option<string> Group = new("--group") { Description = "Consumer group and prefix of transactional ids [default: policystreams]", HelpName = "NAME" };
    private static readonly Option<string> Threads = new("--threads") { Description = "Stream threads of this process [default: 1]", HelpName = "N" };
    private static readonly Option<string> CommitInterval = new("--commit-interval") { Description = "Longest time a transaction stays open [default: 100ms, or 10ms with --profile latency]", HelpName = "DURATION" };
    private static readonly Option<string> CommitRecords = new("--commit-records") { Description = "Most ingress records of one transaction [default: 50000]", HelpName = "N" };
    private static readonly Option<string> CommitMebibytes = new("--commit-mebibytes") { Description = "Most output of one transaction, in MiB [default: 32]", HelpName = "N" };
    private static readonly Option<string> HoldsMax = new("--holds-max") { Description = "Open holds of one partition at most; beyond it no further record that must be held is taken [default: 250000]", HelpName = "N" };
    private static readonly Option<string[]> Key = new("--key") { Description = "A key by name, from a file or a variable; may be repeated", HelpName = "NAME=file:PATH|env:VARIABLE" };
    private static readonly Option<string> AuditKey = new("--audit-key") { Description = "Key that digests in decisions are made with", HelpName = "NAME" };
    private static readonly Option<string> HoldKey = new("--hold-key") { Description = "Key that protects held records; without it none is released", HelpName = "NAME" };
    private static readonly Option<string> ApprovalKeys = new("--approval-keys") { Description = "JWKS file with the approval service's public keys; without it no statement counts", HelpName = "FILE" };
    private static readonly Option<string> Instance = new("--instance") { Description = "Slot of this process in the group [default: host name and the lowest free number]", HelpName = "NAME" };
    private static readonly Option<string> StateDir = new("--state-dir") { Description = "Where slots are locked [default: the user's state folder]", HelpName = "DIR" };
    private static readonly Option<string> KafkaConfig = new("--kafka-config") { Description = "librdkafka properties, `property=value` a line: security, timeouts, sizes", HelpName = "FILE" };
    private static readonly Option<string> Config = new("--config") { Description = "JSON configuration file, section PolicyStreams; the environment (PolicyStreams__Bootstrap) and options win over it", HelpName = "FILE" };
    private static readonly Option<string> Http = new("--http") { Description = "Serve /live, /ready, and /metrics here [default: off]", HelpName = "ADDRESS" };
    private static readonly Option<string> RegistryUser = new("--registry-user") { Description = "User for basic authentication at the registry", HelpName = "NAME" };
    private static readonly Option<string> RegistryPassword = new("--registry-password") { Description = "Where that user's password is: never itself", HelpName = "file:PATH|env:VARIABLE" };
    private static readonly Option<string> RegistryToken = new("--registry-token") { Description = "Where the registry's bearer token is: never itself", HelpName = "file:PATH|env:VARIABLE" };
    private static readonly Option<string> RecordPath = new("--record-path") { Description = "How records are read, hashed, and produced: native or managed [default: native]", HelpName = "PATH" };
    private static readonly Option<string> Profile = new("--profile") { Description = "What the defaults of commits and fetches are made for: throughput or latency [default: throughput]", HelpName = "PROFILE" };
    private static readonly Option<string> RegistryCa = new("--registry-ca") { Description = "PEM file of the authorities that alone are trusted for the registry's TLS [default: the system's]", HelpName = "FILE" };
    private static readonly Option<string> RegistryCertificate = new("--registry-certificate") { Description = "PEM file of a client certificate with its chain, shown to the registry", HelpName = "FILE" };
    private static readonly Option<string> RegistryCertificateKey = new("--registry-certificate-key") { Description = "PEM file of that certificate's key [default: in the same file]", HelpName = "FILE" };
    private static readonly Option<bool> AdoptOffsets = new("--adopt-offsets") { Description = "Go on from the group's offsets where they and the heads disagree, and record it" };

    internal static Command Create()
    {
        var command = new Command("run", "Run the processor: consume ingress topics, decide and mask, write governed, rejected, held, and decisions in one transaction")
        {
            Bootstrap, Registry, Policies, Group, Threads, Profile, CommitInterval, CommitRecords, CommitMebibytes, HoldsMax, Key, AuditKey, HoldKey, ApprovalKeys, Instance, StateDir, KafkaConfig, Config, Http,
            RegistryUser, RegistryPassword, RegistryToken, RegistryCa, RegistryCertificate, RegistryCertificateKey, RecordPath, AdoptOffsets,
        };
        command.SetAction(RunAsync);
        return command;
    }

    /// <summary>The client that a registry's options make; null without a URL.</summary>
    internal static RegistryClient? MakeRegistry(ProcessorOptions options)
    {
        if (options.Registry.Length == 0) { return null; }
        string[] urls = options.Registry.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (string url in urls)
        {
            if (!Uri.TryCreate(url, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https")) { throw new StartException($"--registry: `{url}` is not an http or https URL"); }
        }

        try
        {
            return new RegistryClient(new RegistryClientOptions
            {
                Urls = urls,
                BasicUser = options.RegistryUser.Length > 0 ? options.RegistryUser : null,
                BasicPassword = options.RegistryPassword.Length > 0 ? SecretReference.ReadText(options.RegistryPassword, "Registry password") : null,
                // Read at each use: a token in a file is renewed by whoever wrote it.
                BearerToken = options.RegistryToken.Length > 0 ? _ => ValueTask.FromResult(SecretReference.ReadText(options.RegistryToken, "Registry token")) : null,
                CaFile = options.RegistryCa.Length > 0 ? options.RegistryCa : null,
                ClientCertificateFile = options.RegistryCertificate.Length > 0 ? options.RegistryCertificate : null,
                ClientKeyFile = options.RegistryCertificateKey.Length > 0 ? options.RegistryCertificateKey : null,
            });
        }
        catch (CryptographicException)
        {
            throw new StartException("--registry-ca, --registry-certificate, or --registry-certificate-key: a file is not PEM of what it is wanted for");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new StartException(e.Message);
        }
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        ProcessorOptions options;
        ProcessorHost processor;
        IHost host;
        try
        {
            options = RunOptionsReader.Read(parsed.GetValue(Config), FromCommandLine(parsed));
            (host, processor) = Build(options);
            processor.Check();
        }
        catch (StartException e)
        {
            if (!e.Found) { return Terminal.CouldNotRun(e.Message); }
            await Console.Error.WriteLineAsync(e.Message);
            return (int)ExitCode.Found;
        }

        using (host)
        {
            int code = (int)ExitCode.Ok;
            try
            {
                await host.RunAsync(cancellationToken);
            }
            catch (StartException e)
            {
                await Console.Error.WriteLineAsync(e.Message);
                code = (int)(e.Found ? ExitCode.Found : ExitCode.CouldNotRun);
            }
            catch (IOException e)
            {
                code = Terminal.CouldNotRun(e.Message);
            }

            return processor.ExecuteTask is { IsFaulted: true, Exception.InnerException: StartException start } ? Report(start) : code;
        }
    }

    private static int Report(StartException start)
    {
        Console.Error.WriteLine(start.Message);
        return (int)(start.Found ? ExitCode.Found : ExitCode.CouldNotRun);
    }

    private static (IHost Host, ProcessorHost Processor) Build(ProcessorOptions options)
    {
        RegistryClient? registry = MakeRegistry(options);
        // No configuration of either host's own: what counts was read above, strictly.
        if (options.Http.Length == 0)
        {
            HostApplicationBuilder plain = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
            Configure(plain.Services, plain.Logging, options, registry);
            IHost host = plain.Build();
            return (host, host.Services.GetRequiredService<ProcessorHost>());
        }

        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        Configure(builder.Services, builder.Logging, options, registry);
        builder.WebHost.UseKestrelCore();
        builder.Services.AddRoutingCore();
        if (!TryUrl(options.Http, out string url)) { throw new StartException($"--http takes an address such as 127.0.0.1:9090, not `{options.Http}`"); }
        builder.WebHost.UseUrls(url);
        WebApplication application = builder.Build();
        ProcessorHost processor = application.Services.GetRequiredService<ProcessorHost>();
        application.UseRouting();
        application.MapProcessorHealth(processor);
        return (application, processor);
    }

    private static void Configure(IServiceCollection services, ILoggingBuilder logging, ProcessorOptions options, RegistryClient? registry)
    {
        logging.AddFilter("Microsoft", LogLevel.Warning).AddFilter("System", LogLevel.Warning);
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            console.UseUtcTimestamp = true;
            console.ColorBehavior = LoggerColorBehavior.Disabled;
        });
        services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        services.Configure<HostOptions>(host =>
        {
            host.ShutdownTimeout = TimeSpan.FromSeconds(30);
            host.BackgroundServiceExceptionBehavior = BackgroundServiceExceptionBehavior.StopHost;
        });
        services.AddSingleton<TimeProvider>(TimeProvider.System);
        services.AddSingleton(provider => new ProcessorHost(options, registry, new Health(), new ProcessorMetrics(), TimeProvider.System, provider.GetRequiredService<ILogger<ProcessorHost>>()));
        services.AddHostedService(provider => provider.GetRequiredService<ProcessorHost>());
    }

    private static bool TryUrl(string address, out string url)
    {
        url = address.Contains("://", StringComparison.Ordinal) ? address : "http://" + address;
        return Uri.TryCreate(url, UriKind.Absolute, out Uri? uri) && uri.Scheme == "http" && uri.AbsolutePath == "/";
    }

    private static Dictionary<string, string?> FromCommandLine(ParseResult parsed)
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach ((Option<string> option, string name) in (IEnumerable<(Option<string>, string)>)[
            (Bootstrap, nameof(ProcessorOptions.Bootstrap)), (Registry, nameof(ProcessorOptions.Registry)), (Policies, nameof(ProcessorOptions.Policies)),
            (Group, nameof(ProcessorOptions.Group)), (Threads, nameof(ProcessorOptions.Threads)), (Profile, nameof(ProcessorOptions.Profile)), (CommitInterval, nameof(ProcessorOptions.CommitInterval)),
            (CommitRecords, nameof(ProcessorOptions.CommitRecords)), (CommitMebibytes, nameof(ProcessorOptions.CommitMebibytes)), (HoldsMax, nameof(ProcessorOptions.HoldsMax)),
            (AuditKey, nameof(ProcessorOptions.AuditKey)), (HoldKey, nameof(ProcessorOptions.HoldKey)), (ApprovalKeys, nameof(ProcessorOptions.ApprovalKeys)),
            (Instance, nameof(ProcessorOptions.Instance)), (StateDir, nameof(ProcessorOptions.StateDir)), (Http, nameof(ProcessorOptions.Http)),
            (RegistryUser, nameof(ProcessorOptions.RegistryUser)), (RegistryPassword, nameof(ProcessorOptions.RegistryPassword)), (RegistryToken, nameof(ProcessorOptions.RegistryToken)),
            (RegistryCa, nameof(ProcessorOptions.RegistryCa)), (RegistryCertificate, nameof(ProcessorOptions.RegistryCertificate)),
            (RegistryCertificateKey, nameof(ProcessorOptions.RegistryCertificateKey)), (RecordPath, nameof(ProcessorOptions.RecordPath))])
        {
            if (parsed.GetValue(option) is { } value) { values[name] = value; }
        }

        if (parsed.GetValue(AdoptOffsets)) { values[nameof(ProcessorOptions.AdoptOffsets)] = bool.TrueString; }
        foreach (string key in parsed.GetValue(Key) ?? [])
        {
            if (!SecretReference.TrySplit(key, out string keyName, out string reference)) { throw new StartException("--key takes NAME=file:PATH or NAME=env:VARIABLE"); }
            values[string.Create(CultureInfo.InvariantCulture, $"{nameof(ProcessorOptions.Keys)}:{keyName}")] = reference;
        }

        if (parsed.GetValue(KafkaConfig) is { } file)
        {
            foreach ((string name, string value) in RunOptionsReader.ReadKafkaConfig(file)) { values[$"{nameof(ProcessorOptions.Kafka)}:{name}"] = value; }
        }

        return values;
    }
}
