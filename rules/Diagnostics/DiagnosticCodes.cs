namespace PolicyStreams.Rules;

/// <summary>
/// The stable codes of diagnostics, and what each means in a few words. <c>docs/reference/diagnostics.md</c> lists the same; a test keeps the two alike.
/// PS00xx the file, PS01xx the document, PS02xx conditions, PS03xx schemas and masks, PS04xx lint, PS05xx policy tests. A code is never given another meaning: PS0410 and PS0601 meant things that cannot be.
/// </summary>
public static class DiagnosticCodes
{
    public const string FileTooLarge = "PS0001";
    public const string NotText = "PS0002";
    public const string TabIndentation = "PS0003";
    public const string YamlSyntax = "PS0004";
    public const string TooDeep = "PS0005";
    public const string YamlFeature = "PS0006";
    public const string DuplicateKey = "PS0007";
    public const string SeveralDocuments = "PS0008";
    public const string EmptyDocument = "PS0009";
    public const string TooManyDiagnostics = "PS0010";

    public const string UnknownKey = "PS0100";
    public const string MissingKey = "PS0101";
    public const string WrongShape = "PS0102";
    public const string BadValue = "PS0103";
    public const string BadName = "PS0104";
    public const string DuplicateName = "PS0105";
    public const string UnknownBinding = "PS0106";
    public const string UnknownField = "PS0107";
    public const string EffectCount = "PS0108";
    public const string DuplicateIngress = "PS0109";
    public const string TopicClash = "PS0110";
    public const string UnknownRoute = "PS0111";
    public const string BadPath = "PS0112";
    public const string TooMany = "PS0113";
    public const string UnknownKind = "PS0114";
    public const string HoldTermsMissing = "PS0115";
    public const string NotRunYet = "PS0116";

    public const string ConditionSyntax = "PS0201";
    public const string ConditionTooLarge = "PS0202";
    public const string UnknownVariable = "PS0203";
    public const string UnknownFunction = "PS0204";
    public const string ConditionType = "PS0205";
    public const string ConditionPattern = "PS0206";
    public const string ConditionConstant = "PS0207";
    public const string NotBool = "PS0208";
    public const string ConditionOther = "PS0209";

    public const string SchemaMissing = "PS0301";
    public const string SchemaFormatMismatch = "PS0302";
    public const string SchemaUnusable = "PS0303";
    public const string UnknownTag = "PS0304";
    public const string MaskType = "PS0305";
    public const string UnknownMaskKey = "PS0306";
    public const string VersionMismatch = "PS0307";
    public const string ListsOnly = "PS0308";
    public const string UnknownFieldsKept = "PS0311";
    public const string FirstMessage = "PS0312";

    public const string UnguardedNull = "PS0401";
    public const string NotASymbol = "PS0402";
    public const string ExpiryAllows = "PS0403";
    public const string TwoMasksOneField = "PS0404";
    public const string AlwaysDenies = "PS0405";
    public const string NeverMasks = "PS0406";
    public const string TagTwice = "PS0407";
    public const string RouteNeverUsed = "PS0408";
    public const string NoRules = "PS0409";

    public const string NeverFires = "PS0420";
    public const string AlwaysFires = "PS0421";
    public const string ShadowedRule = "PS0422";
    public const string NobodyApproves = "PS0423";

    public const string ConventionText = "PS0430";
    public const string ConventionTopic = "PS0431";
    public const string ConventionMask = "PS0432";
    public const string ConventionLimit = "PS0433";
    public const string ConventionTest = "PS0434";
    public const string SensitiveLeak = "PS0435";

    public const string LockMissing = "PS0440";
    public const string FieldNotReviewed = "PS0441";
    public const string LockDiffers = "PS0442";
    public const string TagLost = "PS0443";

    public const string CostAboveLimit = "PS0451";

    public const string NoTests = "PS0501";
    public const string UnknownPolicy = "PS0502";
    public const string BadGiven = "PS0503";
    public const string BadExpectation = "PS0504";

    public const string NoSuchSurvivor = "PS0510";

