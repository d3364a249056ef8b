namespace PolicyStreams.Rules.Cel.Syntax;

/// <summary>Names of operators as functions: cel-spec's.</summary>
internal static class Operators
{
    public const string Equal = "_==_";
    public const string NotEqual = "_!=_";
    public const string Less = "_<_";
    public const string LessOrEqual = "_<=_";
    public const string Greater = "_>_";
    public const string GreaterOrEqual = "_>=_";
    public const string Add = "_+_";
    public const string Subtract = "_-_";
    public const string Multiply = "_*_";
    public const string Divide = "_/_";
    public const string Modulo = "_%_";
    public const string Not = "!_";
    public const string Negate = "-_";
    public const string In = "@in";
    public const string Index = "_[_]";
    public const string OptionalIndex = "_[?_]";

    /// <summary>The sign of a binary operator, or null.</summary>
    public static string? Sign(string function) => function == In ? "in" : function.Length > 2 && function[0] == '_' && function[^1] == '_' ? function[1..^1] : null;

    /// <summary>How tightly a binary operator binds: 3 relations, 4 sums, 5 products.</summary>
    public static int Precedence(string function) => function switch
    {
        Add or Subtract => 4,
        Multiply or Divide or Modulo => 5,
        _ => 3,
    };
}
