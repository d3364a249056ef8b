using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace PolicyStreams.Schemas.Registry;

/// <summary>A refusal as Confluent's registry spells it.</summary>
internal sealed class DevProblem(int status, int code, string message) : Exception(message)
{
    public int Status { get; } = status;

    public int Code { get; } = code;

    public static DevProblem NoSubject(string subject) => new(404, 40401, $"Subject '{subject}' not found.");

    public static DevProblem NoVersion(string version) => new(404, 40402, $"Version {version} not found.");

    public static DevProblem NoSchema() => new(404, 40403, "Schema not found");

    public static DevProblem Invalid(string why) => new(422, 42201, $"Invalid schema: {why}");
}

/// <summary>A schema as a client offers it. <paramref name="Extras"/>: <c>metadata</c> and <c>ruleSet</c> as they came, kept and given back.</summary>
internal sealed record DevSchema(string Type, string Text, IReadOnlyList<SchemaReference> References, IReadOnlyDictionary<string, JsonElement> Extras)
{
    private string? _identity;

    /// <summary>The same for schemas that are the same but for spacing: what ids go by.</summary>
    public string Identity => _identity ??= Identify();

    private string Identify()
    {
        var text = new StringBuilder(Type).Append('\n').Append(Type == "PROTOBUF" ? Text : Minified(Text));
        foreach (SchemaReference reference in References)
        {
            text.Append('\n').Append(JsonSerializer.Serialize(new object[] { reference.Name, reference.Subject, reference.Version }));
        }

        foreach ((string name, JsonElement extra) in Extras.OrderBy(extra => extra.Key, StringComparer.Ordinal))
        {
            text.Append('\n').Append(name).Append(Minified(extra.GetRawText()));
        }

        return text.ToString();
    }

    private static string Minified(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            return JsonSerializer.Serialize(document.RootElement);
        }
        catch (Exception exception) when (exception is InvalidOperationException or ArgumentException or JsonException)
        {
            // Half a surrogate pair in a string: as it is spelled, then.
            return json;
        }
    }
}

/// <summary>A schema that has an id.</summary>
internal sealed record DevEntry(int Id, Guid Guid, DevSchema Schema);

/// <summary>A version of a subject.</summary>
internal sealed class DevVersion(int number, DevEntry entry)
{
    public int Number { get; } = number;

    public DevEntry Entry { get; } = entry;

    public bool Deleted { get; set; }
}

/// <summary>What the dev registry holds, in memory. Not thread-safe: callers take <see cref="Gate"/>.</summary>
internal sealed class DevStore(string compatibility, int schemasMax)
{
    private static readonly string[] _levels = ["NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"];

    private readonly SortedDictionary<string, List<DevVersion>> _subjects = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _levelBySubject = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DevEntry> _byIdentity = new(StringComparer.Ordinal);
    private readonly List<DevEntry> _entries = [];
    private string _level = CheckedLevel(compatibility);

    public Lock Gate { get; } = new();

    public string Level => _level;

    public static string CheckedLevel(string? level)
    {
        string upper = (level ?? "").ToUpperInvariant();
        return Array.IndexOf(_levels, upper) >= 0
            ? upper
            : throw new DevProblem(422, 42203, "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive");
    }

    public void SetLevel(string? subject, string level)
    {
        if (subject is null) { _level = CheckedLevel(level); }
        else { _levelBySubject[subject] = CheckedLevel(level); }
    }

    public string? OwnLevel(string subject) => _levelBySubject.GetValueOrDefault(subject);

    public void DropLevel(string subject) => _levelBySubject.Remove(subject);

    public IEnumerable<string> Subjects(bool deleted) => _subjects.Where(subject => subject.Value.Any(version => deleted || !version.Deleted)).Select(subject => subject.Key);

    public IReadOnlyList<DevVersion> Versions(string subject, bool deleted)
    {
        List<DevVersion> versions = _subjects.TryGetValue(subject, out List<DevVersion>? found) ? [.. found.Where(version => deleted || !version.Deleted)] : [];
        return versions.Count > 0 ? versions : throw DevProblem.NoSubject(subject);
    }

