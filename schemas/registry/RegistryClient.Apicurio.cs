using System.Text.Json;

namespace PolicyStreams.Schemas.Registry;

/// <summary>
/// Ids of Apicurio's own serializers. Apicurio has two numbers for a version, its global id and its content id, and they drift apart once a text is registered twice. Its Confluent API answers
/// by one of them, as it is configured; which number a version has as the other, only its core API tells.
/// </summary>
public sealed partial class RegistryClient
{
    // Beside the Confluent API, under one root: …/apis/ccompat/v7 and …/apis/registry/v2.
    private const string CoreApi = "../../registry/v2/";

    // Where these ids count. No subject has such a context.
    private const string GlobalIds = "global";
    private const string ContentIds = "content";

    public ISchemaRegistry By(SchemaIds ids) => ids == SchemaIds.Registry ? this : new ApicurioRegistry(this, ids);

    private async Task<RegistryAnswer<IReadOnlyList<RegisteredSchema>>> FetchSubjectAsync(string subject, SchemaIds ids)
    {
        RegistryAnswer<IReadOnlyList<RegisteredSchema>> answer = await FetchSubjectAsync(subject).ConfigureAwait(false);
        if (!answer.IsFound) { return answer; }
        var versions = new List<RegisteredSchema>(answer.Value.Count);
        foreach (RegisteredSchema[] chunk in answer.Value.Chunk(ParallelMax))
        {
            foreach (RegistryAnswer<RegisteredSchema> version in await Task.WhenAll(chunk.Select(version => NumberAsync(subject, version, ids))).ConfigureAwait(false))
            {
                if (!version.IsFound) { return version.As<IReadOnlyList<RegisteredSchema>>(); }
                versions.Add(version.Value);
            }
        }

        return RegistryAnswer<IReadOnlyList<RegisteredSchema>>.Found(versions);
    }

    /// <summary>The same version with its id of the kind asked for.</summary>
    private async Task<RegistryAnswer<RegisteredSchema>> NumberAsync(string subject, RegisteredSchema version, SchemaIds ids)
    {
        string path = $"{CoreApi}groups/default/artifacts/{Uri.EscapeDataString(subject)}/versions/{Text(version.Version)}/meta";
        (Reply reply, ApicurioIds? numbers) = await GetAsync(path, RegistryJson.Apicurio).ConfigureAwait(false);
        if (numbers is null) { return Unusable<RegisteredSchema>(OfCoreApi(reply)); }
        if (version.Id != numbers.Content && version.Id != numbers.Global)
        {
            return Unusable<RegisteredSchema>(Reply.Unreachable("The registry's two APIs speak of different schemas."));
        }

        // What an id means never changes, whichever API says it.
        SchemaBody body = _bodies[new IdKey(ContextOf(subject), version.Id)];
        var global = new IdKey(GlobalIds, numbers.Global);
        var content = new IdKey(ContentIds, numbers.Content);
        if (!TryKeep(global, body, out _)) { return Conflict<RegisteredSchema>(global); }
        if (!TryKeep(content, body, out _)) { return Conflict<RegisteredSchema>(content); }
        bool untold = ids == SchemaIds.Either && numbers.Global != numbers.Content && !version.Deleted;
        return RegistryAnswer<RegisteredSchema>.Found(version with
        {
            Id = ids == SchemaIds.Global ? numbers.Global : numbers.Content,
            Unusable = untold
                ? $"Apicurio's serializers name it by global id {Text(numbers.Global)} or by content id {Text(numbers.Content)}, and the binding does not say by which: `schema_ids: global` or `schema_ids: content`"
                : version.Unusable,
        });
    }

    private async Task<RegistryAnswer<RegisteredSchema>> FetchByIdAsync(int id, string subject, SchemaIds ids, string flight)
    {
        if (IsAbsent(flight, out string? absence)) { return RegistryAnswer<RegisteredSchema>.NotFound(absence); }
        bool exists = false;
        string none = "";
        foreach (string kind in (string[])(ids switch { SchemaIds.Global => [GlobalIds], SchemaIds.Content => [ContentIds], _ => [GlobalIds, ContentIds] }))
        {
            // Answered with JSON whatever the schema's format is.
            (Reply reply, string? found) = await GetAsync($"{CoreApi}ids/{kind}Ids/{Text(id)}/references", static root => root.ValueKind == JsonValueKind.Array ? "" : null).ConfigureAwait(false);
            if (found is null && reply.Kind != ReplyKind.NotFound) { return Unusable<RegisteredSchema>(OfCoreApi(reply)); }
            exists |= found is not null;
            none = reply.Reason;
        }

        if (!exists) { return Remember(flight, none); }

        if (_foreign.TryGetValue(flight, out Foreign? foreign) && _time.GetElapsedTime(foreign.Asked) < _options.NegativeTtl) { return RegistryAnswer<RegisteredSchema>.Found(foreign.Schema); }
        RegistryAnswer<IReadOnlyList<RegisteredSchema>> listed = await FetchSubjectAsync(subject, ids).ConfigureAwait(false);
        if (!listed.IsFound && listed.Kind != RegistryAnswerKind.NotFound) { return listed.As<RegisteredSchema>(); }
        if ((listed.Value ?? []).LastOrDefault(version => version.Id == id && !version.Deleted) is { } own) { return RegistryAnswer<RegisteredSchema>.Found(own); }
        return Stranger(flight, new RegisteredSchema { Id = id, Text = "" });
    }

    private static Reply OfCoreApi(Reply reply) => reply.Kind is ReplyKind.NoEndpoint or ReplyKind.NotFound
        ? Reply.Unreachable($"{reply.Reason} Which ids Apicurio's serializers write is asked for at its core API, `{CoreApi}` beside the URL that is given.")
        : reply;

    /// <summary>This registry by the ids of Apicurio's serializers.</summary>
    private sealed class ApicurioRegistry(RegistryClient client, SchemaIds ids) : ISchemaRegistry
    {
        public Task<RegistryAnswer<RegisteredSchema>> GetByIdAsync(int id, string? subject, CancellationToken cancellationToken)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(id, 1);
            ArgumentException.ThrowIfNullOrEmpty(subject);
            string flight = $"{ids} id {Text(id)} {subject}";
            return client.FlyAsync(flight, () => client.FetchByIdAsync(id, subject, ids, flight), cancellationToken);
        }

        public Task<RegistryAnswer<RegisteredSchema>> GetByGuidAsync(Guid guid, string? subject, CancellationToken cancellationToken) =>
            throw new NotSupportedException("Apicurio's serializers write no GUIDs.");

        public Task<RegistryAnswer<IReadOnlyList<RegisteredSchema>>> GetSubjectAsync(string subject, CancellationToken cancellationToken)
        {
            ArgumentException.ThrowIfNullOrEmpty(subject);
            return client.FlyAsync($"{ids} subject {subject}", () => client.FetchSubjectAsync(subject, ids), cancellationToken);
        }

        public ISchemaRegistry By(SchemaIds other) => client.By(other);
    }
}
