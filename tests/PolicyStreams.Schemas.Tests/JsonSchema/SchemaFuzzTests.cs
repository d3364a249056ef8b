using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.JsonSchema;
using PolicyStreams.Tests;

namespace PolicyStreams.Schemas.Tests.JsonSchema;

/// <summary>Random schemas and records: the verdict agrees with a plain reading of the keywords that shares no code with ours, and types keep their word. 6 s, or POLICYSTREAMS_FUZZ_SECONDS.</summary>
public class SchemaFuzzTests(ITestOutputHelper output)
{
    private static readonly string[] _names = ["a", "b", "ab", "é", ""];

    [Fact]
    public void Validate_RandomSchemas_AgreesWithAPlainReading()
    {
        double seconds = double.TryParse(Environment.GetEnvironmentVariable("POLICYSTREAMS_FUZZ_SECONDS"), NumberStyles.Float, CultureInfo.InvariantCulture, out double given) ? given : 6;
        int seed = Fuzz.Seed();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        long start = Stopwatch.GetTimestamp();
        int valid = 0, invalid = 0;
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
        {
            JsonNode schema = Schema(random, 0);
            if (schema is JsonObject root)
            {
                root["$schema"] = "https://json-schema.org/draft/2020-12/schema";
                root["$defs"] = new JsonObject { ["d"] = Schema(random, 3) };
            }

            string text = schema.ToJsonString();
            ValidatedJson compiled = ValidatedJson.Parse(text);
            RecordProgram program = compiled.Compile(new CapturePlan { Root = new CaptureRow { Node = new CaptureNode { Type = compiled.Type } }, Selectors = [new MaskSelector(null, "T")] }, WalkLimits.Default, []);
            var frame = new CaptureFrame();
            for (int i = 0; i < 12; i++)
            {
                string record = Value(random, 0)?.ToJsonString() ?? "null";
                byte[] bytes = Encoding.UTF8.GetBytes(record);
                string what = $"seed {seed}\nschema {text}\nrecord {record}";
                bool expected = new PlainReading(schema).IsValid(schema, JsonNode.Parse(record), out _);
                DecodeOutcome outcome = compiled.Validate(bytes);
                Assert.True(outcome == (expected ? DecodeOutcome.Decoded : DecodeOutcome.Invalid), $"{what}\nis {outcome}");
                Assert.True(program.Walk(bytes, frame) == outcome, what);
                if (!expected)
                {
                    invalid++;
                    continue;
                }

                valid++;
                Assert.Equal(DecodeOutcome.Decoded, compiled.Decode(bytes, out object? plain));
                Assert.True(Keeps(compiled.Type, plain), what);
                foreach (SiteAction action in (SiteAction[])[SiteAction.Text, SiteAction.Redact, SiteAction.Remove])
                {
                    // A rewrite may use what the walk left: each has a walk of its own.
                    program.Walk(bytes, frame);
                    var masked = new ByteBuffer();
                    RewriteOutcome rewritten = program.Rewrite(bytes, frame, ScriptedMasker.Always(action, "***"), masked);
                    if (rewritten == RewriteOutcome.Written) { Assert.True(compiled.Validate(masked.Written) == DecodeOutcome.Decoded, $"{what}\n{action}: {Encoding.UTF8.GetString(masked.Written)}"); }
                }
            }
        }

        output.WriteLine($"{valid} valid, {invalid} invalid");
        Assert.True(valid > 0 && invalid > 0);
    }

