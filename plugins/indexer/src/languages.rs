//! The languages whose grammar is compiled in, and what in each grammar defines a name. Adding one is a grammar and a table here.

use tree_sitter::Language;

/// What a definition means for the chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Stays in one piece; functions inside it are known by name, and its variables are nobody's business.
    Function,
    /// Stays in one piece; what is inside it is known by name.
    Type,
    /// Its head is a piece, and each whole thing inside it is another.
    Container,
    /// As a container, but not a definition itself: Rust's `impl`.
    Scope,
    /// A name without a piece of its own, such as a constant.
    Plain,
    /// As plain, and only where a function is assigned; then it is one.
    IfFunction,
    /// Goes on until the next one.
    Heading,
}

/// Where a definition has its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// In this field.
    Field(&'static str),
    /// At the end of C's declarators.
    Declarator,
    /// In an attribute of an HTML element.
    Id,
    /// In the first child of this kind.
    Child(&'static str),
}

/// A kind of node that defines something.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// As the grammar calls it.
    pub node: &'static str,
    /// As the index calls it.
    pub kind: &'static str,
    /// What it means for the chunks.
    pub role: Role,
    /// Where its name is.
    pub named: Named,
}

const fn rule(node: &'static str, kind: &'static str, role: Role, named: Named) -> Rule {
    Rule { node, kind, role, named }
}

use Named::{Child, Declarator, Field, Id};
use Role::{Container, Function, Heading, IfFunction, Plain, Scope, Type};

const NAME: Named = Field("name");

const PYTHON: &[Rule] = &[
    rule("function_definition", "function", Function, NAME),
    rule("class_definition", "class", Container, NAME),
    rule("assignment", "variable", Plain, Field("left")),
    rule("type_alias_statement", "type", Plain, Field("left")),
];

const JAVASCRIPT: &[Rule] = &[
    rule("function_declaration", "function", Function, NAME),
    rule("generator_function_declaration", "function", Function, NAME),
    rule("class_declaration", "class", Container, NAME),
    rule("class", "class", Container, NAME),
    rule("method_definition", "method", Function, NAME),
    rule("field_definition", "property", Plain, Field("property")),
    rule("public_field_definition", "property", Plain, NAME),
    rule("variable_declarator", "variable", Plain, NAME),
    rule("pair", "property", IfFunction, Field("key")),
    rule("assignment_expression", "property", IfFunction, Field("left")),
    // TypeScript's.
    rule("abstract_class_declaration", "class", Container, NAME),
    rule("interface_declaration", "interface", Type, NAME),
    rule("type_alias_declaration", "type", Plain, NAME),
    rule("enum_declaration", "enum", Type, NAME),
    rule("internal_module", "module", Container, NAME),
    rule("module", "module", Container, NAME),
    rule("function_signature", "function", Plain, NAME),
    rule("abstract_method_signature", "method", Plain, NAME),
    rule("method_signature", "method", Plain, NAME),
];

const RUST: &[Rule] = &[
    rule("function_item", "function", Function, NAME),
    rule("function_signature_item", "function", Plain, NAME),
    rule("struct_item", "struct", Type, NAME),
    rule("union_item", "union", Type, NAME),
    rule("enum_item", "enum", Type, NAME),
    rule("enum_variant", "variant", Plain, NAME),
    rule("field_declaration", "field", Plain, NAME),
    rule("trait_item", "trait", Container, NAME),
    rule("impl_item", "impl", Scope, Field("type")),
    rule("mod_item", "module", Container, NAME),
    rule("type_item", "type", Plain, NAME),
    rule("associated_type", "type", Plain, NAME),
    rule("const_item", "constant", Plain, NAME),
    rule("static_item", "constant", Plain, NAME),
    rule("macro_definition", "macro", Function, NAME),
];

const GO: &[Rule] = &[
    rule("function_declaration", "function", Function, NAME),
    rule("method_declaration", "method", Function, NAME),
    rule("type_spec", "type", Type, NAME),
    rule("type_alias", "type", Plain, NAME),
    rule("const_spec", "constant", Plain, NAME),
    rule("var_spec", "variable", Plain, NAME),
    rule("method_elem", "method", Plain, NAME),
    rule("field_declaration", "field", Plain, NAME),
];

