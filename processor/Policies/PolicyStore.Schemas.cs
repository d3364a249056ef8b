using System.Collections.Concurrent;
using System.Globalization;
using PolicyStreams.Rules;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Processor.Policies;

/// <summary>
/// Schemas while it runs: what records name and the policies in force do not know yet, and versions that subjects get meanwhile. A new version is never added to a running binding:
/// the policies that read its subject are resolved anew with it, so that the tags it brings count for all versions from one transaction to the next.
/// </summary>
internal sealed partial class PolicyStore
{
    // One change of what is in force at a time: a reload and a resolution must not undo each other.
    private readonly SemaphoreSlim _changing = new(1, 1);
    private readonly Lock _conflictLock = new();
    private readonly SortedDictionary<string, string> _conflicts = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Subject, int Version), bool> _refusedVersions = new();
    private volatile bool _unreachable;

    /// <summary>Asks the registry about the schema that a record named, and tells the binding. Null once told; else why the registry cannot say now.</summary>
    /// <param name="needed">As the judge said it: an id or a GUID, of the value or of the key.</param>
    /// <remarks>After it, the record is judged by the policy that is in force then: it may be another.</remarks>
    public async Task<string?> ResolveAsync(CompiledBinding binding, JudgeResult needed, CancellationToken stopping)
    {
        string? subject = needed.OfKey ? binding.Document.KeySubject : binding.Document.Subject;
        if (registry is null || subject is null)
        {
            binding.AnswerUnknown(needed);
            return null;
        }

        SchemaIds ids = needed.OfKey ? binding.Document.KeySchemaIds : binding.Document.SchemaIds;
        ISchemaRegistry asked = registry.By(ids);
        RegistryAnswer<RegisteredSchema> answer = needed.NeededSchemaGuid is { } guid
            ? await asked.GetByGuidAsync(guid, subject, stopping).ConfigureAwait(false)
            : await asked.GetByIdAsync(needed.NeededSchemaId, subject, stopping).ConfigureAwait(false);
        string question = needed.NeededSchemaGuid?.ToString() ?? string.Create(CultureInfo.InvariantCulture, $"{ids} id {needed.NeededSchemaId}");
        switch (answer.Kind)
        {
            case RegistryAnswerKind.Unreachable:
                return answer.Reason;
            case RegistryAnswerKind.NotFound:
                binding.AnswerUnknown(needed);
                return null;
            case RegistryAnswerKind.Conflict:
                // Another schema than before under a known id: nobody's records can be read by it. The task waits, and an operator looks.
                Conflict(question, answer.Reason);
                return answer.Reason;
        }

        NoConflict(question);
        RegisteredSchema schema = answer.Value!;
        if (schema.Version == 0)
        {
            binding.Answer(needed, schema.Id, WriterAdmission.NotAdmitted, null);
            return null;
        }

        return await AdmitAsync(binding, needed, schema, subject, ids, stopping).ConfigureAwait(false);
    }

    public void Dispose() => _changing.Dispose();

    /// <summary>Looks whether subjects have versions that the policies in force do not know: their tags count before the first record by them comes.</summary>
    internal async Task RefreshAsync(CancellationToken stopping)
    {
        if (registry is null) { return; }
        try
        {
            foreach ((string subject, SchemaIds ids) in _current!.Policies.SelectMany(policy => policy.Subjects.Values).Select(schemas => (schemas.Subject, schemas.Ids)).Where(asked => asked.Subject.Length > 0).Distinct().ToList())
            {
                try
                {
                    await RefreshAsync(subject, ids, stopping).ConfigureAwait(false);
                }
                catch (Exception fault) when (fault is not OperationCanceledException)
                {
                    // One subject that cannot be looked at keeps nobody from the others; it is looked at again next time.
                    PolicyLog.NotRefreshed(logger, subject, fault.GetType().Name);
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
        }
    }

    private async Task RefreshAsync(string subject, SchemaIds ids, CancellationToken stopping)
    {
        RegistryAnswer<IReadOnlyList<RegisteredSchema>> answer = await registry!.By(ids).GetSubjectAsync(subject, stopping).ConfigureAwait(false);
        if (answer.Kind == RegistryAnswerKind.Conflict) { Conflict($"{ids} {subject}", answer.Reason); }
        if (!answer.IsFound) { return; }
        NoConflict($"{ids} {subject}");
        using Changing changing = await ChangeAsync(stopping).ConfigureAwait(false);
        Take(subject, ids, answer.Value);
    }

    private async Task<string?> AdmitAsync(CompiledBinding binding, JudgeResult needed, RegisteredSchema schema, string subject, SchemaIds ids, CancellationToken stopping)
    {
        using Changing changing = await ChangeAsync(stopping).ConfigureAwait(false);
        string ingress = binding.Document.Topics.Ingress;

        // Replaced meanwhile, perhaps by another task's question: the record asks again by the policy that is in force now.
        if (!_current!.ByIngressTopic.TryGetValue(ingress, out CompiledBinding? live) || !ReferenceEquals(live, binding)) { return null; }
        if (Known(binding, needed.OfKey, schema.Id) is { } known)
        {
            binding.Answer(needed, schema.Id, WriterAdmission.Admitted, known);
            return null;
        }

        RegistryAnswer<IReadOnlyList<RegisteredSchema>> answer = await registry!.By(ids).GetSubjectAsync(subject, stopping).ConfigureAwait(false);
        if (answer.Kind == RegistryAnswerKind.Conflict) { Conflict($"{ids} {subject}", answer.Reason); }
        if (answer.Kind is RegistryAnswerKind.Conflict or RegistryAnswerKind.Unreachable) { return answer.Reason; }
        NoConflict($"{ids} {subject}");
        bool taken = answer.IsFound && Take(subject, ids, answer.Value);
        if (taken && _current.ByIngressTopic[ingress] is { } resolved && Known(resolved, needed.OfKey, schema.Id) is { } version)
        {
            resolved.Answer(needed, schema.Id, WriterAdmission.Admitted, version);
            return null;
        }

        // Deleted since, or it cannot be used.
        RegisteredSchema? there = answer.IsFound ? answer.Value.FirstOrDefault(one => one.Id == schema.Id && !one.Deleted) : null;
        string format = (needed.OfKey ? SchemaFormat.Avro : binding.Document.Format).ToString();
        WriterAdmission refused = there is null ? WriterAdmission.NotAdmitted : there.Type.Equals(format, StringComparison.OrdinalIgnoreCase) ? WriterAdmission.Unusable : WriterAdmission.OtherFormat;
        _current.ByIngressTopic[ingress].Answer(needed, schema.Id, refused, null);
        return null;
    }

    private static SchemaVersion? Known(CompiledBinding binding, bool key, int id) =>
        binding.Policy.Subjects.TryGetValue(key ? binding.Document.Name + "/key" : binding.Document.Name, out SubjectSchemas? schemas)
            ? schemas.Versions.LastOrDefault(version => version.Id == id && !version.Deleted) : null;

    /// <summary>Resolves every policy that reads the subject anew where it has versions that the policy does not know. True where all of them are in force with all that can be used.</summary>
    private bool Take(string subject, SchemaIds ids, IReadOnlyList<RegisteredSchema> registered)
    {
        PolicySnapshot current = _current!;
        var policies = new List<CompiledPolicy>();
        bool changed = false, sound = true;
        Dictionary<int, SchemaVersion> parsed = [];
        HashSet<int> said = [];
        foreach (CompiledPolicy policy in current.Policies)
        {
            var subjects = new Dictionary<string, SubjectSchemas>(StringComparer.Ordinal);
            bool more = false;
            foreach ((string name, SubjectSchemas schemas) in policy.Subjects)
            {
                subjects[name] = schemas.Subject == subject && schemas.Ids == ids ? schemas.With(Parse(schemas, registered, parsed, said)) : schemas;
                more |= !ReferenceEquals(subjects[name], schemas);
            }

            if (!more)
            {
                policies.Add(policy);
                continue;
            }

            var diagnostics = new List<Diagnostic>();
            CompiledPolicy? resolved = policy.Resolved(subjects, keys, diagnostics);
            foreach (Diagnostic diagnostic in diagnostics) { PolicyLog.VersionWarning(logger, diagnostic.ToString()); }
            policies.Add(resolved ?? policy);
            sound &= resolved is not null;
            changed |= resolved is not null;
        }

        if (changed)
        {
            IEnumerable<int> before = current.Policies.SelectMany(policy => policy.Subjects.Values).Where(schemas => schemas.Subject == subject && schemas.Ids == ids).SelectMany(schemas => schemas.Versions).Select(version => version.Version);
            PolicyLog.VersionTaken(logger, subject, string.Join(", ", parsed.Keys.Except(before).Order()));
            PutInForce(new PolicySnapshot(policies));
        }

        return sound;
    }

    private List<SchemaVersion> Parse(SubjectSchemas schemas, IReadOnlyList<RegisteredSchema> registered, Dictionary<int, SchemaVersion> parsed, HashSet<int> said)
    {
        var versions = new List<SchemaVersion>();
        foreach (RegisteredSchema one in registered)
        {
            // One that is known is not parsed again: only its tags can be news.
            SchemaVersion? version = schemas.Versions.FirstOrDefault(known => known.Version == one.Version);
            version = version is not null ? version with { Tags = one.Tags } : parsed.GetValueOrDefault(one.Version);
            if (version is null)
            {
                try { parsed[one.Version] = version = SubjectLoader.Parse(one, schemas.Checked.Format); }
                catch (SchemaException fault)
                {
                    if (said.Add(one.Version) && _refusedVersions.TryAdd((schemas.Subject, one.Version), true)) { PolicyLog.VersionRefused(logger, one.Version, schemas.Subject, fault.Message); }
                    continue;
                }
            }

            versions.Add(version);
        }

        return versions;
    }

    private void Conflict(string question, string why)
    {
        bool news;
        lock (_conflictLock)
        {
            news = !_conflicts.TryGetValue(question, out string? before) || before != why;
            _conflicts[question] = why;
        }

        if (news)
        {
            PolicyLog.RegistryConflict(logger, why);
            metrics?.AddEvent("registry_conflicts");
            metrics?.AddEvent("alarms");
        }

        Registry();
    }

    private void NoConflict(string question)
    {
        lock (_conflictLock)
        {
            if (!_conflicts.Remove(question)) { return; }
        }

        Registry();
    }

    /// <summary>Says in health how the registry stands.</summary>
    private void Registry()
    {
        string? why;
        lock (_conflictLock) { why = _conflicts.Values.FirstOrDefault(); }
        if (why is not null) { health.Bad("registry", why); }
        else if (!_unreachable) { health.Good("registry"); }
    }

    private async Task<Changing> ChangeAsync(CancellationToken stopping)
    {
        await _changing.WaitAsync(stopping).ConfigureAwait(false);
        return new Changing(_changing);
    }

    private readonly record struct Changing(SemaphoreSlim Gate) : IDisposable
    {
        public void Dispose() => Gate.Release();
    }
}
