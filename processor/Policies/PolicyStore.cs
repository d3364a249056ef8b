using Microsoft.Extensions.Logging;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Processor.Policies;

/// <summary>What one attempt to load came to.</summary>
/// <param name="Snapshot">Null where nothing can be put in force.</param>
/// <param name="Diagnostics">Mistakes in the files, all of them.</param>
/// <param name="Unreachable">Why the registry could not answer; null where it could. Then the attempt is repeated.</param>
internal sealed record PolicyAttempt(PolicySnapshot? Snapshot, IReadOnlyList<Diagnostic> Diagnostics, string? Unreachable);

/// <summary>
/// Loads policies and their schemas, keeps the snapshot in force, and looks for changed files. A set that fails to load never replaces one that runs.
/// </summary>
internal sealed class PolicyStore(string path, KeyRing keys, ISchemaRegistry? registry, Health health, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BackoffMax = TimeSpan.FromSeconds(10);

    // A schema may be registered after the first record that names it: refused ids are asked for again after so many looks.
    private const int LooksBetweenForgetting = 30;
    private string _stamp = "";
    private volatile PolicySnapshot? _current;

    /// <summary>False without a hold key: policies that need one are refused.</summary>
    public bool HasHoldKey { get; init; } = true;

    /// <summary>In force; null before the first load.</summary>
    public PolicySnapshot? Current => _current;

    /// <summary>Loads the first time, waiting for the registry as long as it takes.</summary>
    /// <returns>The mistakes, where there are any of severity error; then nothing is in force.</returns>
    /// <exception cref="IOException">The files cannot be read.</exception>
    public async Task<IReadOnlyList<Diagnostic>> StartAsync(CancellationToken stopping)
    {
        TimeSpan backoff = TimeSpan.FromMilliseconds(200);
        while (true)
        {
            IReadOnlyList<PolicyFile> files = PolicyFolder.Read(path);
            PolicyAttempt attempt = await LoadAsync(files, stopping).ConfigureAwait(false);
            if (attempt.Snapshot is { } snapshot)
            {
                _stamp = PolicyFolder.Stamp(files);
                PutInForce(snapshot);
                health.Good("registry");
                return [.. attempt.Diagnostics.Where(d => d.Severity != Severity.Error)];
            }

            if (attempt.Unreachable is null) { return attempt.Diagnostics; }
            if (health.Bad("registry", attempt.Unreachable)) { PolicyLog.RegistryUnreachable(logger, attempt.Unreachable); }
            await Task.Delay(backoff, time, stopping).ConfigureAwait(false);
            backoff = TimeSpan.FromTicks(Math.Min(2 * backoff.Ticks, BackoffMax.Ticks));
        }
    }

    /// <summary>Looks for changed files until stopped.</summary>
    public async Task WatchAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(LookInterval, time);
        string failed = "";
        int looks = 0;
        while (await timer.WaitForNextTickAsync(stopping).ConfigureAwait(false))
        {
            if (++looks % LooksBetweenForgetting == 0)
            {
                foreach (CompiledBinding binding in _current!.ByIngressTopic.Values) { binding.ForgetRefusals(); }
            }

            try
            {
                IReadOnlyList<PolicyFile> files = PolicyFolder.Read(path);
                string stamp = PolicyFolder.Stamp(files);
                if (stamp == _stamp)
                {
                    if (failed.Length > 0) { health.Good("policy"); }
                    failed = "";
                    continue;
                }

                if (stamp == failed) { continue; }
                PolicyAttempt attempt = await LoadAsync(files, stopping).ConfigureAwait(false);
                if (attempt.Unreachable is not null)
                {
                    if (health.Bad("policy", "a changed policy waits for the registry: " + attempt.Unreachable)) { PolicyLog.RegistryUnreachable(logger, attempt.Unreachable); }
                }
                else if (attempt.Snapshot is { } snapshot)
                {
                    _stamp = stamp;
                    failed = "";
                    PutInForce(snapshot);
                    health.Good("policy");
                }
                else
                {
                    failed = stamp;
                    health.Bad("policy", "a changed policy does not load; the one before stays in force: " + attempt.Diagnostics.First(d => d.Severity == Severity.Error));
                    foreach (Diagnostic diagnostic in attempt.Diagnostics) { PolicyLog.Rejected(logger, diagnostic.ToString()); }
                }
            }
            catch (IOException e)
            {
                if (health.Bad("policy", "policy files cannot be read; what was loaded stays in force: " + e.Message)) { PolicyLog.Unreadable(logger, e.Message); }
            }
            catch (UnauthorizedAccessException e)
            {
                if (health.Bad("policy", "policy files cannot be read; what was loaded stays in force: " + e.Message)) { PolicyLog.Unreadable(logger, e.Message); }
            }
        }
    }

    /// <summary>Asks the registry about the schema that a record named, and tells the binding. Null once told; else why the registry cannot say now.</summary>
    /// <param name="needed">As the judge said it: an id, or a GUID.</param>
    public async Task<string?> ResolveAsync(CompiledBinding binding, JudgeResult needed, CancellationToken stopping)
    {
        if (registry is null)
        {
            Tell(binding, needed, needed.NeededSchemaId, WriterAdmission.UnknownId, null);
            return null;
        }

        string? subject = binding.Document.Subject;
        RegistryAnswer<RegisteredSchema> answer = needed.NeededSchemaGuid is { } guid
            ? await registry.GetByGuidAsync(guid, subject, stopping).ConfigureAwait(false)
            : await registry.GetByIdAsync(needed.NeededSchemaId, subject, stopping).ConfigureAwait(false);
        switch (answer.Kind)
        {
            case RegistryAnswerKind.Unreachable:
                return answer.Reason;
            case RegistryAnswerKind.NotFound:
                Tell(binding, needed, needed.NeededSchemaId, WriterAdmission.UnknownId, null);
                return null;
            case RegistryAnswerKind.Conflict:
                // Another schema than before under a known id: nobody's records can be read by it. The task waits, and an operator looks.
                PolicyLog.RegistryConflict(logger, needed.NeededSchemaId, answer.Reason);
                return answer.Reason;
        }

        RegisteredSchema schema = answer.Value!;
        int version = subject is null ? 0 : schema.VersionOf(subject);
        if (version == 0)
        {
            Tell(binding, needed, schema.Id, WriterAdmission.NotAdmitted, null);
            return null;
        }

        try
        {
            Tell(binding, needed, schema.Id, WriterAdmission.Admitted, new SchemaVersion(version, schema.Id, Parse(schema)));
        }
        catch (SchemaException)
        {
            Tell(binding, needed, schema.Id, WriterAdmission.Unusable, null);
        }

        return null;
    }

    private static void Tell(CompiledBinding binding, JudgeResult needed, int schemaId, WriterAdmission admission, SchemaVersion? version)
    {
        if (needed.NeededSchemaGuid is { } guid) { binding.AddWriter(guid, schemaId, admission, version); }
        else { binding.AddWriter(schemaId, admission, version); }
    }

    internal async Task<PolicyAttempt> LoadAsync(IReadOnlyList<PolicyFile> files, CancellationToken stopping)
    {
        PolicyLoad load = PolicySet.Load(files);
        if (load.Set is not { } set) { return new PolicyAttempt(null, load.Diagnostics, null); }
        var diagnostics = new List<Diagnostic>(load.Diagnostics);
        IReadOnlyList<Diagnostic> notRun = RuntimeSupport.Check(set, HasHoldKey);
        if (notRun.Count > 0) { return new PolicyAttempt(null, [.. diagnostics, .. notRun], null); }
        var compiled = new List<CompiledPolicy>();
        bool failed = false;
        foreach (PolicyDocument document in set.Policies)
        {
            var subjects = new Dictionary<string, SubjectSchemas>(StringComparer.Ordinal);
            foreach (BindingDocument binding in document.Bindings)
            {
                (SubjectSchemas? schemas, string? unreachable) = await SchemasOf(document, binding, diagnostics, stopping).ConfigureAwait(false);
                if (unreachable is not null) { return new PolicyAttempt(null, diagnostics, unreachable); }
                if (schemas is null) { failed = true; }
                else { subjects[binding.Name] = schemas; }
            }

            if (subjects.Count < document.Bindings.Count) { continue; }
            if (CompiledPolicy.Compile(document, subjects, keys, diagnostics) is { } policy) { compiled.Add(policy); }
            else { failed = true; }
        }

        return new PolicyAttempt(failed ? null : new PolicySnapshot(compiled), diagnostics, null);
    }

    private async Task<(SubjectSchemas? Schemas, string? Unreachable)> SchemasOf(PolicyDocument document, BindingDocument binding, List<Diagnostic> diagnostics, CancellationToken stopping)
    {
        try
        {
            if (binding.SchemaFile is { } file)
            {
                string schemaPath = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(document.Path)) ?? ".", file);
                RecordSchema schema = SchemaParser.Parse(TypeName(binding.Format), await File.ReadAllTextAsync(schemaPath, stopping).ConfigureAwait(false), []);
                return (new SubjectSchemas("", [new SchemaVersion(1, 0, schema)]), null);
            }

            if (binding.Subject is not { } subject)
            {
                return (new SubjectSchemas("", [new SchemaVersion(1, 0, Schemas.Json.SchemalessJson.Instance)]), null);
            }

            if (registry is null)
            {
                diagnostics.Add(Of(document, $"binding `{binding.Name}` has subject `{subject}`, and no registry is given", "give --registry URL, or a schema file with `schema:` for work offline"));
                return (null, null);
            }

            RegistryAnswer<IReadOnlyList<RegisteredSchema>> answer = await registry.GetSubjectAsync(subject, stopping).ConfigureAwait(false);
            switch (answer.Kind)
            {
                case RegistryAnswerKind.Unreachable or RegistryAnswerKind.Conflict:
                    return (null, answer.Reason);
                case RegistryAnswerKind.NotFound:
                    diagnostics.Add(Of(document, $"binding `{binding.Name}`: the registry has no subject `{subject}`", "register its schema first, or name the subject that producers use"));
                    return (null, null);
            }

            var versions = new List<SchemaVersion>();
            foreach (RegisteredSchema registered in answer.Value!)
            {
                if (registered.Unusable is { } why)
                {
                    diagnostics.Add(Of(document, $"version {registered.Version} of subject `{subject}` cannot be used: {why}", null));
                    return (null, null);
                }

                versions.Add(new SchemaVersion(registered.Version, registered.Id, Parse(registered)));
            }

            return (new SubjectSchemas(subject, versions), null);
        }
        catch (SchemaException e)
        {
            diagnostics.Add(Of(document, $"the schema of binding `{binding.Name}` cannot be used: {e.Message}", null));
            return (null, null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            diagnostics.Add(Of(document, $"the schema file of binding `{binding.Name}` cannot be read: {e.Message}", "`schema:` is relative to the policy's folder"));
            return (null, null);
        }
    }

    private static RecordSchema Parse(RegisteredSchema schema) => SchemaParser.Parse(schema.Type, schema.Text, [.. schema.References.Select(reference => reference.Text)]);

    private static string TypeName(SchemaFormat format) => format switch
    {
        SchemaFormat.Avro => "AVRO",
        SchemaFormat.Protobuf => "PROTOBUF",
        _ => "JSON",
    };

    private static Diagnostic Of(PolicyDocument document, string message, string? help) => new(document.Path, 1, 1, DiagnosticCodes.SchemaMissing, Severity.Error, message, help);

    internal void PutInForce(PolicySnapshot snapshot)
    {
        _current = snapshot;
        foreach (CompiledPolicy policy in snapshot.Policies) { PolicyLog.InForce(logger, policy.Document.Name, policy.Digest); }
    }
}

internal static partial class PolicyLog
{
    [LoggerMessage(EventIds.PolicyInForce, LogLevel.Information, "Policy {Policy} is in force, digest {Digest}")]
    public static partial void InForce(ILogger logger, string policy, string digest);

    [LoggerMessage(EventIds.PolicyRejected, LogLevel.Error, "Changed policy not taken: {Diagnostic}")]
    public static partial void Rejected(ILogger logger, string diagnostic);

    [LoggerMessage(EventIds.PolicyUnreadable, LogLevel.Error, "Policy files cannot be read; what was loaded stays in force: {Why}")]
    public static partial void Unreadable(ILogger logger, string why);

    [LoggerMessage(EventIds.RegistryUnreachable, LogLevel.Warning, "Schema registry: {Why}; trying again")]
    public static partial void RegistryUnreachable(ILogger logger, string why);

    [LoggerMessage(EventIds.RegistryConflict, LogLevel.Error, "Schema registry gave another schema for known id {SchemaId}: {Why}")]
    public static partial void RegistryConflict(ILogger logger, int schemaId, string why);
}