const JAVA: &[Rule] = &[
    rule("class_declaration", "class", Container, NAME),
    rule("interface_declaration", "interface", Container, NAME),
    rule("annotation_type_declaration", "interface", Container, NAME),
    rule("record_declaration", "class", Container, NAME),
    rule("enum_declaration", "enum", Container, NAME),
    rule("enum_constant", "constant", Plain, NAME),
    rule("method_declaration", "method", Function, NAME),
    rule("constructor_declaration", "method", Function, NAME),
    rule("variable_declarator", "field", Plain, NAME),
];

const C: &[Rule] = &[
    rule("function_definition", "function", Function, Declarator),
    rule("struct_specifier", "struct", Type, NAME),
    rule("union_specifier", "union", Type, NAME),
    rule("enum_specifier", "enum", Type, NAME),
    rule("enumerator", "constant", Plain, NAME),
    rule("type_definition", "type", Plain, Declarator),
    rule("field_declaration", "field", Plain, Declarator),
    rule("declaration", "variable", Plain, Declarator),
    rule("preproc_def", "macro", Plain, NAME),
    rule("preproc_function_def", "macro", Plain, NAME),
    // C++'s.
    rule("class_specifier", "class", Container, NAME),
    rule("namespace_definition", "module", Container, NAME),
    rule("alias_declaration", "type", Plain, NAME),
    rule("concept_definition", "concept", Type, NAME),
];

const HTML: &[Rule] = &[rule("start_tag", "element", Plain, Id), rule("self_closing_tag", "element", Plain, Id)];
const CSS: &[Rule] =
    &[rule("rule_set", "rule", Plain, Child("selectors")), rule("keyframes_statement", "rule", Plain, Child("keyframes_name"))];
const JSON: &[Rule] = &[rule("pair", "key", Plain, Field("key"))];
const TOML: &[Rule] = &[
    rule("table", "section", Type, Child("bare_key")),
    rule("table", "section", Type, Child("dotted_key")),
    rule("table_array_element", "section", Type, Child("bare_key")),
    rule("table_array_element", "section", Type, Child("dotted_key")),
    rule("pair", "key", Plain, Child("bare_key")),
];
const MARKDOWN: &[Rule] = &[
    rule("atx_heading", "section", Heading, Field("heading_content")),
    rule("setext_heading", "section", Heading, Field("heading_content")),
];

/// What the index calls them; a file's language is chosen by its ending.
#[derive(Clone, Debug)]
pub struct Grammar {
    /// The parser's tables.
    pub language: Language,
    /// What defines a name.
    pub rules: &'static [Rule],
}

/// The grammar for this file, by its ending; none for what is not a language that is known here.
pub fn of(path: &str) -> Option<Grammar> {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    let (language, rules) = match ending {
        "py" | "pyi" | "pyw" => (tree_sitter_python::LANGUAGE, PYTHON),
        "js" | "mjs" | "cjs" | "jsx" => (tree_sitter_javascript::LANGUAGE, JAVASCRIPT),
        "ts" | "mts" | "cts" => (tree_sitter_typescript::LANGUAGE_TYPESCRIPT, JAVASCRIPT),
        "tsx" => (tree_sitter_typescript::LANGUAGE_TSX, JAVASCRIPT),
        "rs" => (tree_sitter_rust::LANGUAGE, RUST),
        "go" => (tree_sitter_go::LANGUAGE, GO),
        "java" => (tree_sitter_java::LANGUAGE, JAVA),
        "c" => (tree_sitter_c::LANGUAGE, C),
        // A header may be either's; C++'s grammar reads both.
        "h" | "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" => (tree_sitter_cpp::LANGUAGE, C),
        "html" | "htm" => (tree_sitter_html::LANGUAGE, HTML),
        "css" => (tree_sitter_css::LANGUAGE, CSS),
        "json" => (tree_sitter_json::LANGUAGE, JSON),
        "toml" => (tree_sitter_toml_ng::LANGUAGE, TOML),
        "md" | "markdown" => (tree_sitter_md::LANGUAGE, MARKDOWN),
        _ => return None,
    };
    Some(Grammar { language: language.into(), rules })
}
