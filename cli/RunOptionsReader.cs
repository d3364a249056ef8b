using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Configuration;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Rules;

namespace PolicyStreams.Cli;

/// <summary>
/// Puts the options of <c>run</c> together: a configuration file, then the environment (<c>PolicyStreams__Bootstrap</c>), then the command line, the later one winning.
/// A key that does not exist is refused by name.
/// </summary>
internal static class RunOptionsReader
{
    private static readonly string[] Dictionaries = [nameof(ProcessorOptions.Keys), nameof(ProcessorOptions.Kafka)];

    /// <summary>The known keys, as they are written in configuration.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. typeof(ProcessorOptions).GetProperties().Where(property => property.CanWrite || Dictionaries.Contains(property.Name)).Select(property => Camel(property.Name))];

    /// <param name="file">A JSON file with a section <c>PolicyStreams</c>; null for none.</param>
    /// <param name="commandLine">Keys as in configuration (<c>Bootstrap</c>, <c>Keys:customer-key</c>).</param>
    /// <exception cref="StartException">Something cannot be read, does not exist, or is out of range.</exception>
    public static ProcessorOptions Read(string? file, IReadOnlyDictionary<string, string?> commandLine)
    {
        IConfigurationSection section;
        try
        {
            var builder = new ConfigurationBuilder();
            if (file is not null) { builder.AddJsonFile(Path.GetFullPath(file), optional: false); }
            builder.AddEnvironmentVariables();
            builder.AddInMemoryCollection(commandLine.Select(pair => new KeyValuePair<string, string?>($"{ProcessorOptions.Section}:{pair.Key}", pair.Value)));
            IConfigurationRoot root = builder.Build();
            section = root.GetSection(ProcessorOptions.Section);
        }
        catch (Exception e) when (e is IOException or FormatException or InvalidDataException)
        {
            throw new StartException($"configuration file `{file}` cannot be read: {e.InnerException?.Message ?? e.Message}");
        }

        var options = new ProcessorOptions();
        foreach (IConfigurationSection child in section.GetChildren())
        {
            string? known = Names.FirstOrDefault(name => string.Equals(name, child.Key, StringComparison.OrdinalIgnoreCase));
            if (known is null)
            {
                throw new StartException($"configuration key `{ProcessorOptions.Section}:{child.Key}` does not exist; {NearestName.Help(Camel(child.Key), Names, "keys here")}");
            }

            bool dictionary = Dictionaries.Contains(known, StringComparer.OrdinalIgnoreCase);
            if (dictionary)
            {
                Dictionary<string, string> into = known == "keys" ? options.Keys : options.Kafka;
                Flatten(child, "", into);
                continue;
            }

            if (child.Value is not { } text) { throw new StartException($"configuration key `{ProcessorOptions.Section}:{child.Key}` takes one value"); }
            Set(options, known, text);
        }

        var problems = new List<ValidationResult>();
        if (!Validator.TryValidateObject(options, new ValidationContext(options), problems, validateAllProperties: true))
        {
            throw new StartException(string.Join('\n', problems.Select(problem => Describe(problem, options))));
        }

        return options;
    }

    /// <summary>Reads a properties file (<c>key=value</c> a line, <c>#</c> comments) as kcat and Kafka's own tools take it.</summary>
    public static IReadOnlyDictionary<string, string> ReadKafkaConfig(string file)
    {
        var properties = new Dictionary<string, string>(StringComparer.Ordinal);
        string[] lines;
        try
        {
            lines = File.ReadAllLines(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartException($"--kafka-config: {e.Message}");
        }

        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i].Trim();
            if (line.Length == 0 || line[0] is '#' or ';') { continue; }
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0) { throw new StartException($"{file}:{i + 1}:1: a line is `property=value`"); }
            properties[line[..equals].Trim()] = line[(equals + 1)..].Trim();
        }

        return properties;
    }

    private static void Set(ProcessorOptions options, string name, string text)
    {
        System.Reflection.PropertyInfo property = typeof(ProcessorOptions).GetProperties().First(p => Camel(p.Name) == name);
        object value;
        if (property.PropertyType == typeof(string)) { value = text; }
        else if (property.PropertyType == typeof(int))
        {
            value = int.TryParse(text, System.Globalization.NumberStyles.AllowLeadingSign, System.Globalization.CultureInfo.InvariantCulture, out int number)
                ? number : throw new StartException($"`{name}` takes a whole number, not `{text}`");
        }
        else if (property.PropertyType == typeof(bool))
        {
            value = bool.TryParse(text, out bool flag) ? flag : throw new StartException($"`{name}` takes true or false, not `{text}`");
        }
        else if (property.PropertyType.IsEnum)
        {
            string[] names = [.. Enum.GetNames(property.PropertyType).Select(Camel)];
            value = names.Contains(text, StringComparer.OrdinalIgnoreCase)
                ? Enum.Parse(property.PropertyType, text, ignoreCase: true) : throw new StartException($"`{name}` takes {string.Join(" or ", names)}, not `{text}`");
        }
        else
        {
            value = Terminal.TryDuration(text, out TimeSpan duration) ? duration : throw new StartException($"`{name}` takes a duration such as 100ms or 2s, not `{text}`");
        }

        property.SetValue(options, value);
    }

    private static string Describe(ValidationResult problem, ProcessorOptions options)
    {
        string name = Camel(problem.MemberNames.FirstOrDefault() ?? "");
        return problem.ErrorMessage!.Contains("required", StringComparison.Ordinal)
            ? $"`{name}` is missing: give --{Kebab(name)}, or `{ProcessorOptions.Section}:{name}` in configuration"
            : problem.ErrorMessage.StartsWith('`') ? problem.ErrorMessage
            : $"`{name}` is out of range: {problem.ErrorMessage}";
    }

    private static void Flatten(IConfigurationSection section, string prefix, Dictionary<string, string> into)
    {
        foreach (IConfigurationSection child in section.GetChildren())
        {
            string key = prefix + child.Key;
            if (child.Value is { } value) { into[key] = value; }
            else { Flatten(child, key + ":", into); }
        }
    }

    private static string Camel(string name) => name.Length == 0 ? name : char.ToLowerInvariant(name[0]) + name[1..];

    private static string Kebab(string name) => string.Concat(name.Select(c => char.IsUpper(c) ? "-" + char.ToLowerInvariant(c) : c.ToString()));
}
