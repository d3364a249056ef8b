using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace PolicyStreams.Schemas.Json;

/// <summary>Hash of property names, keyed anew in every process so that no record can be made whose names collide.</summary>
internal static class JsonHash
{
    private static readonly ulong _first = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(8)) | 1;
    private static readonly ulong _second = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(8)) | 1;

    public static uint Of(ReadOnlySpan<byte> name)
    {
        ulong state = _first ^ (ulong)name.Length;
        ulong tail;
        if (name.Length > 8)
        {
            ReadOnlySpan<byte> rest = name;
            while (rest.Length > 8)
            {
                state = Mix(state ^ BinaryPrimitives.ReadUInt64LittleEndian(rest), _second);
                rest = rest[8..];
            }

            tail = BinaryPrimitives.ReadUInt64LittleEndian(name[^8..]);
        }
        else if (name.Length >= 4)
        {
            tail = BinaryPrimitives.ReadUInt32LittleEndian(name) | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(name[^4..]) << 32);
        }
        else
        {
            tail = name.Length == 0 ? 0 : name[0] | ((ulong)name[name.Length >> 1] << 8) | ((ulong)name[^1] << 16);
        }

        ulong hash = Mix(state ^ tail, _second);
        hash = Mix(hash ^ _first, hash ^ _second);
        return (uint)(hash ^ (hash >> 32));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong one, ulong other)
    {
        ulong high = Math.BigMul(one, other, out ulong low);
        return high ^ low;
    }
}
