namespace PolicyStreams.Integration.Tests.Support;

/// <summary>Where things are, and what a missing part means: skipped at a desk, a failure under <c>CI=true</c>.</summary>
internal static class TestEnvironment
{
    public static bool IsCi { get; } = Environment.GetEnvironmentVariable("CI") == "true";

    /// <summary>The repository's root: the nearest folder upwards with the solution in it.</summary>
    public static string Root { get; } = FindRoot();

    public static string Example { get; } = Path.Combine(Root, "examples", "payments");

    public static string Clients { get; } = Path.Combine(Root, "tests", "clients");

    /// <summary>The command line that starts <c>policystreams</c>: POLICYSTREAMS_COMMAND, else the build of the same configuration as these tests.</summary>
    public static IReadOnlyList<string> Command { get; } = FindCommand();

    /// <summary>The python that has the Confluent client. Another python may come first on PATH, so Debian's own is asked first.</summary>
    public static string Python { get; } = File.Exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";

    public static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    public static void SkipOrFail(string reason)
    {
        if (IsCi) { Assert.Fail(reason); }
        Assert.Skip(reason);
    }

    private static string FindRoot()
    {
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "PolicyStreams.sln"))) { return folder; }
        }

        throw new InvalidOperationException($"No PolicyStreams.sln above {AppContext.BaseDirectory}.");
    }

    private static string[] FindCommand()
    {
        if (Variable("POLICYSTREAMS_COMMAND") is { } command) { return [command]; }
        string[] parts = AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar);
        string built = Path.Combine(Root, "cli", "bin", parts[^2], parts[^1], "policystreams.dll");
        return ["dotnet", built];
    }
}
