using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Xml;

namespace PolicyStreams.Rules;

/// <summary>Writes a report as a person reads it, as JUnit XML, and as JSON.</summary>
public static class PolicyTestOutput
{
    /// <summary>Failures with what was expected and what came, then a line of totals; coverage rule by rule where asked for.</summary>
    public static void WriteText(PolicyTestReport report, TextWriter output, bool coverage = false)
    {
        foreach (Diagnostic diagnostic in report.Diagnostics) { output.WriteLine(diagnostic.ToString()); }
        foreach (IGrouping<string, PolicyTestResult> file in report.Results.GroupBy(result => result.File))
        {
            output.WriteLine(file.Key);
            foreach (PolicyTestResult result in file)
            {
                output.WriteLine($"  {(result.Passed ? "ok  " : "FAIL")} {result.Name}");
                foreach (string failure in result.Failures) { output.WriteLine($"         {failure}"); }
                if (!result.Passed) { output.WriteLine($"         at {result.File}:{result.Line.ToString(CultureInfo.InvariantCulture)}"); }
            }
        }

        if (coverage) { WriteCoverage(report, output); }
        int errors = report.Diagnostics.Count(diagnostic => diagnostic.Severity == Severity.Error);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{report.Passed} passed, {report.Failed} failed{(errors > 0 ? $"; {errors} mistakes kept tests from running" : "")}"));
    }