    /// <summary>Every code with its meaning, in order.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> All { get; } =
    [
        new(FileTooLarge, "the file is larger than 4 MiB"),
        new(NotText, "the file is not plain UTF-8 text: a byte order mark, NUL, or control character"),
        new(TabIndentation, "a tab in indentation"),
        new(YamlSyntax, "not YAML"),
        new(TooDeep, "nested deeper than 64 levels"),
        new(YamlFeature, "an anchor, alias, merge key, tag, or directive"),
        new(DuplicateKey, "a key that comes twice in one mapping"),
        new(SeveralDocuments, "more than one document in a file"),
        new(EmptyDocument, "nothing in the file"),
        new(TooManyDiagnostics, "more mistakes than are listed"),
        new(UnknownKey, "a key that is not known here"),
        new(MissingKey, "a key that must be there is not"),
        new(WrongShape, "a mapping, list, or plain value where another of them is wanted"),
        new(BadValue, "a value outside what the key takes"),
        new(BadName, "a name with characters that names may not have, or too long"),
        new(DuplicateName, "a policy, binding, or rule named like another"),
        new(UnknownBinding, "a rule names a binding that the policy does not have"),
        new(UnknownField, "a field that the schema does not have"),
        new(EffectCount, "a rule without an effect, or with more than one; a mask without a method or selector, or with more than one"),
        new(DuplicateIngress, "two bindings claim one ingress topic"),
        new(TopicClash, "one topic in two roles that exclude each other"),
        new(UnknownRoute, "a route to a topic that the binding's `topics.routes` does not list"),
        new(BadPath, "a path that does not parse, or that starts nowhere"),
        new(TooMany, "more bindings, rules, test cases, or items than there may be"),
        new(UnknownKind, "a document of another `apiVersion` or `kind`"),
        new(HoldTermsMissing, "a hold whose terms nothing gives"),
        new(NotRunYet, "the policy uses something that this version's processor does not run: `identity: jws` or `oidc`; or `scope: key` without a hold key. Lint warns of the former, tests take it; `run` refuses it, so that nothing is left out silently"),
        new(ConditionSyntax, "a condition that does not parse"),
        new(ConditionTooLarge, "a condition too long or nested too deep"),
        new(UnknownVariable, "a variable that conditions do not have"),
        new(UnknownFunction, "a function that conditions do not have"),
        new(ConditionType, "operands whose types do not fit"),
        new(ConditionPattern, "a regular expression that RE2 does not have, or beyond its bounds"),
        new(ConditionConstant, "a constant that can never work"),
        new(NotBool, "a condition that is not true or false"),
        new(ConditionOther, "another mistake in a condition"),
        new(SchemaMissing, "a binding without a schema"),
        new(SchemaFormatMismatch, "a schema of another format than the binding's"),
        new(SchemaUnusable, "a schema that cannot be used"),
        new(UnknownTag, "a tag that no field carries"),
        new(MaskType, "a mask that the field's type cannot hold"),
        new(UnknownMaskKey, "a key that the host does not supply, or too short"),
        new(VersionMismatch, "a version of the subject lacks or retypes what the policy names, or took away a field that is masked"),
        new(ListsOnly, "a mask's `[*]` in JSON without a schema: it selects the elements of lists, and no values of objects"),
        new(UnknownFieldsKept, "a Protobuf binding with `unknown_fields: keep`: what a record carries beyond its own schema goes out unseen"),
        new(FirstMessage, "a Protobuf schema of several messages, and a binding that does not say which it takes: the first"),
        new(UnguardedNull, "a value that may be null is used where nothing makes sure that it is not"),
        new(NotASymbol, "compared with a text that is no symbol of the enum"),
        new(ExpiryAllows, "an expired hold lets the record through, and no Conventions document permits it"),
        new(TwoMasksOneField, "two masks by explicit path on one field"),
        new(AlwaysDenies, "a deny without a condition"),
        new(NeverMasks, "a mask that an earlier one without a condition always comes before"),
        new(TagTwice, "one tag name set by several rules"),
        new(RouteNeverUsed, "a topic in `topics.routes` that no rule routes to"),
        new(NoRules, "a policy without rules"),
        new(NeverFires, "a rule whose condition can never be true"),
        new(AlwaysFires, "a rule whose condition is always true"),
        new(ShadowedRule, "a rule that changes nothing, because of a stronger one wherever it fires"),
        new(NobodyApproves, "a hold that nobody can approve, or not as many people as it asks for"),
        new(ConventionText, "no owner or description, and the conventions ask for one"),
        new(ConventionTopic, "a topic whose name is not as the conventions want it"),
        new(ConventionMask, "a method that the conventions do not allow for fields of a tag"),
        new(ConventionLimit, "a limit above what the conventions allow"),
        new(ConventionTest, "a rule that fires in no test, and the conventions ask for one"),
        new(SensitiveLeak, "a way out on which something that the conventions call sensitive is not masked"),
        new(LockMissing, "a policy without a lock that can be read"),
        new(FieldNotReviewed, "a field, or its type, that nobody has looked at since the policy was locked"),
        new(LockDiffers, "a policy, or a version of a schema, that is not what was locked"),
        new(TagLost, "a field that lost a tag since the policy was locked"),
        new(CostAboveLimit, "rules that may cost more for one record than `limits: { cost }` allows"),
        new(NoTests, "a test file without a test"),
        new(UnknownPolicy, "a test names a policy or binding that is not there"),
        new(BadGiven, "a test's record cannot be made"),
        new(BadExpectation, "a test expects something that can never be"),
        new(NoSuchSurvivor, "an explanation of a mutant that is not there, or that a test notices"),
    ];
}
