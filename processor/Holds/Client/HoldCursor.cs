using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace PolicyStreams.Processor.Holds;

/// <summary>A place in the order of holds: oldest first, then by id. Stays good when the hold that it names is gone.</summary>
public readonly record struct HoldCursor(long DecidedMs, string Id)
{
    /// <summary>The hold's own place.</summary>
    public static HoldCursor Of(OpenHold hold)
    {
        ArgumentNullException.ThrowIfNull(hold);
        return new HoldCursor(hold.State.DecidedMs, hold.State.Id);
    }

    /// <summary>Reads what <see cref="ToString"/> wrote. False for any other text.</summary>
    public static bool TryParse(string text, out HoldCursor cursor)
    {
        cursor = default;
        if (text is null || text.Length > 600 || !Base64Url.IsValid(text)) { return false; }
        string plain = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(text));
        int space = plain.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0 || !long.TryParse(plain.AsSpan(0, space), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long decidedMs)) { return false; }
        cursor = new HoldCursor(decidedMs, plain[(space + 1)..]);
        return true;
    }

    /// <summary>Opaque text for a client to hand back.</summary>
    public override string ToString() => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{DecidedMs} {Id}")));
}
