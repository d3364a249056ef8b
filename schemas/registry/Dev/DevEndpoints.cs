using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace PolicyStreams.Schemas.Registry;

/// <summary>The REST API, as far as stock serializers and their tools use it.</summary>
internal static class DevEndpoints
{
    private const string ContentType = "application/vnd.schemaregistry.v1+json";

    public static void MapDevRegistry(this IEndpointRouteBuilder app, DevStore store)
    {
        Get("/", _ => new JsonObject());
        Get("/schemas/types", _ => new JsonArray("JSON", "PROTOBUF", "AVRO"));
        Get("/contexts", _ => new JsonArray("."));
        Get("/mode", _ => new JsonObject { ["mode"] = "READWRITE" });
        Get("/mode/{subject}", _ => new JsonObject { ["mode"] = "READWRITE" });
        Get("/schemas", context => Array(
            from subject in store.Subjects(Deleted(context))
            let versions = store.Versions(subject, Deleted(context))
            from version in Flag(context, "latestOnly") ? versions.TakeLast(1) : versions
            where subject.StartsWith(Query(context, "subjectPrefix") ?? "", StringComparison.Ordinal)
            select Described(subject, version)));
        Get("/schemas/ids/{id}", context =>
        {
            JsonObject schema = Described(store.Entry(Id(context)));
            if (Flag(context, "fetchMaxId")) { schema["maxId"] = store.MaxId; }
            return schema;
        });
        Get("/schemas/ids/{id}/schema", context => Raw(store.Entry(Id(context)).Schema));
        Get("/schemas/ids/{id}/subjects", context => Array(Places(context).Select(place => (JsonNode?)place.Subject).DistinctBy(subject => (string?)subject)));
        Get("/schemas/ids/{id}/versions", context => Array(Places(context).Select(place => new JsonObject { ["subject"] = place.Subject, ["version"] = place.Version.Number })));
        Get("/schemas/guids/{guid}", context => Described(EntryOfGuid(context) ?? throw DevProblem.NoSchema()));
        Get("/schemas/guids/{guid}/ids", context => EntryOfGuid(context) is DevEntry entry ? new JsonArray(new JsonObject { ["context"] = ".", ["id"] = entry.Id }) : new JsonArray());

        Get("/subjects", context => Array(
            store.Subjects(Deleted(context)).Where(subject => subject.StartsWith(Query(context, "subjectPrefix") ?? "", StringComparison.Ordinal)).Select(subject => (JsonNode?)subject)));
        Get("/subjects/{subject}/versions", context => Numbers(store.Versions(Subject(context), Deleted(context)).Select(version => version.Number)));
        Get("/subjects/{subject}/versions/{version}", context => Described(Subject(context), VersionOf(context)));
        Get("/subjects/{subject}/versions/{version}/schema", context => Raw(VersionOf(context).Entry.Schema));
        Get("/subjects/{subject}/versions/{version}/referencedby", context => Numbers(store.ReferencedBy(Subject(context), VersionOf(context).Number)));
        Send("POST", "/subjects/{subject}/versions", Register);
        Send("POST", "/subjects/{subject}", LookUp);
        Send("DELETE", "/subjects/{subject}", (context, _) => Numbers(store.DeleteSubject(Subject(context), Flag(context, "permanent"))));
        Send("DELETE", "/subjects/{subject}/versions/{version}", (context, _) => JsonValue.Create(store.DeleteVersion(Subject(context), Route(context, "version"), Flag(context, "permanent"))));

        Send("POST", "/compatibility/subjects/{subject}/versions/{version}", (context, body) =>
            Compatibility(context, body, (subject) => [store.Version(subject, Route(context, "version"), deleted: false)]));
        Send("POST", "/compatibility/subjects/{subject}/versions", (context, body) => Compatibility(context, body, Earlier));

        Get("/config", _ => new JsonObject { ["compatibilityLevel"] = store.Level });
        Get("/config/{subject}", context => new JsonObject
        {
            ["compatibilityLevel"] = store.OwnLevel(Subject(context)) ?? (Flag(context, "defaultToGlobal") ? store.Level
                : throw new DevProblem(404, 40408, $"Subject '{Subject(context)}' does not have subject-level compatibility configured")),
        });
        Send("PUT", "/config", (_, body) => SetLevel(null, body));
        Send("PUT", "/config/{subject}", (context, body) => SetLevel(Subject(context), body));
        Send("DELETE", "/config/{subject}", (context, _) =>
        {
            string level = store.OwnLevel(Subject(context)) ?? throw DevProblem.NoSubject(Subject(context));
            store.DropLevel(Subject(context));
            return JsonValue.Create(level);
        });

        void Get(string pattern, Func<HttpContext, JsonNode?> answer) => app.MapGet(pattern, context => AnswerAsync(context, store, answer));

        void Send(string method, string pattern, Func<HttpContext, JsonElement, JsonNode?> answer) => app.MapMethods(pattern, [method], async context =>
        {
            using JsonDocument? body = await BodyAsync(context).ConfigureAwait(false);
            if (body is null) { return; }
            await AnswerAsync(context, store, inner => answer(inner, body.RootElement)).ConfigureAwait(false);
        });

        IEnumerable<(string Subject, DevVersion Version)> Places(HttpContext context) => store.Places(store.Entry(Id(context)).Id, Deleted(context));

        DevEntry? EntryOfGuid(HttpContext context) => Guid.TryParse(Route(context, "guid"), out Guid guid) ? store.Entry(guid) : null;

        DevVersion VersionOf(HttpContext context) => store.Version(Subject(context), Route(context, "version"), Deleted(context));

        IReadOnlyList<DevVersion> Earlier(string subject) => store.Subjects(deleted: false).Contains(subject) ? store.Versions(subject, deleted: false) : [];

        JsonNode Register(HttpContext context, JsonElement body)
        {
            string subject = Subject(context);
            DevSchema schema = Offered(body);
            DevVersion version = store.Find(subject, schema, deleted: false) ?? RegisterNew(store, subject, schema);
            return Described(subject, version);
        }

        JsonNode LookUp(HttpContext context, JsonElement body)
        {
            string subject = Subject(context);
            DevSchema schema = Offered(body);
            bool deleted = Deleted(context);
            store.Versions(subject, deleted);
            return Described(subject, store.Find(subject, schema, deleted) ?? throw DevProblem.NoSchema());
        }

        JsonObject Compatibility(HttpContext context, JsonElement body, Func<string, IReadOnlyList<DevVersion>> against)
        {
            string subject = Subject(context);
            DevSchema schema = Offered(body);
            string level = store.OwnLevel(subject) ?? store.Level;
            List<string> problems = DevSchemas.Incompatibilities(level, schema, against(subject), store.ReferencedTexts);
            var answer = new JsonObject { ["is_compatible"] = problems.Count == 0 };
            if (Flag(context, "verbose")) { answer["messages"] = Array(problems.Select(problem => (JsonNode?)problem)); }
            return answer;
        }

        JsonObject SetLevel(string? subject, JsonElement body)
        {
            string? level = body.ValueKind == JsonValueKind.Object && body.TryGetProperty("compatibility", out JsonElement given) && given.ValueKind == JsonValueKind.String ? given.GetString() : null;
            store.SetLevel(subject, level ?? "");
            return new JsonObject { ["compatibility"] = level!.ToUpperInvariant() };
        }
    }

