using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;

namespace PolicyStreams.Schemas.Registry;

/// <summary>
/// A registry with Confluent's REST API. Thread-safe; what it found once it never asks again by id. Questions that are asked at the same time are one request.
/// A caller that cancels leaves the request to the others who wait for it.
/// </summary>
public sealed partial class RegistryClient : ISchemaRegistry, IDisposable
{
    // Names that no registry has are remembered for seconds only, yet a producer can make up many of them.
    private const int AbsentMax = 4096;
    private const int ParallelMax = 8;
    private const string NoGuids = "The registry knows no GUIDs.";

    private readonly RegistryClientOptions _options;
    private readonly TimeProvider _time;
    private readonly RegistryTransport _transport;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<IdKey, SchemaBody> _bodies = new();
    private readonly ConcurrentDictionary<IdKey, Places> _places = new();
    private readonly ConcurrentDictionary<string, Absent> _absent = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<IdKey, IReadOnlyList<ReferencedSchema>> _references = new();
    private readonly ConcurrentDictionary<string, Lazy<Task>> _flights = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Foreign> _foreign = new(StringComparer.Ordinal);
    private RegistryHealth _health;
    private long _guidsMissing;
    private long _conflicts;

    public RegistryClient(RegistryClientOptions options, TimeProvider? time = null)
        : this(options, time ?? TimeProvider.System, handler: null)
    {
    }

