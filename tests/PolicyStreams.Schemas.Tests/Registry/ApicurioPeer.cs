using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace PolicyStreams.Schemas.Tests;

/// <summary>Apicurio at the wire with both of its APIs. It gives out ids as the real one does: a global id to each version, a content id to each text.</summary>
internal sealed class ApicurioPeer : IAsyncDisposable
{
    private readonly List<Entry> _entries = [];
    private ScriptedPeer _peer = null!;

    /// <summary>Of its Confluent API.</summary>
    public string Url => _peer.Url + "/apis/ccompat/v7";

    public IReadOnlyCollection<string> Requests => _peer.Requests;

    /// <summary>Its Confluent API answers by global id (<c>registry.ccompat.legacy-id-mode.enabled</c>).</summary>
    public bool LegacyIds { get; set; }

    public bool HasCoreApi { get; set; } = true;

    public static async Task<ApicurioPeer> StartAsync()
    {
        var apicurio = new ApicurioPeer();
        apicurio._peer = await ScriptedPeer.StartAsync(apicurio.AnswerAsync);
        return apicurio;
    }

    /// <summary>A new version of the subject, also where the text is there already.</summary>
    public (int Global, int Content) Register(string subject, string schema)
    {
        int content = _entries.Find(entry => entry.Schema == schema)?.Content ?? _entries.Select(entry => entry.Content).Append(0).Max() + 1;
        var entry = new Entry(subject, _entries.Count(entry => entry.Subject == subject) + 1, _entries.Count + 1, content, schema);
        _entries.Add(entry);
        return (entry.Global, entry.Content);
    }

    /// <summary>Made anew, with nothing in it.</summary>
    public void Clear() => _entries.Clear();

    public ValueTask DisposeAsync() => _peer.DisposeAsync();

    private Task AnswerAsync(HttpContext context)
    {
        string[] path = context.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return path switch
        {
            ["apis", "ccompat", "v7", "subjects", string subject, "versions"] => Versions(context, subject),
            ["apis", "ccompat", "v7", "subjects", string subject, "versions", string version] => Version(context, Find(subject, version)),
            ["apis", "registry", "v2", "groups", "default", "artifacts", string subject, "versions", string version, "meta"] when HasCoreApi => Meta(context, Find(subject, version)),
            ["apis", "registry", "v2", "ids", "globalIds", string id, "references"] when HasCoreApi => References(context, "Artifact", _entries.Exists(entry => Text(entry.Global) == id)),
            ["apis", "registry", "v2", "ids", "contentIds", string id, "references"] when HasCoreApi => References(context, "Content", _entries.Exists(entry => Text(entry.Content) == id)),
            _ => Absent(context, ""),
        };
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private Entry? Find(string subject, string version) => _entries.Find(entry => entry.Subject == subject && Text(entry.Version) == version);

    private Task Versions(HttpContext context, string subject)
    {
        int[] versions = [.. _entries.Where(entry => entry.Subject == subject).Select(entry => entry.Version)];
        return versions.Length == 0 ? ScriptedPeer.NotFound(context, 40401) : ScriptedPeer.Json(context, JsonSerializer.Serialize(versions));
    }

    private Task Version(HttpContext context, Entry? entry) => entry is null
        ? ScriptedPeer.NotFound(context, 40402)
        : ScriptedPeer.Json(context, JsonSerializer.Serialize(new { subject = entry.Subject, version = entry.Version, id = LegacyIds ? entry.Global : entry.Content, schema = entry.Schema }));

    private static Task Meta(HttpContext context, Entry? entry) => entry is null
        ? Absent(context, "Version")
        : ScriptedPeer.Json(context, JsonSerializer.Serialize(new { id = entry.Subject, version = Text(entry.Version), type = "AVRO", state = "ENABLED", globalId = entry.Global, contentId = entry.Content }));

    private static Task References(HttpContext context, string kind, bool there) => there ? ScriptedPeer.Json(context, "[]") : Absent(context, kind);

    private static Task Absent(HttpContext context, string kind) => ScriptedPeer.Json(context, JsonSerializer.Serialize(new { message = "none", error_code = 404, name = kind + "NotFoundException" }), 404);

    private sealed record Entry(string Subject, int Version, int Global, int Content, string Schema);
}
