using System.Globalization;
using Microsoft.Extensions.Logging;

namespace PolicyStreams.Processor.Tests.Streams.Support;

/// <summary>Keeps every line that is logged: event id, level, text.</summary>
internal sealed class LogLines : ILogger
{
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_lock) { _lines.Add(string.Create(CultureInfo.InvariantCulture, $"{eventId.Id} {logLevel}: {formatter(state, exception)}")); }
    }

    public override string ToString()
    {
        lock (_lock) { return string.Join('\n', _lines); }
    }
}
