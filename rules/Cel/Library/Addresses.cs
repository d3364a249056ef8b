using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace PolicyStreams.Rules.Cel.Library;

/// <summary>An address of IPv4 (4 bytes) or IPv6 (16), without a zone.</summary>
internal sealed class IpValue : IEquatable<IpValue>
{
    private readonly byte[] _bytes;

    private IpValue(byte[] bytes) => _bytes = bytes;

    public ReadOnlySpan<byte> Bytes => _bytes;

    public bool IsV4 => _bytes.Length == 4;

    /// <summary>Strict: four decimal numbers without leading zeros, or IPv6 without a zone and without dots.</summary>
    public static bool TryParse(string text, out IpValue? ip)
    {
        ip = null;
        if (text.Length is < 2 or > 45) { return false; }
        if (text.Contains(':', StringComparison.Ordinal))
        {
            if (text.AsSpan().ContainsAny("%.[]/") || !IPAddress.TryParse(text, out IPAddress? parsed) || parsed.AddressFamily != AddressFamily.InterNetworkV6) { return false; }
            ip = new IpValue(parsed.GetAddressBytes());
            return true;
        }

        var bytes = new byte[4];
        int part = 0, digits = 0, value = 0;
        foreach (char c in text)
        {
            if (c == '.')
            {
                if (digits == 0 || part == 3) { return false; }
                bytes[part++] = (byte)value;
                digits = value = 0;
                continue;
            }

            if (!char.IsAsciiDigit(c) || (digits > 0 && value == 0) || ++digits > 3) { return false; }
            value = (value * 10) + c - '0';
            if (value > 255) { return false; }
        }

        if (part != 3 || digits == 0) { return false; }
        bytes[3] = (byte)value;
        ip = new IpValue(bytes);
        return true;
    }

    public bool IsUnspecified => !_bytes.AsSpan().ContainsAnyExcept((byte)0);

    public bool IsLoopback => IsV4 ? _bytes[0] == 127 : !_bytes.AsSpan(0, 15).ContainsAnyExcept((byte)0) && _bytes[15] == 1;

    public bool IsLinkLocalMulticast => IsV4 ? _bytes[0] == 224 && _bytes[1] == 0 && _bytes[2] == 0 : _bytes[0] == 0xFF && (_bytes[1] & 0x0F) == 2;

    public bool IsLinkLocalUnicast => IsV4 ? _bytes[0] == 169 && _bytes[1] == 254 : _bytes[0] == 0xFE && (_bytes[1] & 0xC0) == 0x80;

    public bool IsMulticast => IsV4 ? (_bytes[0] & 0xF0) == 0xE0 : _bytes[0] == 0xFF;

    public bool IsGlobalUnicast => !IsUnspecified && !IsLoopback && !IsMulticast && !IsLinkLocalUnicast && !(IsV4 && !_bytes.AsSpan().ContainsAnyExcept((byte)255));

    /// <summary>The same address with all bits behind the prefix zero.</summary>
    public IpValue Masked(int prefix)
    {
        byte[] masked = [.. _bytes];
        for (int i = 0; i < masked.Length; i++)
        {
            int keep = Math.Clamp(prefix - (8 * i), 0, 8);
            masked[i] &= (byte)(0xFF << (8 - keep));
        }

        return new IpValue(masked);
    }

    public bool Equals(IpValue? other) => other is not null && _bytes.AsSpan().SequenceEqual(other._bytes);

    public override bool Equals(object? obj) => Equals(obj as IpValue);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(_bytes);
        return hash.ToHashCode();
    }

    public override string ToString() => new IPAddress(_bytes).ToString();
}

/// <summary>A prefix of addresses: <c>10.0.0.0/8</c>.</summary>
internal sealed record CidrValue(IpValue Ip, int Prefix)
{
    public static bool TryParse(string text, out CidrValue? cidr)
    {
        cidr = null;
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || !IpValue.TryParse(text[..slash], out IpValue? ip)) { return false; }
        string digits = text[(slash + 1)..];
        if (digits.Length is 0 or > 3 || (digits.Length > 1 && digits[0] == '0') || !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int prefix) || prefix > 8 * ip!.Bytes.Length) { return false; }
        cidr = new CidrValue(ip, prefix);
        return true;
    }

    public bool Contains(IpValue ip) => ip.IsV4 == Ip.IsV4 && ip.Masked(Prefix).Equals(Ip.Masked(Prefix));

    public bool Contains(CidrValue other) => other.Prefix >= Prefix && Contains(other.Ip);

    public override string ToString() => $"{Ip}/{Prefix.ToString(CultureInfo.InvariantCulture)}";
}
