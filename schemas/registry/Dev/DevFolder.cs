using System.Globalization;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.JsonSchema;
using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Schemas.Registry;

/// <summary>
/// Registers a folder's schema files. What they import (Protobuf) or refer to (JSON Schema) by a path in the folder is registered first, and is a reference of theirs: a file in the folder itself under its own subject, one in
/// a folder below under its path, as stock serializers name the subjects of references. Compatibility is not asked for: what lies in the folder is the owner's word.
/// </summary>
internal sealed class DevFolder
{
    private readonly DevStore _store;
    private readonly string _folder;
    private readonly List<SchemaFile> _files;
    private readonly Dictionary<string, (string Subject, int Version)> _registered = new(StringComparer.Ordinal);
    private readonly HashSet<string> _open = new(StringComparer.Ordinal);

    private DevFolder(DevStore store, string folder)
    {
        _store = store;
        _folder = folder;
        try
        {
            _files = [.. Directory.EnumerateFiles(folder).Select(path => SchemaFile.Of(Path.GetFileName(path))).OfType<SchemaFile>().OrderBy(file => file.Subject, StringComparer.Ordinal).ThenBy(file => file.Version)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SchemaException($"The schema folder `{folder}` cannot be read.");
        }
    }

    /// <exception cref="SchemaException">A file cannot be read or registered; the message names it.</exception>
    public static void Load(DevStore store, string folder)
    {
        var loader = new DevFolder(store, folder);
        foreach (SchemaFile file in loader._files) { loader.Register(file); }
    }

    private (string Subject, int Version) Register(SchemaFile file)
    {
        if (_registered.TryGetValue(file.Name, out (string, int) done)) { return done; }
        string path = Path.Combine(_folder, file.Name);
        if (!_open.Add(file.Name)) { throw new SchemaException($"{path}: it and what it refers to refer to one another; a registry takes a schema only after those that it refers to."); }

        // A subject's versions come in their order, also where a later one is referred to first.
        foreach (SchemaFile earlier in _files.Where(other => other.Subject == file.Subject && other.Version < file.Version && !_open.Contains(other.Name))) { Register(earlier); }
        try
        {
            string text = Read(file.Name) ?? throw new SchemaException($"{path}: the file is not there.");
            var schema = new DevSchema(file.Type, text, [.. References(file.Type, text)], new Dictionary<string, JsonElement>());
            DevSchemas.Check(schema, _store.ReferencedTexts(schema));
            _registered[file.Name] = (file.Subject, _store.Register(file.Subject, schema).Number);
        }
        catch (DevProblem problem)
        {
            throw new SchemaException($"{path}: {problem.Message}");
        }

        _open.Remove(file.Name);
        return _registered[file.Name];
    }

    private IEnumerable<SchemaReference> References(string type, string text)
    {
        foreach ((string name, string file) in Names(type, text))
        {
            (string subject, int version) = Register(_files.Find(own => own.Name == file) ?? new SchemaFile(file, file, 0, type));
            yield return new SchemaReference(name, subject, version);
        }
    }

    /// <summary>What a schema refers to that lies in the folder, by the name that leads there and its path.</summary>
    private List<(string Name, string File)> Names(string type, string text)
    {
        try
        {
            if (type == "PROTOBUF") { return [.. ProtobufSchema.Imports(text).Distinct(StringComparer.Ordinal).Where(import => Read(import) is not null).Select(import => (import, import))]; }
            if (type != "JSON") { return []; }
            var files = new List<string>();
            ValidatedJson parsed = ValidatedJson.Parse(text, file =>
            {
                string? found = Read(file);
                if (found is not null) { files.Add(file); }
                return found;
            });
            return [.. parsed.References.Select((reference, i) => (reference.Name, files[i]))];
        }
        catch (SchemaException)
        {
            // The check says what is wrong with it. A JSON Schema of another draft is taken as it is: this registry need not understand it.
            return [];
        }
    }

    /// <summary>A file's text by its path relative to the folder; null where there is none in it.</summary>
    private string? Read(string relative)
    {
        if (relative.Length == 0 || relative[0] == '/' || relative.Contains('\\', StringComparison.Ordinal) || relative.Split('/').Contains("..")) { return null; }
        string path = Path.Combine(_folder, relative);
        try
        {
            return File.Exists(path) ? File.ReadAllText(path, Encoding.UTF8) : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw DevProblem.Invalid($"the file `{relative}` cannot be read");
        }
    }

    /// <param name="Name">Its path relative to the folder.</param>
    /// <param name="Version">The number in its name; 0 without one.</param>
    private sealed record SchemaFile(string Name, string Subject, int Version, string Type)
    {
        public static SchemaFile? Of(string name)
        {
            string? type = Path.GetExtension(name) switch { ".avsc" => "AVRO", ".json" => "JSON", ".proto" => "PROTOBUF", _ => null };
            if (type is null) { return null; }
            string subject = Path.GetFileNameWithoutExtension(name);
            int dot = subject.LastIndexOf(".v", StringComparison.Ordinal);
            bool versioned = dot > 0 && int.TryParse(subject.AsSpan(dot + 2), NumberStyles.None, CultureInfo.InvariantCulture, out _);
            int version = versioned ? int.Parse(subject.AsSpan(dot + 2), NumberStyles.None, CultureInfo.InvariantCulture) : 0;
            return new SchemaFile(name, versioned ? subject[..dot] : subject, version, type);
        }
    }
}
