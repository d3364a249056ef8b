using System.CommandLine;
using System.Text;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Rules;

namespace PolicyStreams.Cli.Commands;

/// <summary><c>policystreams fmt</c>: policies in canonical style, comments kept.</summary>
internal static class FmtCommand
{
    internal static Command Create()
    {
        var path = new Argument<string>("path") { Description = "Folder of *.policy.yaml files, or one file", HelpName = "PATH" };
        var check = new Option<bool>("--check") { Description = "Change nothing; exit 1 where a file is not in canonical style" };
        var stdout = new Option<bool>("--stdout") { Description = "Write to standard output in place of the file" };
        var command = new Command("fmt", "Rewrite policies in canonical style; comments are kept") { path, check, stdout };
        command.SetAction(parsed =>
        {
            try
            {
                return Run(PolicyFolder.Read(parsed.GetValue(path)!), parsed.GetValue(check), parsed.GetValue(stdout));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return Terminal.CouldNotRun(e.Message);
            }
        });
        return command;
    }

    private static int Run(IReadOnlyList<PolicyFile> files, bool check, bool stdout)
    {
        bool found = false;
        foreach (PolicyFile file in files)
        {
            var diagnostics = new List<Diagnostic>();
            string? text = PolicyFormatter.Format(file, diagnostics);
            foreach (Diagnostic diagnostic in diagnostics) { Console.Error.WriteLine(diagnostic.ToString()); }
            if (text is null) { found = true; }
            else if (stdout) { Console.Out.Write(text); }
            else if (text != file.Text)
            {
                if (!check && !IsFile(file.Path)) { return Terminal.CouldNotRun($"`{file.Path}` is a pipe, not a file: --stdout writes its canonical form to standard output."); }
                Console.WriteLine(file.Path);
                found |= check;

                // Written beside and moved: a crash leaves the old file or the new one.
                if (check) { continue; }
                string beside = file.Path + ".fmt";
                File.WriteAllText(beside, text, new UTF8Encoding(false));
                File.Move(beside, file.Path, overwrite: true);
            }
        }

        return (int)(found ? ExitCode.Found : ExitCode.Ok);
    }

    /// <summary>False for a pipe. Opened for both ways: one way would wait for whoever is at the other end.</summary>
    private static bool IsFile(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        return stream.CanSeek;
    }
}
