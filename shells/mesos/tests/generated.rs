//! Owns the generation of `src/wire/generated` from `proto`, and checks that the committed files are its result.
//!
//! `UPDATE=1 cargo test -p swan-mesos --test generated` rewrites them.

use std::fs;
use std::path::{Path, PathBuf};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto};

const NOTE: &str =
    "//! Generated from proto/mesos/v1 by tests/generated.rs; rewrite it with UPDATE=1, not by hand.\n\n";

#[test]
fn committed_code_is_what_the_protos_generate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mesos-generated");
    fs::create_dir_all(&out).expect("a scratch directory");
    let enum_names = generate(root, &out);
    for (package, file) in [
        ("mesos.v1", "v1.rs"),
        ("mesos.v1.master", "v1/master.rs"),
        ("mesos.v1.scheduler", "v1/scheduler.rs"),
    ] {
        let code =
            fs::read_to_string(out.join(format!("{package}.rs"))).expect("prost writes one file per package");
        let child = if package == "mesos.v1" { "pub mod master;\npub mod scheduler;\n\n" } else { "" };
        let names: String =
            enum_names.iter().filter(|(of, _)| of == package).map(|(_, code)| code.as_str()).collect();
        let wanted = format!("{NOTE}{child}{code}\n{names}");
        let committed = root.join("src/wire/generated").join(file);
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(committed.parent().expect("a file has a directory"))
                .expect("the directory can be made");
            fs::write(&committed, &wanted).expect("the file can be written");
        }
        let found = fs::read_to_string(&committed).unwrap_or_default();
        assert!(found == wanted, "{file} is stale: run UPDATE=1 cargo test -p swan-mesos --test generated");
    }
}

/// Writes `<package>.rs` into `out`; returns what makes each enum's names known to the JSON mapping, with its package.
fn generate(root: &Path, out: &Path) -> Vec<(String, String)> {
    let protos = root.join("proto");
    let files =
        protox::compile(["mesos/v1/master/master.proto", "mesos/v1/scheduler/scheduler.proto"], [&protos])
            .expect("the protos are well-formed");
    let mut config = prost_build::Config::new();
    config.out_dir(out).btree_map(["."]).disable_comments(["."]);
    config.message_attribute(".", "#[derive(serde::Serialize, serde::Deserialize)]\n#[serde(default)]");
    let mut enum_names = Vec::new();
    for file in &files.file {
        let package = file.package().to_owned();
        let of_enum = |path: &str| (package.clone(), names_of_enum(path));
        enum_names.extend(file.enum_type.iter().map(|found| of_enum(found.name())));
        for message in &file.message_type {
            walk(&mut config, &format!(".{package}"), "", message, &mut |path| {
                enum_names.push(of_enum(path))
            });
        }
    }
    config.compile_fds(files).expect("prost takes what protox made");
    enum_names
}

/// Gives every field its place in Mesos's JSON mapping, and reports each nested enum.
fn walk(
    config: &mut prost_build::Config,
    scope: &str,
    module: &str,
    message: &DescriptorProto,
    on_enum: &mut dyn FnMut(&str),
) {
    if is_map_entry(message) {
        return;
    }
    let path = format!("{scope}.{}", message.name());
    let module = format!("{module}{}::", snake(message.name()));
    for field in &message.field {
        config.field_attribute(format!("{path}.{}", field.name()), attribute(message, field));
    }
    for EnumDescriptorProto { name, .. } in &message.enum_type {
        on_enum(&format!("{module}{}", name.as_deref().unwrap_or_default()));
    }
    for nested in &message.nested_type {
        walk(config, &path, &module, nested, on_enum);
    }
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry)
}

fn attribute(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    if field.label() == Label::Repeated {
        let entry = field.type_name().rsplit('.').next().unwrap_or_default();
        let is_map = message.nested_type.iter().any(|nested| nested.name() == entry && is_map_entry(nested));
        let kind = if is_map { "std::collections::BTreeMap" } else { "Vec" };
        return format!("#[serde(skip_serializing_if = \"{kind}::is_empty\")]");
    }
    let with = match field.r#type() {
        Type::Enum => format!("EnumName::<{}>", rust_path(field.type_name())),
        Type::Bytes => "Base64".to_owned(),
        Type::Int64 => "Integer::<i64>".to_owned(),
        Type::Uint64 => "Integer::<u64>".to_owned(),
        Type::Double => "Double".to_owned(),
        _ => return "#[serde(skip_serializing_if = \"Option::is_none\")]".to_owned(),
    };
    format!("#[serde(with = \"crate::wire::json::{with}\", skip_serializing_if = \"Option::is_none\")]")
}

/// `.mesos.v1.TaskStatus.Reason` as the path of its Rust type.
fn rust_path(proto: &str) -> String {
    let mut parts: Vec<&str> = proto.trim_start_matches(".mesos.").split('.').collect();
    let name = parts.pop().unwrap_or_default();
    let modules: Vec<String> = parts.into_iter().map(snake).collect();
    format!("crate::wire::generated::{}::{name}", modules.join("::"))
}

fn names_of_enum(path: &str) -> String {
    format!(
        "impl crate::wire::json::Named for {path} {{\n    fn name(self) -> &'static str {{\n        self.as_str_name()\n    }}\n    \
         fn from_name(name: &str) -> Option<Self> {{\n        Self::from_str_name(name)\n    }}\n}}\n"
    )
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (place, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && place > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