    /// <param name="handler">Stands for the network in tests.</param>
    internal RegistryClient(RegistryClientOptions options, TimeProvider time, HttpMessageHandler? handler)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _time = time;
        _transport = new RegistryTransport(options, time, handler);
        _health = new RegistryHealth(true, "", time.GetUtcNow(), 0);
    }

    /// <summary>How the registry stands as of the last question.</summary>
    public RegistryHealth Health => Volatile.Read(ref _health) with { Conflicts = Interlocked.Read(ref _conflicts) };

    public Task<RegistryAnswer<RegisteredSchema>> GetByIdAsync(int id, string? subject, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(id, 1);
        var key = new IdKey(ContextOf(subject), id);
        if (TryFromCache(key, subject) is RegisteredSchema known) { return Task.FromResult(RegistryAnswer<RegisteredSchema>.Found(known)); }
        string flight = $"id {key.Context} {Text(id)} {subject}";
        return FlyAsync(flight, () => FetchByIdAsync(key, subject, flight), cancellationToken);
    }

    public Task<RegistryAnswer<RegisteredSchema>> GetByGuidAsync(Guid guid, string? subject, CancellationToken cancellationToken)
    {
        string context = ContextOf(subject);
        string flight = $"guid {context} {guid} {subject}";
        return FlyAsync(flight, () => FetchByGuidAsync(guid, context, subject, flight), cancellationToken);
    }

    public Task<RegistryAnswer<IReadOnlyList<RegisteredSchema>>> GetSubjectAsync(string subject, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        return FlyAsync($"subject {subject}", () => FetchSubjectAsync(subject), cancellationToken);
    }

    /// <summary>One version of a subject.</summary>
    /// <param name="version">1 or greater; null for the latest.</param>
    public Task<RegistryAnswer<RegisteredSchema>> GetVersionAsync(string subject, int? version, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        string spelled = version is int number ? Text(number) : "latest";
        return FlyAsync($"version {subject} {spelled}", () => FetchVersionAsync(subject, spelled), cancellationToken);
    }

    /// <summary>Names of all subjects that are not deleted, in the registry's order.</summary>
    public Task<RegistryAnswer<IReadOnlyList<string>>> GetSubjectsAsync(CancellationToken cancellationToken) => FlyAsync("subjects", FetchSubjectsAsync, cancellationToken);

    public void Dispose()
    {
        _stop.Cancel();
        _transport.Dispose();
        _stop.Dispose();
    }

    /// <summary>The context of a qualified subject (<c>:.eu:raw.payments-value</c> is in <c>:.eu:</c>); empty for the default one.</summary>
    private static string ContextOf(string? subject)
    {
        if (subject is null || !subject.StartsWith(":.", StringComparison.Ordinal)) { return ""; }
        int end = subject.IndexOf(':', 2);
        return end <= 2 ? "" : subject[..(end + 1)];
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string ContextQuery(string context, char lead) => context.Length == 0 ? "" : $"{lead}subject={Uri.EscapeDataString(context)}";

    private RegisteredSchema? TryFromCache(IdKey key, string? subject)
    {
        if (!_bodies.TryGetValue(key, out SchemaBody? body)) { return null; }
        Places? places = null;
        if (subject is not null)
        {
            if (!_places.TryGetValue(key, out places)) { return null; }

            // A schema gets new subjects without getting a new id: only "it is a version of the subject" is for ever.
            if (places.VersionOf(subject) == 0 && _time.GetElapsedTime(places.Asked) >= _options.NegativeTtl) { return null; }
            if (places.VersionOf(subject) == 0) { return Compose(key, body, subject, places, [], null); }
        }

        return _references.TryGetValue(key, out IReadOnlyList<ReferencedSchema>? references) ? Compose(key, body, subject, places, references, null) : null;
    }

    private async Task<RegistryAnswer<RegisteredSchema>> FetchByIdAsync(IdKey key, string? subject, string flight)
    {
        if (IsAbsent(flight, out string? absence)) { return RegistryAnswer<RegisteredSchema>.NotFound(absence); }
        if (!_bodies.TryGetValue(key, out SchemaBody? body))
        {
            (Reply reply, SchemaBody? read) = await GetAsync($"schemas/ids/{Text(key.Id)}{ContextQuery(key.Context, '?')}", RegistryJson.Schema).ConfigureAwait(false);
            if (reply.Kind == ReplyKind.NotFound) { return Remember(flight, reply.Reason); }
            if (read is null) { return Unusable<RegisteredSchema>(reply); }
            if (read.Id != 0 && read.Id != key.Id) { return Unusable<RegisteredSchema>(Reply.Unreachable($"The registry answered with another id than {Text(key.Id)}.")); }
            if (!TryKeep(key, read, out body)) { return Conflict<RegisteredSchema>(key); }
        }

        return await CompleteAsync(key, body, subject).ConfigureAwait(false);
    }

    /// <summary>Adds the subjects a schema stands under, and its references where it is one that records may use.</summary>
    private async Task<RegistryAnswer<RegisteredSchema>> CompleteAsync(IdKey key, SchemaBody body, string? subject)
    {
        Places? places = null;
        if (subject is not null)
        {
            RegistryAnswer<Places> found = await PlacesAsync(key, subject).ConfigureAwait(false);
            if (!found.IsFound) { return found.As<RegisteredSchema>(); }
            places = found.Value;
            if (places.VersionOf(subject) == 0) { return RegistryAnswer<RegisteredSchema>.Found(Compose(key, body, subject, places, [], null)); }
        }

        References references = await ReferencesAsync(key, body).ConfigureAwait(false);
        return references.Failure is Reply failure
            ? Unusable<RegisteredSchema>(failure)
            : RegistryAnswer<RegisteredSchema>.Found(Compose(key, body, subject, places, references.List, references.Unusable));
    }

    private async Task<RegistryAnswer<Places>> PlacesAsync(IdKey key, string subject)
    {
        if (_places.TryGetValue(key, out Places? known)
            && (known.VersionOf(subject) != 0 || _time.GetElapsedTime(known.Asked) < _options.NegativeTtl))
        {
            return RegistryAnswer<Places>.Found(known);
        }

        long asked = _time.GetTimestamp();
        (Reply reply, List<SubjectVersion>? list) = await GetAsync($"schemas/ids/{Text(key.Id)}/versions{ContextQuery(key.Context, '?')}", RegistryJson.SubjectVersions).ConfigureAwait(false);
        if (reply.Kind == ReplyKind.NoEndpoint)
        {
            RegistryAnswer<IReadOnlyList<RegisteredSchema>> listed = await FetchSubjectAsync(subject).ConfigureAwait(false);
            if (!listed.IsFound && listed.Kind != RegistryAnswerKind.NotFound) { return listed.As<Places>(); }
            list = [];
            foreach (RegisteredSchema version in listed.Value ?? [])
            {
                if (version.Id == key.Id && !version.Deleted) { list.Add(new SubjectVersion(subject, version.Version)); }
            }
        }
        else if (reply.Kind == ReplyKind.NotFound)
        {
            list = [];
        }
        else if (list is null)
        {
            return Unusable<Places>(reply);
        }

        var places = new Places(list, asked);
        _places[key] = places;
        return RegistryAnswer<Places>.Found(places);
    }

    private async Task<RegistryAnswer<RegisteredSchema>> FetchByGuidAsync(Guid guid, string context, string? subject, string flight)
    {
        if (IsAbsent(flight, out string? absence)) { return RegistryAnswer<RegisteredSchema>.NotFound(absence); }
        foreach ((IdKey key, SchemaBody known) in _bodies)
        {
            if (known.Guid == guid && key.Context == context) { return await CompleteAsync(key, known, subject).ConfigureAwait(false); }
        }

        if (_foreign.TryGetValue(flight, out Foreign? foreign) && _time.GetElapsedTime(foreign.Asked) < _options.NegativeTtl) { return RegistryAnswer<RegisteredSchema>.Found(foreign.Schema); }
        long missing = Interlocked.Read(ref _guidsMissing);
        if (missing != 0 && _time.GetElapsedTime(missing) < _options.NegativeTtl) { return RegistryAnswer<RegisteredSchema>.NotFound(NoGuids); }

        (Reply reply, SchemaBody? body) = await GetAsync($"schemas/guids/{guid}", RegistryJson.Schema).ConfigureAwait(false);
        if (reply.Kind == ReplyKind.NotFound) { return Remember(flight, reply.Reason); }
        if (body is null && (reply.Kind != ReplyKind.NoEndpoint || subject is null)) { return Unusable<RegisteredSchema>(reply); }
        if (body?.Guid is Guid other && other != guid) { return Unusable<RegisteredSchema>(Reply.Unreachable("The registry answered with another GUID.")); }

        // The endpoint by GUID tells no id, and older registries lack it; the subject's versions tell both.
        if (subject is not null)
        {
            RegistryAnswer<IReadOnlyList<RegisteredSchema>> listed = await FetchSubjectAsync(subject).ConfigureAwait(false);
            if (!listed.IsFound && listed.Kind != RegistryAnswerKind.NotFound) { return listed.As<RegisteredSchema>(); }
            foreach (RegisteredSchema version in listed.Value ?? [])
            {
                if (version.Guid == guid && !version.Deleted) { return RegistryAnswer<RegisteredSchema>.Found(version); }
            }
        }

        if (body is null)
        {
            // The subject answered, so the URL is right: this registry gives no GUIDs, and no schema of it can be meant. Remembered, lest each new GUID list the subject again.
            Interlocked.Exchange(ref _guidsMissing, _time.GetTimestamp());
            return RegistryAnswer<RegisteredSchema>.NotFound(NoGuids);
        }

        // In the registry, and no version of the subject: known, not admitted.
        return Stranger(flight, new RegisteredSchema { Id = body.Id, Guid = guid, Type = body.Type, Text = body.Text, Tags = body.Tags });
    }

    private async Task<RegistryAnswer<IReadOnlyList<RegisteredSchema>>> FetchSubjectAsync(string subject)
    {
        (Reply reply, List<int>? numbers) = await GetAsync($"subjects/{Uri.EscapeDataString(subject)}/versions", RegistryJson.Numbers).ConfigureAwait(false);
        if (reply.Kind == ReplyKind.NotFound) { return RegistryAnswer<IReadOnlyList<RegisteredSchema>>.NotFound(reply.Reason); }
        if (numbers is null) { return Unusable<IReadOnlyList<RegisteredSchema>>(reply); }
        if (numbers.Count == 0) { return RegistryAnswer<IReadOnlyList<RegisteredSchema>>.NotFound("The subject has no versions."); }
        if (numbers.Count > _options.VersionsMax)
        {
            return Unusable<IReadOnlyList<RegisteredSchema>>(Reply.Unreachable($"The subject has more than {Text(_options.VersionsMax)} versions."));
        }

        // What was deleted softly is still shown where it is asked for. A registry that knows no such question answers with the same list, or refuses it.
        (Reply asked, List<int>? all) = await GetAsync($"subjects/{Uri.EscapeDataString(subject)}/versions?deleted=true", RegistryJson.Numbers).ConfigureAwait(false);
        if (all is null && asked.Kind == ReplyKind.Unreachable) { return Unusable<IReadOnlyList<RegisteredSchema>>(asked); }
        HashSet<int> live = [.. numbers];
        List<int> wanted = [.. live.Union(all is { Count: > 0 } && all.Count <= _options.VersionsMax ? all : []).Order()];
        var versions = new List<RegisteredSchema>(wanted.Count);
        foreach (int[] chunk in wanted.Chunk(ParallelMax))
        {
            RegistryAnswer<RegisteredSchema>[] answers = await Task.WhenAll(chunk.Select(number => FetchVersionAsync(subject, Text(number), !live.Contains(number)))).ConfigureAwait(false);
            foreach (RegistryAnswer<RegisteredSchema> answer in answers)
            {
                // Deleted since it was listed.
                if (answer.Kind == RegistryAnswerKind.NotFound) { continue; }
                if (!answer.IsFound) { return answer.As<IReadOnlyList<RegisteredSchema>>(); }
                versions.Add(answer.Value);
            }
        }

        return versions.TrueForAll(version => version.Deleted)
            ? RegistryAnswer<IReadOnlyList<RegisteredSchema>>.NotFound("The subject has no versions.")
            : RegistryAnswer<IReadOnlyList<RegisteredSchema>>.Found(versions);
    }

    private async Task<RegistryAnswer<RegisteredSchema>> FetchVersionAsync(string subject, string version, bool deleted = false)
    {
        (Reply reply, SchemaBody? body) = await GetAsync($"subjects/{Uri.EscapeDataString(subject)}/versions/{version}{(deleted ? "?deleted=true" : "")}", RegistryJson.Schema).ConfigureAwait(false);
        if (reply.Kind == ReplyKind.NotFound) { return RegistryAnswer<RegisteredSchema>.NotFound(reply.Reason); }
        if (body is null) { return Unusable<RegisteredSchema>(reply); }
        if (body.Id < 1 || body.Version < 1 || (version != "latest" && Text(body.Version) != version))
        {
            return Unusable<RegisteredSchema>(Reply.Unreachable("The registry answered with another version, or without an id."));
        }

        var key = new IdKey(ContextOf(subject), body.Id);
        if (!TryKeep(key, body, out SchemaBody kept)) { return Conflict<RegisteredSchema>(key); }
        References references = await ReferencesAsync(key, kept).ConfigureAwait(false);
        if (references.Failure is Reply failure) { return Unusable<RegisteredSchema>(failure); }
        var places = new Places([new SubjectVersion(subject, body.Version)], _time.GetTimestamp());
        return RegistryAnswer<RegisteredSchema>.Found(Compose(key, kept, subject, places, references.List, references.Unusable) with { Deleted = deleted });
    }

    private async Task<RegistryAnswer<IReadOnlyList<string>>> FetchSubjectsAsync()
    {
        (Reply reply, List<string>? names) = await GetAsync("subjects", ReadNames).ConfigureAwait(false);
        return names is null ? Unusable<IReadOnlyList<string>>(reply) : RegistryAnswer<IReadOnlyList<string>>.Found(names);

        static List<string>? ReadNames(JsonElement root)
        {
            if (root.ValueKind != JsonValueKind.Array) { return null; }
            var names = new List<string>(root.GetArrayLength());
            foreach (JsonElement name in root.EnumerateArray())
            {
                if (name.ValueKind != JsonValueKind.String) { return null; }
                names.Add(name.GetString()!);
            }

            return names;
        }
    }

    /// <summary>Fetches what a schema refers to, depth first, so that each comes after what it needs itself.</summary>
    private async Task<References> ReferencesAsync(IdKey key, SchemaBody body)
    {
        if (_references.TryGetValue(key, out IReadOnlyList<ReferencedSchema>? known)) { return new References(known, null, null); }
        var ordered = new List<ReferencedSchema>();
        var seen = new HashSet<(string Subject, int Version)>();
        References result = await AddAsync(body.References, depth: 0).ConfigureAwait(false);

        // What leads nowhere today may be registered tomorrow: only what is whole is kept.
        if (result.Failure is null && result.Unusable is null) { _references[key] = ordered; }
        return result;

        async Task<References> AddAsync(IReadOnlyList<SchemaReference> references, int depth)
        {
            foreach (SchemaReference reference in references)
            {
                string subject = ContextOf(reference.Subject).Length == 0 ? key.Context + reference.Subject : reference.Subject;
                if (!seen.Add((subject, reference.Version))) { continue; }
                if (reference.Version < 1) { return new References([], $"It refers to `{reference.Subject}` without a version.", null); }
                if (seen.Count > _options.ReferencesMax || depth > 32) { return new References([], $"It refers to more than {Text(_options.ReferencesMax)} schemas.", null); }
                string path = $"subjects/{Uri.EscapeDataString(subject)}/versions/{Text(reference.Version)}?deleted=true";
                (Reply reply, SchemaBody? referenced) = await GetAsync(path, RegistryJson.Schema).ConfigureAwait(false);
                if (reply.Kind == ReplyKind.NotFound) { return new References([], $"It refers to version {Text(reference.Version)} of `{reference.Subject}`, which is not there.", null); }
                if (referenced is null) { return new References([], null, reply.Kind == ReplyKind.Json ? Garbage : reply); }
                References inner = await AddAsync(referenced.References, depth + 1).ConfigureAwait(false);
                if (inner.Failure is not null || inner.Unusable is not null) { return inner; }
                ordered.Add(new ReferencedSchema(reference.Name, subject, reference.Version, referenced.Text));
            }

            return new References(ordered, null, null);
        }
    }

    private static Reply Garbage => Reply.Unreachable("The registry's answer is not what the endpoint answers.");

    private async Task<(Reply Reply, T? Value)> GetAsync<T>(string path, Func<JsonElement, T?> read)
        where T : class
    {
        Reply reply = await _transport.GetAsync(path, _stop.Token).ConfigureAwait(false);
        T? value = null;
        if (reply.Json is JsonDocument json)
        {
            using (json)
            {
                try
                {
                    value = read(json.RootElement);
                }
                catch (InvalidOperationException)
                {
                    // A string that is no text: half a surrogate pair, or bytes that are not UTF-8.
                }
            }

            reply = reply with { Json = null };
        }

        if (reply.Kind == ReplyKind.NotFound || value is not null) { Mark(reachable: true, ""); }
        return (reply, value);
    }

    private RegistryAnswer<T> Unusable<T>(Reply reply)
        where T : class
    {
        string reason = reply.Kind == ReplyKind.Json ? Garbage.Reason : reply.Reason;
        Mark(reachable: false, reason);
        return RegistryAnswer<T>.Unreachable(reason);
    }

    private static RegistryAnswer<T> Conflict<T>(IdKey key)
        where T : class => RegistryAnswer<T>.Conflict($"The registry gives another schema for id {Text(key.Id)} than it gave before.");

    /// <summary>Keeps a schema under its id for good; false where another one is there already, which stays.</summary>
    private bool TryKeep(IdKey key, SchemaBody body, out SchemaBody kept)
    {
        kept = _bodies.GetOrAdd(key, body);
        if (!SameSchema(kept, body))
        {
            Interlocked.Increment(ref _conflicts);
            return false;
        }

        if (kept.Guid is null && body.Guid is not null)
        {
            kept = kept with { Guid = body.Guid };
            _bodies[key] = kept;
        }

        // Tags of the registry are not part of the schema, and may be added to it later. They are never taken away here.
        var tags = new Dictionary<string, IReadOnlyList<string>>(kept.Tags, StringComparer.Ordinal);
        bool more = false;
        foreach ((string pattern, IReadOnlyList<string> names) in body.Tags)
        {
            IReadOnlyList<string> known = tags.GetValueOrDefault(pattern, []);
            if (tags.ContainsKey(pattern) && names.All(known.Contains)) { continue; }
            tags[pattern] = [.. known.Union(names)];
            more = true;
        }

        if (more) { _bodies[key] = kept = kept with { Tags = tags }; }
        return true;
    }

    private static bool SameSchema(SchemaBody one, SchemaBody other)
    {
        if (one.Type != other.Type || !one.References.ToHashSet().SetEquals(other.References)) { return false; }
        if (one.Text == other.Text) { return true; }
        if (one.Type == "PROTOBUF") { return false; }
        try
        {
            // Endpoints may space a schema differently.
            using JsonDocument left = JsonDocument.Parse(one.Text);
            using JsonDocument right = JsonDocument.Parse(other.Text);
            return JsonElement.DeepEquals(left.RootElement, right.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static RegisteredSchema Compose(IdKey key, SchemaBody body, string? subject, Places? places, IReadOnlyList<ReferencedSchema> references, string? unusable) => new()
    {
        Id = key.Id,
        Guid = body.Guid,
        Type = body.Type,
        Text = body.Text,
        Tags = body.Tags,
        References = references,
        Unusable = unusable,
        Versions = places?.List ?? [],
        Version = subject is null || places is null ? 0 : places.VersionOf(subject),
    };

    private bool IsAbsent(string flight, out string reason)
    {
        reason = "";
        if (!_absent.TryGetValue(flight, out Absent known)) { return false; }
        reason = known.Reason;
        return _time.GetElapsedTime(known.Asked) < _options.NegativeTtl;
    }

    private RegistryAnswer<RegisteredSchema> Remember(string flight, string reason)
    {
        if (_absent.Count >= AbsentMax) { _absent.Clear(); }
        _absent[flight] = new Absent(reason, _time.GetTimestamp());
        return RegistryAnswer<RegisteredSchema>.NotFound(reason);
    }

    private RegistryAnswer<RegisteredSchema> Stranger(string flight, RegisteredSchema schema)
    {
        if (_foreign.Count >= AbsentMax) { _foreign.Clear(); }
        _foreign[flight] = new Foreign(schema, _time.GetTimestamp());
        return RegistryAnswer<RegisteredSchema>.Found(schema);
    }

    private void Mark(bool reachable, string reason)
    {
        RegistryHealth health = Volatile.Read(ref _health);
        if (health.Reachable != reachable) { Volatile.Write(ref _health, new RegistryHealth(reachable, reason, _time.GetUtcNow(), 0)); }
    }

    /// <summary>Runs a question once for all who ask it at the same time.</summary>
    private async Task<RegistryAnswer<T>> FlyAsync<T>(string name, Func<Task<RegistryAnswer<T>>> ask, CancellationToken cancellationToken)
        where T : class
    {
        cancellationToken.ThrowIfCancellationRequested();
        ObjectDisposedException.ThrowIf(_stop.IsCancellationRequested, this);
        Lazy<Task> flight = _flights.GetOrAdd(name, _ => new Lazy<Task>(() => Task.Run(async () =>
        {
            try
            {
                return await ask().ConfigureAwait(false);
            }
            finally
            {
                _flights.TryRemove(name, out Lazy<Task>? _);
            }
        })));
        return await ((Task<RegistryAnswer<T>>)flight.Value).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private readonly record struct IdKey(string Context, int Id);

    private readonly record struct Absent(string Reason, long Asked);

    /// <summary>A schema named by GUID, or by an id of Apicurio's, that is no version of the subject asked for.</summary>
    private sealed record Foreign(RegisteredSchema Schema, long Asked);

    private readonly record struct References(IReadOnlyList<ReferencedSchema> List, string? Unusable, Reply? Failure);

    private sealed record Places(List<SubjectVersion> List, long Asked)
    {
        public int VersionOf(string subject)
        {
            int latest = 0;
            foreach (SubjectVersion place in List)
            {
                if (place.Subject == subject && place.Version > latest) { latest = place.Version; }
            }

            return latest;
        }
    }
}
