namespace PolicyStreams.Schemas.JsonSchema;

/// <summary>URIs of schemas as plain text: resolving one against another (RFC 3986, 5.2). Nothing is ever fetched by them.</summary>
internal static class UriReference
{
    /// <summary>Splits off the fragment; null where there is none.</summary>
    public static (string Uri, string? Fragment) Split(string reference)
    {
        int hash = reference.IndexOf('#', StringComparison.Ordinal);
        return hash < 0 ? (reference, null) : (reference[..hash], reference[(hash + 1)..]);
    }

    /// <summary>The reference (without a fragment) as seen from a base.</summary>
    public static string Resolve(string baseUri, string reference)
    {
        if (reference.Length == 0) { return baseUri; }
        Parts given = Parts.Of(reference);
        Parts origin = Parts.Of(baseUri);
        if (given.Scheme is not null) { return (given with { Path = WithoutDots(given.Path) }).ToString(); }

        // A URN has no hierarchy to resolve in.
        if (origin.Scheme is not null && origin.Authority is null && !origin.Path.StartsWith('/')) { return reference; }
        if (given.Authority is not null) { return (given with { Scheme = origin.Scheme, Path = WithoutDots(given.Path) }).ToString(); }
        if (given.Path.Length == 0) { return (origin with { Query = given.Query ?? origin.Query }).ToString(); }
        string path = given.Path[0] == '/' ? given.Path
            : origin.Authority is not null && origin.Path.Length == 0 ? "/" + given.Path
            : origin.Path[..(origin.Path.LastIndexOf('/') + 1)] + given.Path;
        return (origin with { Path = WithoutDots(path), Query = given.Query }).ToString();
    }

    private static string WithoutDots(string path)
    {
        if (!path.Contains('.', StringComparison.Ordinal)) { return path; }
        var kept = new List<string>();
        string[] segments = path.Split('/');
        for (int i = 0; i < segments.Length; i++)
        {
            bool last = i == segments.Length - 1;
            switch (segments[i])
            {
                case ".":
                    if (last) { kept.Add(""); }
                    break;
                case "..":
                    if (kept.Count > 0 && !(kept.Count == 1 && kept[0].Length == 0)) { kept.RemoveAt(kept.Count - 1); }
                    if (last) { kept.Add(""); }
                    break;
                default:
                    kept.Add(segments[i]);
                    break;
            }
        }

        return string.Join('/', kept);
    }

    private sealed record Parts(string? Scheme, string? Authority, string Path, string? Query)
    {
        public static Parts Of(string uri)
        {
            string? scheme = null, authority = null, query = null;
            int colon = uri.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && char.IsAsciiLetter(uri[0]) && uri.AsSpan(0, colon).IndexOfAny('/', '?') < 0)
            {
                scheme = uri[..colon];
                uri = uri[(colon + 1)..];
            }

            int mark = uri.IndexOf('?', StringComparison.Ordinal);
            if (mark >= 0)
            {
                query = uri[(mark + 1)..];
                uri = uri[..mark];
            }

            if (uri.StartsWith("//", StringComparison.Ordinal))
            {
                int slash = uri.IndexOf('/', 2);
                authority = slash < 0 ? uri[2..] : uri[2..slash];
                uri = slash < 0 ? "" : uri[slash..];
            }

            return new Parts(scheme, authority, uri, query);
        }

        public override string ToString() => (Scheme is null ? "" : Scheme + ":") + (Authority is null ? "" : "//" + Authority) + Path + (Query is null ? "" : "?" + Query);
    }
}
