using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Globalization;

namespace PolicyStreams.Rules;

/// <summary>
/// Keys by name, supplied by the host. A name may carry a version (<c>customer-key@2</c>; without one it is version 1): the highest version is the current one,
/// earlier ones stay for what was encrypted with them. A key's id is its name and version. Thread-safe. Never printed: <see cref="ToString"/> names no key bytes.
/// </summary>
public sealed class KeyRing
{
    /// <summary>Shortest key, in bytes.</summary>
    public const int BytesMin = 32;

    private const int BytesMax = 4096;
    private readonly ConcurrentDictionary<string, Key> _current = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Key> _byId = new(StringComparer.Ordinal);
    private readonly bool _frozen;

    public KeyRing()
    {
    }

    private KeyRing(bool frozen) => _frozen = frozen;

    /// <summary>Without a key; none can be added.</summary>
    public static KeyRing Empty { get; } = new(frozen: true);

    /// <summary>Names of all keys, without versions.</summary>
    public IReadOnlyCollection<string> Names => [.. _current.Keys];

    /// <summary>Adds a key from its file's or variable's bytes (one final newline dropped, <c>base64:</c> decoded).</summary>
    /// <param name="name">The name that policies use, or that and <c>@VERSION</c>, 1 to 999,999. Adding an id again replaces it.</param>
    /// <returns>Null, or what is wrong with it (too short, not base64); never the key.</returns>
    public string? Add(string name, ReadOnlySpan<byte> material)
    {
        if (_frozen) { throw new InvalidOperationException("The empty key ring takes no keys; make one of your own."); }
        string bare = name;
        int version = 1, at = name.IndexOf('@', StringComparison.Ordinal);
        if (at >= 0)
        {
            bare = name[..at];
            if (!int.TryParse(name.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out version) || version is < 1 or > 999_999)
            {
                return "a key's version is a whole number from 1 to 999999: NAME@2";
            }
        }

        if (!Section.IsName(bare, 128)) { return "a key's name has letters, digits, `.`, `_`, and `-`, at most 128"; }
        if (material.EndsWith("\r\n"u8)) { material = material[..^2]; }
        else if (material.EndsWith("\n"u8)) { material = material[..^1]; }
        byte[] bytes;
        if (material.StartsWith("base64:"u8))
        {
            ReadOnlySpan<byte> text = material[7..];
            bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(text.Length)];
            if (Base64.DecodeFromUtf8(text, bytes, out int consumed, out int written) != System.Buffers.OperationStatus.Done || consumed != text.Length) { return $"key `{bare}` is not base64 behind `base64:`"; }
            Array.Resize(ref bytes, written);
        }
        else { bytes = material.ToArray(); }

        if (bytes.Length < BytesMin) { return $"key `{bare}` has {bytes.Length} bytes; at least {BytesMin} are needed"; }
        if (bytes.Length > BytesMax) { return $"key `{bare}` has {bytes.Length} bytes; at most {BytesMax} are taken"; }
        var key = new Key($"{bare}@{version.ToString(CultureInfo.InvariantCulture)}", version, bytes);
        _byId[key.Id] = key;
        _current.AddOrUpdate(bare, key, (_, old) => old.Version > key.Version ? old : key);
        return null;
    }

    public bool Contains(string name) => _current.ContainsKey(name);

    /// <summary>The current key's bytes, 32 or more, and its id: for hold keys, audit keys, seals.</summary>
    public bool TryGet(string name, out ReadOnlyMemory<byte> key, out string id)
    {
        if (_current.TryGetValue(name, out Key? found))
        {
            key = found.Bytes;
            id = found.Id;
            return true;
        }

        key = default;
        id = "";
        return false;
    }

    /// <summary>The key of an id (<c>customer-key@1</c>), current or not: for what was written with it.</summary>
    public bool TryGetById(string id, out ReadOnlyMemory<byte> key)
    {
        bool found = _byId.TryGetValue(id, out Key? one);
        key = found ? one!.Bytes : default;
        return found;
    }

    public override string ToString() => $"{_current.Count} keys";

    private sealed record Key(string Id, int Version, byte[] Bytes)
    {
        public override string ToString() => Id;
    }
}