    /// <summary>The mutants that survived, each with what changed, where, and a record that tells; then the score.</summary>
    public static void WriteMutation(MutationReport report, TextWriter output)
    {
        foreach (Diagnostic diagnostic in report.Diagnostics) { output.WriteLine(diagnostic.ToString()); }
        foreach (Mutant mutant in report.Mutants)
        {
            if (mutant.Fate == MutantFate.Noticed) { continue; }
            output.WriteLine($"  {(mutant.Fate == MutantFate.Survived ? "SURVIVED" : "explained")} {mutant.Id}");
            if (mutant.Fate == MutantFate.Explained)
            {
                output.WriteLine($"         {mutant.Why}");
                continue;
            }

            output.WriteLine($"         rule {mutant.Rule} at {mutant.File}:{Number(mutant.Line)}");
            foreach (string line in mutant.Diff) { output.WriteLine($"         {line}"); }
            output.WriteLine($"         {(mutant.Telling is { } telling ? "tells them apart: " + telling : "no record was found that tells them apart; where there is none, say why: survivors: [{ mutant: '" + mutant.Id.Replace("'", "''", StringComparison.Ordinal) + "', why: … }]")}");
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"mutation {report.Percent:0.0} %: {report.Noticed} of {report.Noticed + report.Survived} mutants noticed, {report.Survived} survived, {report.Explained} explained"));
    }

    /// <summary>JUnit's XML, one suite a file.</summary>
    public static void WriteJUnit(PolicyTestReport report, TextWriter output)
    {
        using var xml = XmlWriter.Create(output, new XmlWriterSettings { Indent = true, CheckCharacters = false });
        xml.WriteStartElement("testsuites");
        xml.WriteAttributeString("tests", Number(report.Results.Count));
        xml.WriteAttributeString("failures", Number(report.Failed));
        xml.WriteAttributeString("errors", Number(report.Diagnostics.Count(diagnostic => diagnostic.Severity == Severity.Error)));
        foreach (IGrouping<string, PolicyTestResult> file in report.Results.GroupBy(result => result.File))
        {
            xml.WriteStartElement("testsuite");
            xml.WriteAttributeString("name", Clean(file.Key));
            xml.WriteAttributeString("tests", Number(file.Count()));
            xml.WriteAttributeString("failures", Number(file.Count(result => !result.Passed)));
            xml.WriteAttributeString("errors", "0");
            xml.WriteAttributeString("skipped", "0");
            foreach (PolicyTestResult result in file)
            {
                xml.WriteStartElement("testcase");
                xml.WriteAttributeString("classname", Clean(file.Key));
                xml.WriteAttributeString("name", Clean(result.Name));
                xml.WriteAttributeString("file", Clean(result.File));
                xml.WriteAttributeString("line", Number(result.Line));
                if (!result.Passed)
                {
                    xml.WriteStartElement("failure");
                    xml.WriteAttributeString("message", Clean(result.Failures[0]));
                    xml.WriteAttributeString("type", "expectation");
                    xml.WriteString(Clean(string.Join("\n", result.Failures)));
                    xml.WriteEndElement();
                }

                xml.WriteEndElement();
            }

            xml.WriteEndElement();
        }

        List<Diagnostic> errors = [.. report.Diagnostics.Where(diagnostic => diagnostic.Severity == Severity.Error)];
        if (errors.Count > 0)
        {
            xml.WriteStartElement("testsuite");
            xml.WriteAttributeString("name", "load");
            xml.WriteAttributeString("tests", Number(errors.Count));
            xml.WriteAttributeString("failures", "0");
            xml.WriteAttributeString("errors", Number(errors.Count));
            xml.WriteAttributeString("skipped", "0");
            foreach (Diagnostic error in errors)
            {
                xml.WriteStartElement("testcase");
                xml.WriteAttributeString("classname", Clean(error.File));
                xml.WriteAttributeString("name", error.Code);
                xml.WriteStartElement("error");
                xml.WriteAttributeString("message", Clean(error.Message));
                xml.WriteAttributeString("type", error.Code);
                xml.WriteString(Clean(error.ToString()));
                xml.WriteEndElement();
                xml.WriteEndElement();
            }

            xml.WriteEndElement();
        }

        xml.WriteEndElement();
    }

    /// <summary>One JSON object: totals, results, diagnostics, coverage, and mutants where they were tried.</summary>
    public static void WriteJson(PolicyTestReport report, Stream output, MutationReport? mutation = null)
    {
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteNumber("passed", report.Passed);
        json.WriteNumber("failed", report.Failed);
        json.WriteStartArray("tests");
        foreach (PolicyTestResult result in report.Results)
        {
            json.WriteStartObject();
            json.WriteString("file", result.File);
            json.WriteNumber("line", result.Line);
            json.WriteString("name", result.Name);
            json.WriteBoolean("passed", result.Passed);
            json.WriteStartArray("failures");
            foreach (string failure in result.Failures) { json.WriteStringValue(failure); }
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("diagnostics");
        foreach (Diagnostic diagnostic in report.Diagnostics) { json.WriteStringValue(diagnostic.ToString()); }
        json.WriteEndArray();
        json.WriteStartObject("coverage");
        json.WriteNumber("percent", Math.Round(report.CoveragePercent, 2));
        json.WriteStartArray("rules");
        foreach (RuleCoverage rule in report.Coverage)
        {
            json.WriteStartObject();
            json.WriteString("policy", rule.Policy);
            json.WriteString("rule", rule.Rule);
            json.WriteBoolean("fired", rule.Fired);
            json.WriteBoolean("not_fired", rule.NotFired);
            json.WriteStartArray("branches");
            foreach (BranchReach branch in rule.Branches)
            {
                json.WriteStartObject();
                json.WriteString("condition", branch.Text);
                json.WriteBoolean("true", branch.True);
                json.WriteBoolean("false", branch.False);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        if (mutation is not null) { WriteMutation(mutation, json); }
        json.WriteEndObject();
    }

    private static void WriteMutation(MutationReport mutation, Utf8JsonWriter json)
    {
        json.WriteStartObject("mutation");
        json.WriteNumber("percent", Math.Round(mutation.Percent, 2));
        json.WriteNumber("noticed", mutation.Noticed);
        json.WriteNumber("survived", mutation.Survived);
        json.WriteNumber("explained", mutation.Explained);
        json.WriteStartArray("diagnostics");
        foreach (Diagnostic diagnostic in mutation.Diagnostics) { json.WriteStringValue(diagnostic.ToString()); }
        json.WriteEndArray();
        json.WriteStartArray("mutants");
        foreach (Mutant mutant in mutation.Mutants)
        {
            json.WriteStartObject();
            json.WriteString("id", mutant.Id);
            json.WriteString("policy", mutant.Policy);
            json.WriteString("rule", mutant.Rule);
            json.WriteString("file", mutant.File);
            json.WriteNumber("line", mutant.Line);
            json.WriteString("fate", mutant.Fate switch { MutantFate.Noticed => "noticed", MutantFate.Survived => "survived", _ => "explained" });
            json.WriteString("by", mutant.By);
            json.WriteString("why", mutant.Why);
            json.WriteStartArray("diff");
            foreach (string line in mutant.Diff) { json.WriteStringValue(line); }
            json.WriteEndArray();
            json.WriteString("telling", mutant.Telling);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteCoverage(PolicyTestReport report, TextWriter output)
    {
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"coverage {report.CoveragePercent:0.0} %"));
        foreach (RuleCoverage rule in report.Coverage)
        {
            List<string> missing = [];
            if (!rule.Fired) { missing.Add("never fired"); }
            if (rule.NeedsNotFired && !rule.NotFired) { missing.Add("always fired"); }
            foreach (BranchReach branch in rule.Branches)
            {
                if (!branch.True) { missing.Add($"`{branch.Text}` was never true"); }
                if (!branch.False) { missing.Add($"`{branch.Text}` was never false"); }
            }

            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {rule.Reached,3}/{rule.Items,-3} {rule.Policy}/{rule.Rule}{(missing.Count > 0 ? ": " : "")}{string.Join("; ", missing)}"));
        }
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>What XML 1.0 cannot hold becomes a question mark.</summary>
    private static string Clean(string text) => string.Concat(text.Select(c => XmlConvert.IsXmlChar(c) || char.IsSurrogate(c) ? c : '?'));
}