    [Fact]
    public void Parse_DamagedSchemas_OnlyEverSaysSo()
    {
        int seed = Fuzz.Seed();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        int taken = 0, refused = 0;
        for (int i = 0; i < 2_000; i++)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(Schema(random, 0).ToJsonString());
            for (int changes = random.Next(1, 4); changes > 0 && bytes.Length > 0; changes--)
            {
                int at = random.Next(bytes.Length);
                switch (random.Next(4))
                {
                    case 0: bytes[at] = (byte)random.Next(256); break;
                    case 1: bytes = [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + random.Next(1, 6))..]]; break;
                    case 2: bytes = [.. bytes[..at], .. bytes[at..Math.Min(bytes.Length, at + random.Next(1, 20))], .. bytes[at..]]; break;
                    default: bytes[at] = (byte)"{}[]\",:0#/$\\"[random.Next(12)]; break;
                }
            }

            string text = Encoding.Latin1.GetString(bytes);
            try
            {
                ValidatedJson schema = ValidatedJson.Parse(text);
                taken++;

                // Whatever is taken judges, and damaged records too.
                for (int j = 0; j < 4; j++) { schema.Validate(Encoding.UTF8.GetBytes((Value(random, 0)?.ToJsonString() ?? "null")[random.Next(2)..])); }
            }
            catch (SchemaException fault)
            {
                refused++;
                Assert.Contains("#", fault.Message, StringComparison.Ordinal);
            }
            catch (Exception other) when (other is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"seed {seed}, schema {text}: {other}");
            }
        }

        output.WriteLine($"{taken} taken, {refused} refused");
        Assert.True(taken > 0 && refused > taken);
    }

    /// <summary>No value is of another kind than its type says: what would be is read as unreadable.</summary>
    private static bool Keeps(SchemaType type, object? value) => value switch
    {
        null => type.Nullable || type.Kind == ValueKind.Dyn,
        InexactNumber => false,
        List<object?> list => type.Kind == ValueKind.Dyn || (type.Kind == ValueKind.List && list.TrueForAll(one => Keeps(type.Element!, one))),
        RecordValue record => record.Values.Zip(record.Type.Fields).All(pair => ReferenceEquals(pair.First, RecordValue.Missing) ? pair.Second.Removable : Keeps(pair.Second.Type, pair.First)),
        MapValue map => type.Kind == ValueKind.Dyn || (type.Kind == ValueKind.Map && map.Values.All(one => Keeps(type.Element!, one))),
        _ => type.Kind == ValueKind.Dyn || type.Kind == value switch { bool => ValueKind.Bool, long => ValueKind.Int, double => ValueKind.Double, string => ValueKind.String, _ => ValueKind.Absent },
    };

    private static JsonNode? Value(Random random, int depth)
    {
        switch (random.Next(depth > 3 ? 5 : 8))
        {
            case 0: return null;
            case 1: return random.Next(2) == 0;
            case 2: return random.Next(-3, 6);
            case 3: return JsonNode.Parse(random.Next(3) switch { 0 => "1.0", 1 => "2.5", _ => "1e1" });
            case 4: return Text(random);
            case 5:
                return new JsonArray([.. Enumerable.Range(0, random.Next(4)).Select(_ => Value(random, depth + 1))]);
            default:
                var value = new JsonObject();
                for (int i = random.Next(4); i > 0; i--) { value[_names[random.Next(_names.Length)]] = Value(random, depth + 1); }
                return value;
        }
    }

    private static string Text(Random random) => random.Next(5) switch { 0 => "", 1 => "a", 2 => "ab", 3 => "é\n", _ => "abcab" };

    private static JsonNode Schema(Random random, int depth)
    {
        if (random.Next(12) == 0) { return JsonValue.Create(random.Next(3) > 0); }
        var schema = new JsonObject();
        for (int i = random.Next(1, 4); i > 0; i--) { Keyword(random, schema, depth); }
        if (random.Next(6) == 0) { schema["tags"] = new JsonArray("T"); }
        return schema;
    }

    private static void Keyword(Random random, JsonObject schema, int depth)
    {
        JsonArray Several() => new([.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => (JsonNode?)Schema(random, depth + 1))]);
        switch (random.Next(depth > 3 ? 14 : 32))
        {
            case 0 or 1 or 2: schema["type"] = ((string[])["null", "boolean", "object", "array", "string", "integer", "number"])[random.Next(7)]; break;
            case 3: schema["type"] = new JsonArray("null", ((string[])["object", "array", "string", "integer", "number"])[random.Next(5)]); break;
            case 4: schema["minimum"] = random.Next(-2, 4); break;
            case 5: schema["exclusiveMaximum"] = JsonNode.Parse("2.5"); break;
            case 6: schema["multipleOf"] = JsonNode.Parse(random.Next(2) == 0 ? "0.5" : "2"); break;
            case 7: schema["minLength"] = random.Next(3); break;
            case 8: schema["maxLength"] = random.Next(1, 4); break;
            case 9: schema["pattern"] = ((string[])["^a", "b$", "^(ab?)*$"])[random.Next(3)]; break;
            case 10: schema["required"] = new JsonArray(_names[random.Next(_names.Length)]); break;
            case 11: schema["uniqueItems"] = true; break;
            case 12: schema["enum"] = new JsonArray(Value(random, 3), Value(random, 2), Text(random)); break;
            case 13: schema["const"] = Value(random, 2); break;
            case 14 or 15 or 16 or 17:
                var properties = new JsonObject();
                for (int i = random.Next(1, 4); i > 0; i--) { properties[_names[random.Next(_names.Length)]] = Schema(random, depth + 1); }
                schema["properties"] = properties;
                break;
            case 18: schema["additionalProperties"] = Schema(random, depth + 1); break;
            case 19: schema["patternProperties"] = new JsonObject { ["^a"] = Schema(random, depth + 1) }; break;
            case 20 or 21: schema["items"] = Schema(random, depth + 1); break;
            case 22: schema["prefixItems"] = Several(); break;
            case 23: schema["contains"] = Schema(random, depth + 1); break;
            case 24: schema["anyOf"] = Several(); break;
            case 25: schema["oneOf"] = Several(); break;
            case 26: schema["allOf"] = Several(); break;
            case 27: schema["not"] = Schema(random, depth + 1); break;
            case 28:
                schema["if"] = Schema(random, depth + 1);
                schema["then"] = Schema(random, depth + 1);
                schema["else"] = Schema(random, depth + 1);
                break;
            case 29: schema["unevaluatedProperties"] = Schema(random, depth + 1); break;
            case 30: schema["unevaluatedItems"] = Schema(random, depth + 1); break;
            default: schema["$ref"] = "#/$defs/d"; break;
        }

        if (depth >= 3) { schema.Remove("$ref"); }
    }

    /// <summary>The keywords as the specification's sentences have them, over a tree.</summary>
    private sealed class PlainReading(JsonNode root)
    {
        public bool IsValid(JsonNode? schema, JsonNode? value, out HashSet<string> evaluated)
        {
            HashSet<string> seen = evaluated = [];
            if (schema is JsonValue fixedVerdict) { return fixedVerdict.GetValue<bool>(); }
            var all = (JsonObject)schema!;
            bool good = true;
            if (all.TryGetPropertyValue("$ref", out _)) { good &= InPlace(root["$defs"]!["d"], value, seen); }
            foreach ((string keyword, JsonNode? said) in all)
            {
                good &= keyword switch
                {
                    "type" => (said is JsonArray kinds ? kinds.Select(kind => kind!.GetValue<string>()) : [said!.GetValue<string>()]).Any(kind => Is(kind, value)),
                    "enum" => ((JsonArray)said!).Any(one => Same(one, value)),
                    "const" => Same(said, value),
                    "minimum" => !IsNumber(value) || Number(value) >= Number(said),
                    "exclusiveMaximum" => !IsNumber(value) || Number(value) < Number(said),
                    "multipleOf" => !IsNumber(value) || Number(value) % Number(said) == 0,
                    "minLength" => !IsText(value) || value!.GetValue<string>().EnumerateRunes().Count() >= said!.GetValue<int>(),
                    "maxLength" => !IsText(value) || value!.GetValue<string>().EnumerateRunes().Count() <= said!.GetValue<int>(),
                    "pattern" => !IsText(value) || System.Text.RegularExpressions.Regex.IsMatch(value!.GetValue<string>(), said!.GetValue<string>().Replace("$", "\\z", StringComparison.Ordinal)),
                    "required" => value is not JsonObject there || ((JsonArray)said!).All(name => there.ContainsKey(name!.GetValue<string>())),
                    "uniqueItems" => value is not JsonArray items || !items.Select((one, i) => items.Take(i).Any(other => Same(one, other))).Any(twice => twice),
                    _ => true,
                };
            }

            if (value is JsonObject properties) { good &= Properties(all, properties, seen); }
            if (value is JsonArray list) { good &= Items(all, list, seen); }
            foreach (JsonNode? one in (JsonArray?)all["allOf"] ?? []) { good &= InPlace(one, value, seen); }
            if (all["anyOf"] is JsonArray any) { good &= any.Where(one => InPlace(one, value, seen)).ToList() is [_, ..]; }
            if (all["oneOf"] is JsonArray ways) { good &= ways.Count(one => InPlace(one, value, seen)) == 1; }
            if (all.TryGetPropertyValue("not", out JsonNode? not)) { good &= !IsValid(not, value, out _); }
            if (all.TryGetPropertyValue("if", out JsonNode? condition)) { good &= InPlace(InPlace(condition, value, seen) ? all["then"] : all["else"], value, seen); }
            if (all.TryGetPropertyValue("unevaluatedProperties", out JsonNode? rest) && value is JsonObject left)
            {
                foreach ((string name, JsonNode? inner) in left)
                {
                    if (!seen.Contains(name)) { good &= IsValid(rest, inner, out _); }
                }

                seen.UnionWith(left.Select(one => one.Key));
            }

            if (all.TryGetPropertyValue("unevaluatedItems", out JsonNode? others) && value is JsonArray elements)
            {
                for (int i = 0; i < elements.Count; i++)
                {
                    if (!seen.Contains($"{i}")) { good &= IsValid(others, elements[i], out _); }
                }

                seen.UnionWith(elements.Select((_, i) => $"{i}"));
            }

            return good;
        }

        private bool InPlace(JsonNode? schema, JsonNode? value, HashSet<string> seen)
        {
            if (!IsValid(schema, value, out HashSet<string> inner)) { return false; }
            seen.UnionWith(inner);
            return true;
        }

        private bool Properties(JsonObject schema, JsonObject value, HashSet<string> seen)
        {
            bool good = true;
            foreach ((string name, JsonNode? inner) in value)
            {
                bool known = false;
                if (schema["properties"] is JsonObject named && named.TryGetPropertyValue(name, out JsonNode? own))
                {
                    known = true;
                    good &= IsValid(own, inner, out _);
                }

                if (schema["patternProperties"] is JsonObject patterns && name.StartsWith('a'))
                {
                    known = true;
                    good &= IsValid(patterns["^a"], inner, out _);
                }

                if (!known && schema.TryGetPropertyValue("additionalProperties", out JsonNode? rest))
                {
                    known = true;
                    good &= IsValid(rest, inner, out _);
                }

                if (known) { seen.Add(name); }
            }

            return good;
        }

        private bool Items(JsonObject schema, JsonArray value, HashSet<string> seen)
        {
            bool good = true;
            var prefix = (JsonArray?)schema["prefixItems"] ?? [];
            for (int i = 0; i < value.Count; i++)
            {
                if (i >= prefix.Count && !schema.ContainsKey("items")) { break; }
                good &= IsValid(i < prefix.Count ? prefix[i] : schema["items"], value[i], out _);
                seen.Add($"{i}");
            }

            if (!schema.TryGetPropertyValue("contains", out JsonNode? wanted)) { return good; }
            bool any = false;
            for (int i = 0; i < value.Count; i++)
            {
                if (!IsValid(wanted, value[i], out _)) { continue; }
                any = true;
                seen.Add($"{i}");
            }

            return good && any;
        }

        private static bool Is(string kind, JsonNode? value) => kind switch
        {
            "null" => value is null,
            "boolean" => value?.GetValueKind() is JsonValueKind.True or JsonValueKind.False,
            "object" => value is JsonObject,
            "array" => value is JsonArray,
            "string" => IsText(value),
            "integer" => IsNumber(value) && Number(value) % 1 == 0,
            _ => IsNumber(value),
        };

        private static bool IsText(JsonNode? value) => value?.GetValueKind() == JsonValueKind.String;

        private static bool IsNumber(JsonNode? value) => value?.GetValueKind() == JsonValueKind.Number;

        private static decimal Number(JsonNode? value) => decimal.Parse(value!.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture);

        private static bool Same(JsonNode? one, JsonNode? other)
        {
            if (IsNumber(one) && IsNumber(other)) { return Number(one) == Number(other); }
            return (one, other) switch
            {
                (null, null) => true,
                (JsonArray left, JsonArray right) => left.Count == right.Count && left.Zip(right).All(pair => Same(pair.First, pair.Second)),
                (JsonObject left, JsonObject right) => left.Count == right.Count && left.All(pair => right.TryGetPropertyValue(pair.Key, out JsonNode? same) && Same(pair.Value, same)),
                (JsonValue left, JsonValue right) => left.GetValueKind() == right.GetValueKind() && left.ToJsonString() == right.ToJsonString(),
                _ => false,
            };
        }
    }
}
