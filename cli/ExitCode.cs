namespace PolicyStreams.Cli;

/// <summary>Exit codes of every command. Fixed; scripts read them.</summary>
internal enum ExitCode
{
    /// <summary>It ran, and all is well.</summary>
    Ok = 0,

    /// <summary>It ran, and found something: mistakes in a policy, a failed test, topics that would change.</summary>
    Found = 1,

    /// <summary>It could not run: a wrong option, a file or server that is not there.</summary>
    CouldNotRun = 2,
}
