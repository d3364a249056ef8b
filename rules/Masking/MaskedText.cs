using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules;

/// <summary>For those who hold the key: undoes the <c>encrypt</c> mask.</summary>
public static class MaskedText
{
    /// <summary>True where the text is the output of an <c>encrypt</c> mask, whoever made it.</summary>
    public static bool IsEncrypted(string text) => text.StartsWith("psenc1:", StringComparison.Ordinal);

    /// <summary>Decrypts one masked text. The key is found by the id inside, so texts of earlier versions are read while the ring has those.</summary>
    /// <returns>False for another text, a key that the ring lacks, or a text that was changed.</returns>
    public static bool TryDecrypt(string masked, KeyRing keys, out string text)
    {
        var output = new ByteBuffer(256);
        bool done = Masking.Encryption.TryDecrypt(Encoding.UTF8.GetBytes(masked), keys, output);
        text = done ? Encoding.UTF8.GetString(output.Written) : "";
        output.Clear(zero: true);
        return done;
    }
}