    public DevVersion Version(string subject, string version, bool deleted)
    {
        IReadOnlyList<DevVersion> versions = Versions(subject, deleted);
        if (version is "latest" or "-1") { return versions[^1]; }
        if (!int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number < 1)
        {
            throw new DevProblem(422, 42202, $"The specified version '{version}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"");
        }

        return versions.FirstOrDefault(candidate => candidate.Number == number) ?? throw DevProblem.NoVersion(version);
    }

    public DevEntry Entry(int id) => id >= 1 && id <= _entries.Count ? _entries[id - 1] : throw DevProblem.NoSchema();

    public DevEntry? Entry(Guid guid) => _entries.Find(entry => entry.Guid == guid);

    public int MaxId => _entries.Count;

    public IEnumerable<(string Subject, DevVersion Version)> Places(int id, bool deleted) =>
        from subject in _subjects
        from version in subject.Value
        where version.Entry.Id == id && (deleted || !version.Deleted)
        select (subject.Key, version);

    public IEnumerable<int> ReferencedBy(string subject, int version) =>
        from entry in _entries
        where entry.Schema.References.Any(reference => reference.Subject == subject && reference.Version == version) && Places(entry.Id, deleted: false).Any()
        select entry.Id;

    public DevVersion? Find(string subject, DevSchema schema, bool deleted) =>
        _subjects.TryGetValue(subject, out List<DevVersion>? versions)
            ? versions.FindLast(version => (deleted || !version.Deleted) && version.Entry.Schema.Identity == schema.Identity)
            : null;

    /// <summary>Registers a schema that is checked already; the same schema again gives the version that is there.</summary>
    public DevVersion Register(string subject, DevSchema schema)
    {
        if (Find(subject, schema, deleted: false) is DevVersion there) { return there; }
        if (!_byIdentity.TryGetValue(schema.Identity, out DevEntry? entry))
        {
            if (_entries.Count >= schemasMax) { throw new DevProblem(507, 50701, "The dev registry is full."); }
            entry = new DevEntry(_entries.Count + 1, GuidOf(schema), schema);
            _entries.Add(entry);
            _byIdentity.Add(schema.Identity, entry);
        }

        if (!_subjects.TryGetValue(subject, out List<DevVersion>? versions)) { _subjects.Add(subject, versions = []); }
        if (versions.Count >= schemasMax) { throw new DevProblem(507, 50701, "The dev registry is full."); }
        var version = new DevVersion(versions.Count == 0 ? 1 : versions[^1].Number + 1, entry);
        versions.Add(version);
        return version;
    }

    public List<int> DeleteSubject(string subject, bool permanent)
    {
        if (permanent)
        {
            IReadOnlyList<DevVersion> all = Versions(subject, deleted: true);
            if (all.Any(version => !version.Deleted)) { throw new DevProblem(404, 40405, $"Subject '{subject}' was not deleted first before being permanently deleted"); }
            _subjects.Remove(subject);
            return [.. all.Select(version => version.Number)];
        }

        List<int> numbers = [];
        foreach (DevVersion version in Versions(subject, deleted: false))
        {
            CheckUnreferenced(subject, version);
            version.Deleted = true;
            numbers.Add(version.Number);
        }

        return numbers;
    }

    public int DeleteVersion(string subject, string spelled, bool permanent)
    {
        DevVersion version = Version(subject, spelled, deleted: permanent);
        if (permanent && !version.Deleted) { throw new DevProblem(404, 40407, $"Subject '{subject}' Version {version.Number} was not deleted first before being permanently deleted"); }
        if (permanent)
        {
            _subjects[subject].Remove(version);
            if (_subjects[subject].Count == 0) { _subjects.Remove(subject); }
        }
        else
        {
            CheckUnreferenced(subject, version);
            version.Deleted = true;
        }

        return version.Number;
    }

    /// <summary>What a schema refers to, those that others need first.</summary>
    public IReadOnlyList<SchemaReferenceText> ReferencedTexts(DevSchema schema)
    {
        var texts = new List<SchemaReferenceText>();
        var seen = new HashSet<(string, int)>();
        Add(schema);
        return texts;

        void Add(DevSchema from)
        {
            foreach (SchemaReference reference in from.References)
            {
                if (!seen.Add((reference.Subject, reference.Version))) { continue; }
                DevVersion? version = _subjects.GetValueOrDefault(reference.Subject)?.Find(candidate => candidate.Number == reference.Version);
                if (version is null) { throw DevProblem.Invalid($"no schema found for the reference to version {reference.Version} of '{reference.Subject}'"); }
                Add(version.Entry.Schema);
                texts.Add(new SchemaReferenceText(reference.Name, version.Entry.Schema.Text));
            }
        }
    }

    private void CheckUnreferenced(string subject, DevVersion version)
    {
        if (ReferencedBy(subject, version.Number).Any())
        {
            throw new DevProblem(422, 42206, $"One or more references exist to the schema {{magic=1,keytype=SCHEMA,subject={subject},version={version.Number}}}.");
        }
    }

    private static Guid GuidOf(DevSchema schema)
    {
        // The same schema has the same GUID in every run, as registries promise across clusters.
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(Encoding.UTF8.GetBytes(schema.Identity), hash);
        hash[6] = (byte)((hash[6] & 0x0F) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }
}
