using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Schemas.Protobuf;

internal enum ProtoMarkKind : byte
{
    /// <summary>Something with a length in front: a message, a map's entry, a packed field.</summary>
    Box,
    /// <summary>A value that masks select.</summary>
    Site,
    /// <summary>Bytes that do not go out.</summary>
    Cut,
}

/// <summary>A place of the record that a rewrite comes by, in the order of their starts; those inside it follow it.</summary>
internal struct ProtoMark
{
    public ProtoMarkKind Kind;

    /// <summary>True for the box of a map's entry.</summary>
    public bool Entry;

    /// <summary>Start of the field, its tag included.</summary>
    public int Start;

    /// <summary>Behind the tag: of a box its length, of a site the value (the same as <see cref="Start"/> where it has no tag).</summary>
    public int Value;

    /// <summary>Of a box: behind its length.</summary>
    public int Content;
    public int End;

    /// <summary>The first mark that is not inside.</summary>
    public int Next;

    /// <summary>Of a site: the first of its run among the frame's.</summary>
    public int Site;
}

/// <summary>What a walk and its rewrite keep beside slots and sites; one a frame, reused.</summary>
internal sealed class ProtoScratch
{
    public ProtoMark[] Marks = new ProtoMark[16];
    public int MarkCount;

    /// <summary>Which fields the open messages have had, innermost last.</summary>
    public ulong[] Seen = new ulong[16];
    public int SeenCount;

    /// <summary>Keys of the map that is being checked.</summary>
    public ulong[] Numbers = new ulong[16];
    public int NumberCount;

    public AvroScratch Names { get; } = new();

    public ByteBuffer Replacement { get; } = new(256);

    public void Begin()
    {
        MarkCount = 0;
        SeenCount = 0;
    }

    public int PushMark(ProtoMarkKind kind, int start, int value)
    {
        if (MarkCount == Marks.Length) { Array.Resize(ref Marks, 2 * MarkCount); }
        Marks[MarkCount] = new ProtoMark { Kind = kind, Start = start, Value = value };
        return MarkCount++;
    }

    public void Close(int mark, int end)
    {
        Marks[mark].End = end;
        Marks[mark].Next = MarkCount;
    }

    /// <summary>Closes a box; one without anything inside is forgotten.</summary>
    public void CloseBox(int mark, int content, int end)
    {
        if (MarkCount == mark + 1)
        {
            MarkCount = mark;
            return;
        }

        Marks[mark].Content = content;
        Close(mark, end);
    }

    public int PushSeen(int words)
    {
        int at = SeenCount;
        if (Seen.Length < at + words) { Array.Resize(ref Seen, Math.Max(2 * Seen.Length, at + words)); }
        Array.Clear(Seen, at, words);
        SeenCount = at + words;
        return at;
    }

    public void PushNumber(ulong key)
    {
        if (NumberCount == Numbers.Length) { Array.Resize(ref Numbers, 2 * NumberCount); }
        Numbers[NumberCount++] = key;
    }

    public bool HasDuplicateNumbers()
    {
        Span<ulong> keys = Numbers.AsSpan(0, NumberCount);
        keys.Sort();
        for (int i = 1; i < keys.Length; i++)
        {
            if (keys[i] == keys[i - 1]) { return true; }
        }

        return false;
    }
}
