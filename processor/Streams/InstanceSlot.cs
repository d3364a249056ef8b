using System.Globalization;

namespace PolicyStreams.Processor.Streams;

/// <summary>
/// This process's place in the group, held by an exclusive lock on a file for as long as the process lives: the same slot after a restart is the same
/// <c>transactional.id</c>, so a new process fences what the dead one left open. The operating system drops the lock with the process.
/// </summary>
public sealed class InstanceSlot : IDisposable
{
    private const int SlotsMax = 1024;

    private readonly FileStream _lock;

    private InstanceSlot(string name, FileStream held)
    {
        Name = name;
        _lock = held;
    }

    public string Name { get; }

    /// <summary>Takes a slot: the named one, or host name and the lowest free number.</summary>
    /// <param name="directory">Made where it is not there.</param>
    /// <exception cref="IOException">The named slot is taken by a living process, or the folder cannot be written; the message says which.</exception>
    public static InstanceSlot Take(string directory, string group, string instance)
    {
        string folder = Path.Combine(directory, group);
        Directory.CreateDirectory(folder);
        if (instance.Length > 0)
        {
            return TryLock(folder, instance) is { } named
                ? new InstanceSlot(instance, named)
                : throw new IOException($"Instance `{instance}` of group `{group}` is taken by a running process (lock {Path.Combine(folder, instance + ".lock")}). Stop that one, or give this one another --instance.");
        }

        string host = Environment.MachineName;
        for (int number = 0; number < SlotsMax; number++)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"{host}-{number}");
            if (TryLock(folder, name) is { } held) { return new InstanceSlot(name, held); }
        }

        throw new IOException($"All {SlotsMax} slots of group `{group}` on this host are taken.");
    }

    /// <summary>Where locks lie unless <c>--state-dir</c> says otherwise.</summary>
    public static string DefaultDirectory()
    {
        string? state = Environment.GetEnvironmentVariable("XDG_STATE_HOME");
        if (!string.IsNullOrEmpty(state)) { return Path.Combine(state, "policystreams"); }
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return home.Length > 0 ? Path.Combine(home, ".local", "state", "policystreams") : Path.Combine(Path.GetTempPath(), "policystreams");
    }

    public void Dispose() => _lock.Dispose();

    private static FileStream? TryLock(string folder, string name)
    {
        try
        {
            return new FileStream(Path.Combine(folder, name + ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e is not DirectoryNotFoundException and not PathTooLongException)
        {
            return null;
        }
    }
}