    /// <summary>Checks and registers a schema that the subject does not have.</summary>
    public static DevVersion RegisterNew(DevStore store, string subject, DevSchema schema)
    {
        DevSchemas.Check(schema, store.ReferencedTexts(schema));
        IReadOnlyList<DevVersion> earlier = store.Subjects(deleted: false).Contains(subject) ? store.Versions(subject, deleted: false) : [];
        List<string> problems = DevSchemas.Incompatibilities(store.OwnLevel(subject) ?? store.Level, schema, earlier, store.ReferencedTexts);
        if (problems.Count > 0)
        {
            throw new DevProblem(409, 409, $"Schema being registered is incompatible with an earlier schema for subject \"{subject}\", details: [{string.Join(", ", problems)}]");
        }

        return store.Register(subject, schema);
    }

    private static async Task AnswerAsync(HttpContext context, DevStore store, Func<HttpContext, JsonNode?> answer)
    {
        JsonNode? node;
        try
        {
            lock (store.Gate) { node = answer(context); }
        }
        catch (DevProblem problem)
        {
            await WriteProblemAsync(context, problem).ConfigureAwait(false);
            return;
        }
        catch (InvalidOperationException)
        {
            await WriteProblemAsync(context, DevProblem.Invalid("a text in the request has half a surrogate pair")).ConfigureAwait(false);
            return;
        }

        context.Response.ContentType = ContentType;
        await context.Response.WriteAsync(node?.ToJsonString() ?? "null", context.RequestAborted).ConfigureAwait(false);
    }

