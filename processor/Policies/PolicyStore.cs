using Microsoft.Extensions.Logging;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Metrics;
using PolicyStreams.Rules;
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
internal sealed partial class PolicyStore(
    string path, KeyRing keys, ISchemaRegistry? registry, Health health, TimeProvider time, ILogger logger, ProcessorMetrics? metrics = null) : IDisposable
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BackoffMax = TimeSpan.FromSeconds(10);

    // A schema may be registered after the first record that names it: refused ids are asked for again after so many looks.
    private const int LooksBetweenForgetting = 30;
    private string _stamp = "";

    // The files that did not load, so that they are not tried and told of at every look.
    private string _failed = "";
    private Task _refresh = Task.CompletedTask;
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
                Warn(attempt.Diagnostics);
                _unreachable = false;
                Registry();
                return [.. attempt.Diagnostics.Where(d => d.Severity != Severity.Error)];
            }

            if (attempt.Unreachable is null) { return attempt.Diagnostics; }
            _unreachable = true;
            if (health.Bad("registry", attempt.Unreachable)) { PolicyLog.RegistryUnreachable(logger, attempt.Unreachable); }
            await Task.Delay(backoff, time, stopping).ConfigureAwait(false);
            backoff = TimeSpan.FromTicks(Math.Min(2 * backoff.Ticks, BackoffMax.Ticks));
        }
    }

    /// <summary>Looks for changed files until stopped.</summary>
    public async Task WatchAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(LookInterval, time);
        int looks = 0;
        while (await timer.WaitForNextTickAsync(stopping).ConfigureAwait(false))
        {
            if (++looks % LooksBetweenForgetting == 0)
            {
                foreach (CompiledBinding binding in _current!.ByIngressTopic.Values) { binding.ForgetRefusals(); }
                if (_refresh.IsCompleted) { _refresh = RefreshAsync(stopping); }
            }

            await LookAsync(stopping).ConfigureAwait(false);
        }
    }

    /// <summary>Looks once: changed files are put in force, all of them or none, and health says what stands in the way.</summary>
    internal async Task LookAsync(CancellationToken stopping)
    {
        try
        {
            IReadOnlyList<PolicyFile> files = PolicyFolder.Read(path);
            string stamp = PolicyFolder.Stamp(files);
            if (stamp == _stamp)
            {
                _failed = "";
                health.Good("policy");
                return;
            }

            if (stamp == _failed) { return; }
            using Changing changing = await ChangeAsync(stopping).ConfigureAwait(false);
            PolicyAttempt attempt = await LoadAsync(files, stopping).ConfigureAwait(false);
            if (attempt.Unreachable is not null)
            {
                if (health.Bad("policy", "a changed policy waits for the registry: " + attempt.Unreachable)) { PolicyLog.RegistryUnreachable(logger, attempt.Unreachable); }
            }
            else if (attempt.Snapshot is { } snapshot)
            {
                _stamp = stamp;
                _failed = "";
                PutInForce(snapshot);
                Warn(attempt.Diagnostics);
                health.Good("policy");
            }
            else
            {
                _failed = stamp;
                health.Bad("policy", "a changed policy does not load; the one before stays in force: " + attempt.Diagnostics.First(d => d.Severity == Severity.Error));
                foreach (Diagnostic diagnostic in attempt.Diagnostics) { PolicyLog.Rejected(logger, diagnostic.ToString()); }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What stood in the way before is found again once they can be read.
            _failed = "";
            if (health.Bad("policy", "policy files cannot be read; what was loaded stays in force: " + e.Message)) { PolicyLog.Unreadable(logger, e.Message); }
        }
    }

    internal async Task<PolicyAttempt> LoadAsync(IReadOnlyList<PolicyFile> files, CancellationToken stopping)
    {
        PolicyLoad load = PolicySet.Load(files);
        if (load.Set is not { } set) { return new PolicyAttempt(null, load.Diagnostics, null); }
        var diagnostics = new List<Diagnostic>(load.Diagnostics);
        IReadOnlyList<Diagnostic> notRun = RuntimeSupport.Check(set, HasHoldKey);
        if (notRun.Count > 0) { return new PolicyAttempt(null, [.. diagnostics, .. notRun], null); }
        var compiled = new List<CompiledPolicy>();
        var loader = new SubjectLoader(registry);
        bool failed = false;
        foreach (PolicyDocument document in set.Policies)
        {
            SubjectLoad subjects = await loader.LoadAsync(document, diagnostics, stopping).ConfigureAwait(false);
            if (subjects.Unreachable is { } why)
            {
                if (subjects.Conflict) { Conflict("load", why); }
                return new PolicyAttempt(null, diagnostics, why);
            }

            if (subjects.Subjects is not null && CompiledPolicy.Compile(document, Remembering(subjects.Subjects), keys, diagnostics) is { } policy) { compiled.Add(policy); }
            else { failed = true; }
        }

        NoConflict("load");
        return new PolicyAttempt(failed ? null : new PolicySnapshot(compiled), diagnostics, null);
    }

    /// <summary>A version that was known and is not there any more keeps its tags: who may delete versions must not unmask by it.</summary>
    private Dictionary<string, SubjectSchemas> Remembering(IReadOnlyDictionary<string, SubjectSchemas> subjects)
    {
        var all = new Dictionary<string, SubjectSchemas>(subjects, StringComparer.Ordinal);
        foreach (SubjectSchemas known in _current?.Policies.SelectMany(policy => policy.Subjects.Values) ?? [])
        {
            foreach ((string name, SubjectSchemas schemas) in subjects)
            {
                if (schemas.Subject == known.Subject && schemas.Ids == known.Ids) { all[name] = all[name].Remembering(known); }
            }
        }

        return all;
    }

    private void Warn(IReadOnlyList<Diagnostic> diagnostics)
    {
        foreach (Diagnostic diagnostic in diagnostics)
        {
            if (diagnostic.Severity == Severity.Warning) { PolicyLog.Warned(logger, diagnostic.ToString()); }
        }
    }

    internal void PutInForce(PolicySnapshot snapshot)
    {
        IReadOnlyList<CompiledPolicy> before = _current?.Policies ?? [];
        _current = snapshot;
        foreach (CompiledPolicy policy in snapshot.Policies)
        {
            if (!before.Contains(policy)) { PolicyLog.InForce(logger, policy.Document.Name, policy.Digest); }
        }
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

    [LoggerMessage(EventIds.RegistryConflict, LogLevel.Error, "Schema registry contradicts itself: {Why} What was known stays; nothing is read by the other schema")]
    public static partial void RegistryConflict(ILogger logger, string why);

    [LoggerMessage(EventIds.PolicyWarning, LogLevel.Warning, "Policy in force: {Diagnostic}")]
    public static partial void Warned(ILogger logger, string diagnostic);

    [LoggerMessage(EventIds.VersionTaken, LogLevel.Information, "Subject {Subject} has new version(s) {Versions}: policies that read it are resolved anew")]
    public static partial void VersionTaken(ILogger logger, string subject, string versions);

    [LoggerMessage(EventIds.VersionRefused, LogLevel.Error, "Version {Version} of subject {Subject} cannot be used, and its records are denied: {Why}")]
    public static partial void VersionRefused(ILogger logger, int version, string subject, string why);

    [LoggerMessage(EventIds.NotRefreshed, LogLevel.Error, "Subject {Subject} could not be looked at for new versions: {Fault}")]
    public static partial void NotRefreshed(ILogger logger, string subject, string fault);

    [LoggerMessage(EventIds.VersionWarning, LogLevel.Warning, "New version of a subject: {Diagnostic}")]
    public static partial void VersionWarning(ILogger logger, string diagnostic);
}
