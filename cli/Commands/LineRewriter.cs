using System.Globalization;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Cli.Commands;

/// <summary>Writes lines of a stream anew, one by one, and tells on standard error what was wrong with which: for commands that put originals back.</summary>
internal static class LineRewriter
{
    private const int LineBytesMax = 256 * 1024 * 1024;
    private const int FaultsToldMax = 100;

    /// <summary>Appends a line without its end as it shall be. False where it is not of the format; it is then appended as it was.</summary>
    internal delegate bool Rewrite(ReadOnlySpan<byte> line, ByteBuffer output);

    /// <param name="faults">What was wrong with the last line.</param>
    /// <exception cref="IOException">A line is longer than 256 MiB, or the streams fail.</exception>
    internal static ExitCode Run(Rewrite rewrite, Func<IReadOnlyList<string>> faults, Stream lines, Stream answers)
    {
        var output = new ByteBuffer(1 << 16);
        byte[] buffer = new byte[1 << 16];
        int filled = 0;
        long number = 0, told = 0;
        while (true)
        {
            int read = lines.Read(buffer, filled, buffer.Length - filled);
            filled += read;
            int start = 0, end;
            while ((end = buffer.AsSpan(start, filled - start).IndexOf((byte)'\n')) >= 0 || (read == 0 && start < filled))
            {
                bool ended = end >= 0;
                ReadOnlySpan<byte> line = buffer.AsSpan(start, ended ? end : filled - start);
                start += line.Length + (ended ? 1 : 0);
                number++;
                bool returned = line.EndsWith("\r"u8);
                if (returned) { line = line[..^1]; }
                if (!rewrite(line, output)) { Tell("the line is not what --input-format says; it stands as it was"); }
                foreach (string fault in faults()) { Tell(fault); }
                if (returned) { output.Append((byte)'\r'); }
                if (ended) { output.Append((byte)'\n'); }
            }

            answers.Write(output.Written);
            output.Clear(zero: true);
            if (read == 0) { break; }
            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            filled -= start;
            if (filled < buffer.Length) { continue; }
            if (filled >= LineBytesMax) { throw new IOException(string.Create(CultureInfo.InvariantCulture, $"line {number + 1} is longer than {LineBytesMax} bytes")); }
            Array.Resize(ref buffer, 2 * buffer.Length);
        }

        answers.Flush();
        if (told > FaultsToldMax) { Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"policystreams: {told - FaultsToldMax} more")); }
        return told > 0 ? ExitCode.Found : ExitCode.Ok;

        void Tell(string fault)
        {
            if (++told <= FaultsToldMax) { Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"policystreams: line {number}: {fault}")); }
        }
    }
}