    public static Task WriteProblemAsync(HttpContext context, DevProblem problem)
    {
        context.Response.StatusCode = problem.Status;
        context.Response.ContentType = ContentType;
        return context.Response.WriteAsync(new JsonObject { ["error_code"] = problem.Code, ["message"] = problem.Message }.ToJsonString(), context.RequestAborted);
    }

    /// <summary>The body; an empty object where there is none, null where the request was answered with what is wrong with it.</summary>
    private static async Task<JsonDocument?> BodyAsync(HttpContext context)
    {
        try
        {
            if (context.Request.ContentLength is null or 0 && context.Request.Method == "DELETE") { return JsonDocument.Parse("{}"); }
            return await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted).ConfigureAwait(false);
        }
        catch (JsonException)
        {
            await WriteProblemAsync(context, new DevProblem(400, 400, "The request's body is not JSON.")).ConfigureAwait(false);
        }
        catch (BadHttpRequestException exception)
        {
            string message = exception.StatusCode == StatusCodes.Status413PayloadTooLarge ? "The request's body is too large." : "The request is malformed.";
            await WriteProblemAsync(context, new DevProblem(exception.StatusCode, exception.StatusCode, message)).ConfigureAwait(false);
        }

        return null;
    }

    private static DevSchema Offered(JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object || RegistryJson.Schema(body) is not SchemaBody offered) { throw DevProblem.Invalid("the request must be an object with a `schema` string"); }
        var extras = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (string name in (string[])["metadata", "ruleSet"])
        {
            if (body.TryGetProperty(name, out JsonElement extra) && extra.ValueKind == JsonValueKind.Object) { extras[name] = extra.Clone(); }
        }

        var schema = new DevSchema(offered.Type, offered.Text, offered.References, extras);
        if (schema.Type != "PROTOBUF") { DevSchemas.CheckJson(schema.Text); }
        return schema;
    }

    private static JsonObject Described(string subject, DevVersion version)
    {
        var described = new JsonObject { ["subject"] = subject, ["version"] = version.Number, ["id"] = version.Entry.Id };
        foreach ((string name, JsonNode? value) in Described(version.Entry)) { described[name] = value?.DeepClone(); }
        return described;
    }

    private static JsonObject Described(DevEntry entry)
    {
        DevSchema schema = entry.Schema;
        var described = new JsonObject { ["guid"] = entry.Guid.ToString() };
        if (schema.Type != "AVRO") { described["schemaType"] = schema.Type; }
        if (schema.References.Count > 0)
        {
            described["references"] = Array(schema.References.Select(reference =>
                new JsonObject { ["name"] = reference.Name, ["subject"] = reference.Subject, ["version"] = reference.Version }));
        }

        foreach ((string name, JsonElement extra) in schema.Extras) { described[name] = JsonNode.Parse(extra.GetRawText()); }
        described["schema"] = schema.Text;
        return described;
    }

    /// <summary>The bare schema: JSON as JSON, Protobuf as a JSON string.</summary>
    private static JsonNode? Raw(DevSchema schema) => schema.Type == "PROTOBUF" ? JsonValue.Create(schema.Text) : JsonNode.Parse(schema.Text);

    private static JsonArray Array(IEnumerable<JsonNode?> nodes) => [.. nodes];

    private static JsonArray Numbers(IEnumerable<int> numbers) => Array(numbers.Select(number => (JsonNode?)number));

    private static string Route(HttpContext context, string name) => (string)context.Request.RouteValues[name]!;

    /// <summary>The subject of the route, in the default context: the only one there is.</summary>
    private static string Subject(HttpContext context)
    {
        // The server leaves an escaped slash as it is.
        string subject = Route(context, "subject").Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        if (subject.StartsWith(":.:", StringComparison.Ordinal)) { return subject[3..]; }
        return subject.StartsWith(":.", StringComparison.Ordinal) ? throw new DevProblem(422, 42201, "The dev registry has the default context only.") : subject;
    }

    private static int Id(HttpContext context) =>
        int.TryParse(Route(context, "id"), NumberStyles.None, CultureInfo.InvariantCulture, out int id) ? id : throw DevProblem.NoSchema();

    private static string? Query(HttpContext context, string name) => context.Request.Query[name];

    private static bool Flag(HttpContext context, string name) => string.Equals(Query(context, name), "true", StringComparison.OrdinalIgnoreCase);

    private static bool Deleted(HttpContext context) => Flag(context, "deleted");
}
