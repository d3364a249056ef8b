namespace PolicyStreams.Schemas.Registry;

/// <summary>How a registry stands, for health and metrics.</summary>
/// <param name="Reachable">False from the first question that stayed without a usable answer until the next that had one.</param>
/// <param name="Reason">Why not reachable; empty where it is.</param>
/// <param name="Since">When that began.</param>
/// <param name="Conflicts">Schemas refused because the id was known with another text. More than 0 is an alarm.</param>
public sealed record RegistryHealth(bool Reachable, string Reason, DateTimeOffset Since, long Conflicts);
