using System.Collections.Concurrent;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules;

/// <summary>What a binding knows of the schemas that its values, or its keys, name: writers by id and GUID, refused ones among them. Thread-safe.</summary>
/// <param name="compile">Makes the writer of a version; throws <see cref="SchemaException"/> where its schema cannot be compiled.</param>
/// <param name="pinned">True where no frame names a schema: the checked version is everybody's.</param>
/// <param name="checkedVersion">Number of the version that unframed records are read by.</param>
internal sealed class WriterTable(Func<SchemaVersion, Writer> compile, bool pinned, int checkedVersion) : IFrameRivals
{
    /// <summary>Refused ids that are remembered: records name ids freely, memory is not theirs to fill.</summary>
    private const int RefusalsMax = 10_000;

    private readonly ConcurrentDictionary<int, Writer> _writers = new();
    private readonly ConcurrentDictionary<Guid, Writer> _guids = new();
    private readonly ConcurrentDictionary<int, Guid> _guidOfId = new();
    private int _refusals;

    /// <summary>True where records carry no frame: the one schema there is has no id.</summary>
    public bool Unframed { get; private set; }

    /// <summary>The writer of unframed records.</summary>
    public Writer? Only { get; private set; }

    public SchemaIdStanding Standing(int id, out Guid? guid)
    {
        guid = _guidOfId.TryGetValue(id, out Guid known) ? known : null;
        if (guid is not null) { return SchemaIdStanding.Present; }
        if (!_writers.TryGetValue(id, out Writer? writer)) { return SchemaIdStanding.Unknown; }
        return writer.Absent ? SchemaIdStanding.Absent : SchemaIdStanding.Present;
    }

    public Writer? Find(in SchemaRef schema) => schema.Kind switch
    {
        SchemaRefKind.Guid => _guids.GetValueOrDefault(schema.Guid),
        SchemaRefKind.Id when schema.Id > int.MaxValue => Refused(0, WriterAdmission.UnknownId),
        SchemaRefKind.Id => _writers.GetValueOrDefault((int)schema.Id),
        _ => Only,
    };

    /// <summary>Compiles a version of the subject; a schema that cannot be compiled is refused.</summary>
    public Writer Admit(SchemaVersion version)
    {
        Writer writer;
        try { writer = compile(version); }
        catch (SchemaException) { writer = Refused(version.Id, WriterAdmission.Unusable); }
        if (version.Guid is { } guid) { Link(version.Id, guid, writer); }
        _writers[version.Id] = writer;

        // Without ids there are no frames; and a binding that is not framed at all takes every value for its checked schema's.
        if (version.Id == 0 || pinned)
        {
            Unframed = true;
            if (version.Version == checkedVersion) { Only = writer; }
        }

        return writer;
    }

    public void Add(int schemaId, WriterAdmission admission, SchemaVersion? version)
    {
        if (admission == WriterAdmission.Admitted && version is not null)
        {
            if (!_writers.TryGetValue(schemaId, out Writer? known) || known.Refusal is not null) { Admit(version with { Id = schemaId }); }
            return;
        }

        if (_writers.TryGetValue(schemaId, out Writer? good) && good.Refusal is null) { return; }
        MakeRoom();
        _writers[schemaId] = Refused(schemaId, admission);
    }

    public void Add(Guid guid, int schemaId, WriterAdmission admission, SchemaVersion? version)
    {
        if (schemaId > 0) { _guidOfId.TryAdd(schemaId, guid); }
        Add(schemaId, admission, version);
        if (_writers.TryGetValue(schemaId, out Writer? writer)) { _guids[guid] = writer; }
        else
        {
            MakeRoom();
            _guids[guid] = Refused(schemaId, admission);
        }
    }

    /// <summary>Takes over which GUID is which id's, from the table that this one replaces: frames that name one are not asked for again.</summary>
    public void TakeGuids(WriterTable before)
    {
        foreach ((int id, Guid guid) in before._guidOfId)
        {
            if (_writers.TryGetValue(id, out Writer? writer)) { Link(id, guid, writer); }
        }
    }

    public void ForgetRefusals()
    {
        foreach (KeyValuePair<int, Writer> entry in _writers)
        {
            if (entry.Value.Refusal is not null && !entry.Value.RefusedForGood) { _writers.TryRemove(entry); }
        }

        foreach (KeyValuePair<Guid, Writer> entry in _guids)
        {
            if (entry.Value.Refusal is not null && !entry.Value.RefusedForGood) { _guids.TryRemove(entry); }
        }

        Volatile.Write(ref _refusals, 0);
    }

    // Before the id is known: one that is, without its GUID, agrees with none. The first GUID stays, as the id's schema does.
    private void Link(int id, Guid guid, Writer writer)
    {
        _guidOfId.TryAdd(id, guid);
        _guids[guid] = writer;
    }

    private void MakeRoom()
    {
        if (Interlocked.Increment(ref _refusals) > RefusalsMax) { ForgetRefusals(); }
    }

    private static Writer Refused(int schemaId, WriterAdmission admission) => new()
    {
        SchemaId = schemaId,
        Absent = admission == WriterAdmission.UnknownId,
        Refusal = admission switch { WriterAdmission.NotAdmitted => "not-a-version", WriterAdmission.UnknownId => "unknown-schema-id", WriterAdmission.OtherFormat => "other-format", _ => "unusable-schema" },
    };
}
