using PolicyStreams.Rules.Cel.Checking;
using PolicyStreams.Rules.Cel.Evaluation;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Cel.Library;

internal static partial class StandardLibrary
{
    private static void AddTime(FunctionTable table)
    {
        AddField(table, "getFullYear", t => t.Year);
        AddField(table, "getMonth", t => t.Month - 1);
        AddField(table, "getDate", t => t.Day);
        AddField(table, "getDayOfMonth", t => t.Day - 1);
        AddField(table, "getDayOfWeek", t => (long)t.DayOfWeek);
        AddField(table, "getDayOfYear", t => t.DayOfYear - 1);
        AddField(table, "getHours", t => t.Hour);
        AddField(table, "getMinutes", t => t.Minute);
        AddField(table, "getSeconds", t => t.Second);
        table.Add("getMilliseconds", "timestamp.()int; timestamp.(string)int", a => a.Length == 1 || CelTime.IsZone((string)a[1]!) ? (long)(((Timestamp)a[0]!).Nanos / 1_000_000) : ErrorValue.Argument);
        table.Add("getHours", "duration.()int", a => ((Duration)a[0]!).Seconds / 3600);
        table.Add("getMinutes", "duration.()int", a => ((Duration)a[0]!).Seconds / 60);
        table.Add("getSeconds", "duration.()int", a => ((Duration)a[0]!).Seconds);
        table.Add("getMilliseconds", "duration.()int", a => (long)(((Duration)a[0]!).Nanos / 1_000_000));
    }

    private static void AddField(FunctionTable table, string name, Func<DateTime, long> field) =>
        table.Add(name, "timestamp.()int; timestamp.(string)int", a =>
            CelTime.TryLocal((Timestamp)a[0]!, a.Length == 2 ? (string)a[1]! : null, out DateTime local) ? field(local) : a.Length == 2 ? ErrorValue.Argument : ErrorValue.Overflow);
}
