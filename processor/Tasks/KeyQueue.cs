using System.Buffers.Binary;
using System.Security.Cryptography;

namespace PolicyStreams.Processor.Tasks;

/// <summary>
/// Open holds of one record key that end in the order of their records: the first may end, the others wait behind it. Begun by a hold of <c>scope: key</c>; every later record
/// of the key joins at its end, until the queue is empty.
/// </summary>
internal sealed class KeyQueue(UInt128 key)
{
    /// <summary>See <see cref="KeyOf"/>.</summary>
    public UInt128 Key { get; } = key;

    /// <summary>The hold whose turn it is; null where the queue is empty.</summary>
    public TaskHold? First { get; private set; }

    public TaskHold? Last { get; private set; }

    /// <summary>
    /// The ingress key's bytes, digested, so that a long key weighs no more than a short one. Two keys of one digest would only wait for one another.
    /// </summary>
    public static UInt128 KeyOf(ReadOnlySpan<byte> key)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(key, digest);
        return BinaryPrimitives.ReadUInt128BigEndian(digest);
    }

    /// <summary>Puts a hold where its offset belongs: at the end, but for one that is put back or held again.</summary>
    public void Link(TaskHold hold)
    {
        TaskHold? before = Last;
        if (First is { } first && hold.Offset < first.Offset) { before = null; }
        while (before is not null && before.Offset > hold.Offset) { before = before.Before; }
        hold.Queue = this;
        hold.Before = before;
        hold.Next = before is null ? First : before.Next;
        if (hold.Next is { } next) { next.Before = hold; }
        else { Last = hold; }

        if (before is null) { First = hold; }
        else { before.Next = hold; }
    }

    public void Unlink(TaskHold hold)
    {
        if (hold.Before is { } before) { before.Next = hold.Next; }
        else { First = hold.Next; }

        if (hold.Next is { } next) { next.Before = hold.Before; }
        else { Last = hold.Before; }

        hold.Queue = null;
        hold.Before = hold.Next = null;
    }
}
